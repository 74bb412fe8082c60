// With halves A11 A12 / A21 A22 of A, and so of B:
//   M1 = (A11 + A22) (B11 + B22)   M2 = (A21 + A22) B11   M3 = A11 (B12 - B22)   M4 = A22 (B21 - B11)
//   M5 = (A11 + A12) B22   M6 = (A21 - A11) (B11 + B12)   M7 = (A12 - A22) (B21 + B22)
//   C11 = M1 + M4 - M5 + M7   C12 = M3 + M5   C21 = M2 + M4   C22 = M1 - M2 + M3 + M6
// (V. Strassen, "Gaussian elimination is not optimal", 1969). The form with 15 additions (Winograd) makes errors 1.3
// times as large. The sums around products are made by their tiles (PendingSums), each while a product runs that
// neither needs it nor changes what it is made of.
#include "cpu/strassen.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "cpu/panel_spec.h"
#include "cpu/tile.h"
#include "cpu/vector.h"

namespace moka::cpu {
namespace {

constexpr int64_t kChunk = 384;               // elements of K that one tile sums
constexpr int64_t kLeastHalfK = 96;           // shorter products are bound by what surrounds them
constexpr int64_t kLeastColumns = 240;        // share the sums of A
constexpr float kLengthRange = 256;           // the square of the longer row of a pair by that of the other
enum Sum { kS1, kS2, kS5, kS6, kS7, kSums };  // of halves of A, by the products that they are for
enum Product { kM1, kM2, kM3, kM4, kM5, kBottomRight, kProducts };

bool LieClose(float least, float largest) {
  return largest <= std::numeric_limits<float>::max() && largest <= kLengthRange * least;
}

}  // namespace

int64_t PanelPairs(const PanelWidths& widths, int64_t n) {
  const int64_t panels = NumPanels(widths, n);
  return panels * widths.widest == n ? panels / 2 : 0;
}

bool HasPairs(const TileTable& table, int64_t k, int64_t n) {
  return table.summing[1] != nullptr && k % 2 == 0 && k / 2 >= kLeastHalfK && n >= kLeastColumns &&
         PanelPairs(table.widths, n) > 0;
}

PackSpec PairedPanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t n) {
  PackSpec spec = PanelPackSpec(src, widths, dense, n, 1, 0);
  spec.format = kPairedPanels;
  spec.bytes += static_cast<uint64_t>(PanelPairs(widths, n)) * sizeof(float);
  return spec;
}

Status PackPairedPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const PanelSpec panels = PanelSpec::Read(spec);
  const int64_t pairs = PanelPairs(panels.widths, panels.n), width = panels.widths.widest;
  const auto flag_bytes = static_cast<size_t>(pairs) * sizeof(float);
  if (dst.size() < flag_bytes) return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  const std::span<std::byte> weights = dst.first(dst.size() - flag_bytes);
  MOKA_RETURN_IF_ERROR(PackPanels(spec, src, weights));
  const auto* b = reinterpret_cast<const float*>(weights.data());
  auto* flags = reinterpret_cast<float*>(dst.data() + weights.size());
  const int64_t k = panels.k_dims[0] * panels.k_dims[1] * panels.k_dims[2] * panels.k_dims[3];
  const MicroLoopFn multiply_add = ChosenTileTable()->loop(MicroOp::kMulAdd, 0);
  for (int64_t pair = 0; pair < pairs; ++pair, b += 2 * width * k) {
    float squares[2 * 4 * kMaxLanes] = {};
    for (int64_t i = 0; i < 2 * k; ++i) {
      const float* row = b + i * width;
      float* sums = squares + (i < k ? 0 : width);
      multiply_add(sums, row, row, sums, width);
    }
    flags[pair] =
        LieClose(*std::min_element(squares, squares + 2 * width), *std::max_element(squares, squares + 2 * width));
  }
  return {};
}

int64_t Strassen::ScratchFloats(const TileTable& table, int64_t max_rows, int64_t k) {
  const int64_t half = CeilDiv(max_rows, 2);
  const int64_t pointers = (3 + kSums + kProducts) * half * static_cast<int64_t>(sizeof(void*) / sizeof(float));
  return RoundUp(pointers, 16) + RoundUp(k, 16) + RoundUp(kSums * half * (k / 2), 16) +
         (kProducts * half + 2 * (k / 2)) * table.widths.widest;
}

Strassen::Strassen(const Simd& simd, int64_t max_rows, int64_t k, int64_t plain_chunk, float* scratch)
    : table_(*simd.tile),
      simd_(simd),
      max_half_(CeilDiv(max_rows, 2)),
      half_k_(k / 2),
      width_(table_.widths.widest),
      plain_chunk_(plain_chunk),
      rows_of_a_(reinterpret_cast<const float**>(scratch)),
      product_rows_(reinterpret_cast<float**>(scratch) + (2 + kSums) * max_half_),
      shifted_(rows_of_a_ + (2 + kSums + kProducts) * max_half_) {
  const int64_t pointers = (3 + kSums + kProducts) * max_half_ * static_cast<int64_t>(sizeof(void*) / sizeof(float));
  zeros_ = scratch + RoundUp(pointers, 16);
  sums_ = zeros_ + RoundUp(k, 16);
  products_ = sums_ + RoundUp(kSums * max_half_ * half_k_, 16);
  panel_ = products_ + kProducts * max_half_ * width_;
  other_ = panel_ + half_k_ * width_;
}

float Strassen::Length(const float* row) const {
  return simd_.vector->fold_run[static_cast<size_t>(Fold::kSumSquares)](row, 2 * half_k_);
}

bool Strassen::Prepare(const float** a, float** dst, const float** residual, int64_t rows) {
  first_ = CeilDiv(rows, 2);
  second_ = rows - first_;
  half_ = second_paired_ = 0;
  const auto move = [&](int64_t from, int64_t to) {
    std::swap(a[from], a[to]);
    std::swap(dst[from], dst[to]);
    if (residual != nullptr) std::swap(residual[from], residual[to]);
  };
  for (int64_t i = 0; i < first_; ++i) {
    const float length = Length(a[i]), other = i < second_ ? Length(a[first_ + i]) : length;
    // Neither comparison holds for a NaN.
    if (!LieClose(length, other) || !LieClose(other, length)) continue;
    move(i, half_++);
    if (i < second_) move(first_ + i, first_ + second_paired_++);
  }
  const MicroLoopFn add = table_.loop(MicroOp::kAdd, 0), subtract = table_.loop(MicroOp::kSub, 0);
  std::fill_n(zeros_, 2 * half_k_, 0.0f);
  const float** top = rows_of_a_;
  const float** bottom = top + max_half_;
  for (int64_t i = 0; i < half_; ++i) {
    top[i] = a[i];
    bottom[i] = i < second_paired_ ? a[first_ + i] : zeros_;
    const float *a11 = top[i], *a12 = a11 + half_k_, *a21 = bottom[i], *a22 = a21 + half_k_;
    float* sums[kSums];
    for (int s = 0; s < kSums; ++s) {
      sums[s] = sums_ + (s * max_half_ + i) * half_k_;
      rows_of_a_[(2 + s) * max_half_ + i] = sums[s];
    }
    add(sums[kS1], a11, a22, a11, half_k_);
    add(sums[kS2], a21, a22, a21, half_k_);
    add(sums[kS5], a11, a12, a11, half_k_);
    subtract(sums[kS6], a21, a11, a21, half_k_);
    subtract(sums[kS7], a12, a22, a12, half_k_);
    for (int p = 0; p < kProducts; ++p) product_rows_[p * max_half_ + i] = products_ + (p * half_ + i) * width_;
  }
  return half_ > 0;
}

void Strassen::Multiply(const Factor& a, const float* b, int dst, PendingSums* sums, const float* ahead) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Block block = {&table_, half_,      a.rows,   product_rows_ + dst * max_half_, nullptr, nullptr, 1, 0,
                 nullptr, -kInfinity, kInfinity};
  block.sums = sums;
  block.among = true;
  RunChunks(block, {0, width_, width_}, b, {a.offset, a.k, kChunk, ahead, true});
  sums->Flush();
}

void Strassen::Finish(const Block& whole, const Panel& panel, bool bottom, const Factor& a, const float* b, int sum,
                      PendingSums* sums, const float* ahead) const {
  const int64_t first = bottom ? first_ : 0;
  const MicroLoopFn add = table_.loop(MicroOp::kAdd, 0);
  Block block = whole;
  block.rows = bottom ? second_paired_ : half_;
  block.a = a.rows;
  block.dst = whole.dst + first;
  block.residual = shifted_;
  block.sums = sums;
  for (int64_t i = 0; i < block.rows; ++i) {
    float* row = product_rows_[sum * max_half_ + i];
    if (whole.residual != nullptr) add(row, row, whole.residual[first + i] + panel.col, row, width_);
    // Tiles add what is at column panel.col.
    shifted_[i] = reinterpret_cast<const float*>(reinterpret_cast<uintptr_t>(row) -
                                                 static_cast<uintptr_t>(panel.col) * sizeof(float));
  }
  RunChunks(block, panel, b, {a.offset, a.k, kChunk, ahead, true});
  sums->Flush();
}

void Strassen::RunRest(const Block& whole, const Panel& panel, const float* b) const {
  const auto run = [&](int64_t first, int64_t rows) {
    if (rows == 0) return;
    Block block = whole;
    block.rows = rows;
    block.a += first;
    block.dst += first;
    if (block.residual != nullptr) block.residual += first;
    RunChunks(block, panel, b, {0, 2 * half_k_, plain_chunk_, b, false});
  };
  run(half_, first_ - half_);
  run(first_ + second_paired_, second_ - second_paired_);
}

void Strassen::Run(const Block& block, const Panel& left, const Panel& right, const float* b, bool more) {
  const int64_t quarter = half_k_ * width_, n = half_ * width_;
  const float *b11 = b, *b21 = b + quarter, *b12 = b + 2 * quarter, *b22 = b + 3 * quarter;
  const float* then = more ? b + 4 * quarter : b;
  const auto sum_of_a = [&](Sum s) { return Factor{rows_of_a_ + (2 + s) * max_half_, 0, half_k_}; };
  const Factor a11 = {rows_of_a_, 0, half_k_}, a22 = {rows_of_a_ + max_half_, half_k_, half_k_};
  const Factor nothing = {rows_of_a_, 0, 0};
  float *m1 = Product(kM1), *m2 = Product(kM2), *m3 = Product(kM3), *m4 = Product(kM4), *m5 = Product(kM5);
  float* bottom_right = Product(kBottomRight);
  PendingSums sums(table_);
  if (ready_ != b) {
    sums.Add({b11, b22, panel_, false}, quarter);
    sums.Flush();
  }
  sums.Add({b12, b22, other_, true}, quarter);
  Multiply(sum_of_a(kS1), panel_, kM1, &sums, b21);
  sums.Add({b21, b11, panel_, true}, quarter);
  Multiply(sum_of_a(kS2), b11, kM2, &sums, b11);
  sums.Add({m1, m2, bottom_right, true}, n);
  Multiply(a11, other_, kM3, &sums, b11);
  sums.Add({bottom_right, m3, bottom_right, false}, n);
  sums.Add({b11, b12, other_, false}, quarter);
  Multiply(a22, panel_, kM4, &sums, b11);
  sums.Add({m1, m4, m1, false}, n);
  sums.Add({m2, m4, m2, false}, n);
  sums.Add({b21, b22, panel_, false}, quarter);
  Multiply(sum_of_a(kS5), b22, kM5, &sums, then);
  sums.Add({m1, m5, m1, true}, n);
  sums.Add({m3, m5, m3, false}, n);
  Finish(block, right, true, sum_of_a(kS6), other_, kBottomRight, &sums, then + 3 * quarter);
  if (more) sums.Add({then, then + 3 * quarter, other_, false}, quarter);
  Finish(block, left, false, sum_of_a(kS7), panel_, kM1, &sums, then + 2 * quarter);
  Finish(block, right, false, nothing, b11, kM3, &sums, b11);
  Finish(block, left, true, nothing, b11, kM2, &sums, b11);
  RunRest(block, left, b11);
  RunRest(block, right, b12);
  std::swap(panel_, other_);
  ready_ = more ? then : nullptr;
}

}  // namespace moka::cpu
