// Micro-programs in GPU kernels: which form of a kernel runs a program, and where its operands lie
// (gpu/kernels/epilogue.h).
#ifndef MOKA_GPU_EPILOGUE_H_
#define MOKA_GPU_EPILOGUE_H_

#include <array>
#include <span>
#include <string>

#include "gpu/choose.h"

namespace moka::gpu {

// The result of a kernel as numbered rows of channels: dimensions of dst, `axes` outermost first.
struct RowShape {
  std::array<int, kMaxRank> axes{};
  int count = 0;
  int channel = -1;  // -1: rows of one element
};

class Epilogue {
 public:
  // `alone`: the program starts from nothing (moka.Elementwise), not from a kernel's result.
  Epilogue(const OpCall& call, bool alone);

  // "", "_e4" or "_e16": the variant of a kernel that runs the program.
  const char* suffix() const { return suffix_; }

  // Operands get their blocks in the order of these calls. `src`: of the call, -1 for dst; read through `binding`.
  // False where the operand cannot be broadcast to dst.
  bool AddOperand(int src, int binding);
  // A source of one dimension that runs along dimension `axis` of dst.
  void AddVector(int src, int binding, int axis);
  void AddNothing() { ++num_blocks_; }
  // The program's sources, the first one through `binding`.
  bool AddSources(int binding);

  // Takes rows apart as few dimensions as the operands allow: those of `shape`, or, with null, whatever follows the
  // memory of dst best.
  void Layout(const RowShape* shape);
  const RowLoops& rows() const { return rows_; }
  // dst may be stored in whole vectors.
  bool whole_vectors() const;

  // Writes e, the specialization constants and the operands' bindings. e begins `e_at` bytes into the parameters.
  // Returns why it cannot be done, or an empty string.
  std::string Finish(Launcher* launcher, std::span<int> e, size_t e_at) const;

 private:
  struct Block {
    bool used = false;
    int src = -1, binding = -1;
    TensorDesc view;  // in the shape of dst
  };
  // Recognises clip(x + source, low, high), each part optional: most layers need no more.
  bool MatchClip(bool alone);
  int ModeOf(int block) const;
  int UnitOf(int block) const { return ModeOf(block) == 0 ? kVectorLanes : 1; }

  const OpCall& call_;
  std::array<Block, kMaxOperands> blocks_{};
  int num_blocks_ = 0;
  const char* suffix_ = "";
  int added_source_ = -1;
  bool clips_ = false;
  float low_ = 0, high_ = 0;
  RowLoops rows_;  // dimension 0 is the channel; operand b is block b
};

}  // namespace moka::gpu

#endif  // MOKA_GPU_EPILOGUE_H_
