// What GEMM and convolution do with a result before (or right after) they store it.
#ifndef MOKA_CPU_EPILOGUE_H_
#define MOKA_CPU_EPILOGUE_H_

#include "cpu/micro.h"
#include "ops/op.h"

namespace moka::cpu {

struct Epilogue {
  enum Kind : int32_t {
    kClip,     // clip(result [+ residual], lo, hi), compiled into the tile
    kProgram,  // the tile stores the result, then the program runs over the block while it is in the cache
  } kind;
  float lo, hi;
  int32_t residual;   // index into micro.src, or -1
  MicroLaunch micro;  // also says where the rows of dst are, whatever the kind
};

// `inner`: the dimension of dst that becomes the columns. Fails where a source of the program does not fit.
Status MakeEpilogue(const OpCall& call, int inner, Epilogue* epilogue);
// Makes it `clip(result + scale * src[index])`, then the graph's own program.
Status PrependScaledAdd(const OpCall& call, int index, float scale, int inner, Epilogue* epilogue);
// Sources that dst may overwrite: the tile reads a residual just before it writes its place.
uint32_t InPlace(const OpCall& call, const Epilogue& epilogue);

}  // namespace moka::cpu

#endif  // MOKA_CPU_EPILOGUE_H_
