// Runs a bound micro-program: cuts the matrix of elements into tiles of the L1 cache, brings every operand of a tile
// to one of two forms (contiguous floats, or one float for all), and calls one loop per operation.
#include "cpu/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/micro_run.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cstring>

#include "cpu/micro-inl.h"
#include "cpu/micro.h"

#ifndef MOKA_CPU_MICRO_RUN_ONCE_
#define MOKA_CPU_MICRO_RUN_ONCE_
namespace moka::cpu {
inline constexpr int64_t kTile = 1024;              // floats
inline constexpr int64_t kTileStride = kTile + 16;  // so that buffers do not start at the same cache set
inline constexpr int kMaxTiles = kMicroRegisters + kCodeMaxSources + 2;
// dst, sources, registers, and one for an operand that must be spread.
}  // namespace moka::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace moka::cpu {
namespace HWY_NAMESPACE {
#if MOKA_SIMD

class Interpreter {
 public:
  Interpreter(const MicroLaunch& launch, float* dst, const float* const* src, float* scratch)
      : launch_(launch), dst_(dst), src_(src), scratch_(scratch) {
    Prepare();
  }

  void Run(int64_t row_begin, int64_t row_end, int64_t col_begin, int64_t col_end) {
    const int64_t cols = col_end - col_begin;
    const bool whole = cols == launch_.cols;
    const int64_t rows_per_tile = whole && cols * 2 <= kTile ? kTile / std::max<int64_t>(cols, 1) : 1;
    if (cols <= 0) return;
    if (rows_per_tile > 1) {
      SpreadChannels(std::min(rows_per_tile, row_end - row_begin));
      for (int64_t row = row_begin; row < row_end; row += rows_per_tile) {
        RunRows(row, std::min(rows_per_tile, row_end - row));
      }
      return;
    }
    for (int64_t row = row_begin; row < row_end; ++row) {
      for (int64_t col = col_begin; col < col_end; col += kTile) RunPiece(row, col, std::min(kTile, col_end - col));
    }
  }

 private:
  struct Input {
    const float* data;
    bool scalar;
  };

  float* Buffer(int i) const { return scratch_ + i * kTileStride; }
  float* DstBuffer() const { return Buffer(0); }
  float* SourceBuffer(int k) const { return Buffer(1 + k); }
  float* Register(int i) const { return Buffer(1 + kCodeMaxSources + i); }
  float* SpreadBuffer() const { return Buffer(1 + kCodeMaxSources + kMicroRegisters); }
  const MicroLaunch::Operand& Dst() const { return launch_.dst; }

  void Prepare() {
    bool written = launch_.load_dst != 0;
    for (int i = 0; i < launch_.num_ops; ++i) {
      const MicroInstruction& op = launch_.ops[i];
      const uint8_t codes[3] = {op.a, op.b, op.c};
      for (int o = 0; o < Arity(op.op); ++o) {
        if (IsMicroSource(codes[o])) used_ |= 1u << (codes[o] - 8);
        if (codes[o] == 0 && !written) starts_from_zero_ = true;
      }
      written |= op.dst == 0;
    }
    for (int k = 0; k < launch_.num_sources; ++k) {
      const auto& operand = launch_.src[k];
      fixed_[k] = operand.col_stride == 0 && operand.regular && operand.row_step == 0;
      if (fixed_[k]) inputs_[k] = {src_[k], true};
    }
  }

  // True where a tile of whole rows is contiguous in memory.
  bool Flat(const MicroLaunch::Operand& operand) const {
    return operand.col_stride == 1 && operand.regular && (operand.row_step == launch_.cols || launch_.rows == 1);
  }
  static bool Channel(const MicroLaunch::Operand& operand) {
    return operand.col_stride == 1 && operand.regular && operand.row_step == 0;
  }

  // A source with one value a column is repeated for the rows of a tile, once for all tiles.
  void SpreadChannels(int64_t rows) {
    const int64_t cols = launch_.cols;
    for (int k = 0; k < launch_.num_sources; ++k) {
      if (!(used_ >> k & 1) || !Channel(launch_.src[k]) || fixed_[k]) continue;
      float* out = SourceBuffer(k);
      for (int64_t r = 0; r < rows; ++r)
        std::memcpy(out + r * cols, src_[k], static_cast<size_t>(cols) * sizeof(float));
      inputs_[k] = {out, false};
    }
  }

  static void CopyRow(const float* src, int64_t stride, int64_t n, float* dst) {
    if (stride == 1) {
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
    } else if (stride == 0) {
      std::fill_n(dst, n, *src);
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i] = src[i * stride];
    }
  }

  void GatherRows(const MicroLaunch::Operand& operand, const float* src, int64_t row, int64_t rows, float* out) const {
    for (int64_t r = 0; r < rows; ++r) {
      CopyRow(src + RowOffset(launch_, operand, row + r), operand.col_stride, launch_.cols, out + r * launch_.cols);
    }
  }

  void RunRows(int64_t row, int64_t rows) {
    const int64_t cols = launch_.cols, n = rows * cols;
    for (int k = 0; k < launch_.num_sources; ++k) {
      const auto& operand = launch_.src[k];
      if (!(used_ >> k & 1) || fixed_[k] || Channel(operand)) continue;
      if (Flat(operand)) {
        inputs_[k] = {src_[k] + row * cols, false};
      } else {
        GatherRows(operand, src_[k], row, rows, SourceBuffer(k));
        inputs_[k] = {SourceBuffer(k), false};
      }
    }
    if (Flat(Dst())) return Execute(dst_ + row * cols, n);
    if (launch_.load_dst != 0) GatherRows(Dst(), dst_, row, rows, DstBuffer());
    Execute(DstBuffer(), n);
    for (int64_t r = 0; r < rows; ++r) {
      Scatter(DstBuffer() + r * cols, cols, dst_ + RowOffset(launch_, Dst(), row + r), Dst().col_stride);
    }
  }

  static void Scatter(const float* src, int64_t n, float* dst, int64_t stride) {
    if (stride == 1) {
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i * stride] = src[i];
    }
  }

  void RunPiece(int64_t row, int64_t col, int64_t n) {
    for (int k = 0; k < launch_.num_sources; ++k) {
      const auto& operand = launch_.src[k];
      if (!(used_ >> k & 1) || fixed_[k]) continue;
      const float* p = src_[k] + RowOffset(launch_, operand, row) + col * operand.col_stride;
      inputs_[k] = {p, operand.col_stride == 0};
      if (operand.col_stride == 0 || operand.col_stride == 1) continue;
      CopyRow(p, operand.col_stride, n, SourceBuffer(k));
      inputs_[k] = {SourceBuffer(k), false};
    }
    float* out = dst_ + RowOffset(launch_, Dst(), row) + col * Dst().col_stride;
    if (Dst().col_stride == 1) return Execute(out, n);
    if (launch_.load_dst != 0) CopyRow(out, Dst().col_stride, n, DstBuffer());
    Execute(DstBuffer(), n);
    Scatter(DstBuffer(), n, out, Dst().col_stride);
  }

  Input Operand(uint8_t code, const float* r0) const {
    if (IsMicroConstant(code)) return {&launch_.constants[code - 16], true};
    if (IsMicroSource(code)) return inputs_[code - 8];
    if (code == 0) return {r0, false};
    return {Register(code), false};
  }

  // Only the last operation writes dst, because dst may be the memory of a source that is still read.
  void Execute(float* dst, int64_t n) {
    const float* r0 = launch_.load_dst != 0 ? dst : Register(0);
    if (starts_from_zero_) std::fill_n(Register(0), n, 0.0f);
    if (launch_.num_ops == 0 && launch_.load_dst == 0) std::fill_n(dst, n, 0.0f);
    for (int i = 0; i < launch_.num_ops; ++i) {
      const MicroInstruction& op = launch_.ops[i];
      const int arity = Arity(op.op);
      Input a = Operand(op.a, r0);
      const Input b = arity > 1 ? Operand(op.b, r0) : a, c = arity > 2 ? Operand(op.c, r0) : a;
      if (a.scalar) {
        std::fill_n(SpreadBuffer(), n, *a.data);
        a = {SpreadBuffer(), false};
      }
      const bool last = i + 1 == launch_.num_ops;
      float* out = last ? dst : Register(op.dst);
      const int scalars = (arity > 1 && b.scalar ? 2 : 0) | (arity > 2 && c.scalar ? 4 : 0);
      PickLoop(op.op, scalars)(out, a.data, b.data, c.data, n);
      if (op.dst == 0) r0 = out;
    }
  }

  const MicroLaunch& launch_;
  float* dst_;
  const float* const* src_;
  float* scratch_;
  uint32_t used_ = 0;
  bool starts_from_zero_ = false;  // register 0 is read before it is written, and does not start as dst
  bool fixed_[kCodeMaxSources] = {};
  Input inputs_[kCodeMaxSources] = {};
};

void RunMicro(const MicroLaunch& launch, float* dst, const float* const* src, int64_t row_begin, int64_t row_end,
              int64_t col_begin, int64_t col_end, float* scratch) {
  Interpreter(launch, dst, src, scratch).Run(row_begin, row_end, col_begin, col_end);
}
RunMicroFn GetRunMicro() { return &RunMicro; }

MicroLoopFn PickMicroLoop(MicroOp op, int scalars) { return PickLoop(op, scalars); }

#else
RunMicroFn GetRunMicro() { return nullptr; }
#endif
}  // namespace HWY_NAMESPACE
}  // namespace moka::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moka::cpu {
HWY_EXPORT(GetRunMicro);
RunMicroFn ChosenRunMicro() { return HWY_DYNAMIC_DISPATCH(GetRunMicro)(); }
uint64_t MicroScratchBytes() { return kMaxTiles * kTileStride * sizeof(float); }
}  // namespace moka::cpu
#endif
