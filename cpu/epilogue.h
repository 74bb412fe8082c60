// What GEMM and convolution do with a result before (or right after) they store it.
#ifndef MOKA_CPU_EPILOGUE_H_
#define MOKA_CPU_EPILOGUE_H_

#include "cpu/micro.h"
#include "ops/op.h"

namespace moka::cpu {

struct Epilogue {
  enum Kind : int32_t {
    kClip,     // clip(result [+ residual], lo, hi), compiled into the tile
    kTail,     // that, then the operations from tail_begin on, over each tile that was stored (cpu/tail.h)
    kProgram,  // the tile stores the result, then the program runs over the block while it is in the cache
  } kind;
  float lo, hi;
  int32_t residual;  // index into micro.src, or -1
  int32_t bias;      // the same, one row for all rows; only UseTail finds one
  int32_t tail_begin;
  MicroLaunch micro;  // also says where the rows of dst are, whatever the kind
};

// `inner`: the dimension of dst that becomes the columns. Fails where a source of the program does not fit.
Status MakeEpilogue(const OpCall& call, int inner, Epilogue* epilogue);
// Makes it `clip(result + scale * src[index])`, then the graph's own program.
Status PrependScaledAdd(const OpCall& call, int index, float scale, int inner, Epilogue* epilogue);
// Makes a kProgram a kTail, or a kClip, where each operation takes the last one's result, constants, columns, numbers
// of rows or what lies like dst. `bias`: the kernel has none of its own, so that columns may take its place.
void UseTail(bool bias, Epilogue* epilogue);
// How an operation of a tail may read source k: one number, one row for all rows, a number for each row (which of them
// one dimension says), or element by element as dst.
enum class TailSource { kScalar, kColumns, kRows, kLikeDst, kOther };
TailSource TailSourceOf(const MicroLaunch& micro, int k);
// Of a source of numbers of rows: a row that begins `offset` elements into dst has number offset / dst_step % count.
struct TailRows {
  int64_t dst_step = 1, count = 0, step = 0;

  const float* At(const float* data, int64_t offset) const { return data + offset / dst_step % count * step; }
};
TailRows TailRowsOf(const MicroLaunch& micro, int k);  // count 0: it is no such source
// Sources that dst may overwrite: the tile reads a residual just before it writes its place.
uint32_t InPlace(const OpCall& call, const Epilogue& epilogue);

}  // namespace moka::cpu

#endif  // MOKA_CPU_EPILOGUE_H_
