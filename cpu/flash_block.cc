// A block of queries meets one block of keys after the other, and what was summed up is rescaled when a larger score
// turns up (online softmax: Milakov and Gimelshein, 2018).
#include "cpu/flash_block.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/bf16_tile.h"
#include "cpu/pack.h"

namespace moka::cpu {
namespace {

constexpr int64_t kKeys = 128;  // of a block
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void CopyRows(const float* src, int64_t step, int64_t rows, int64_t cols, int64_t width, float* dst) {
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(dst + i * width, src + i * step, static_cast<size_t>(cols) * sizeof(float));
  }
}

}  // namespace

FlashBlock::Layout::Layout(const FlashShape& shape, const Simd& simd) {
  const bool rounds = shape.bf16 != 0;
  const int64_t widest = std::max(simd.tile->widths.widest, rounds ? simd.bf16->tile.widths.widest : 0);
  const int64_t deepest = std::max(shape.size, kKeys);
  const auto step = [&](int64_t elements) { return RoundUp(elements * simd.bf16->element, 64) / 4 + 16; };
  query_step = rounds ? step(shape.size) : 0;
  weight_step = rounds ? step(kKeys) : 0;
  queries = RoundUp((rounds ? 5 : 3) * shape.block_rows * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
  weights = queries + shape.block_rows * query_step;
  pairs = weights + shape.block_rows * weight_step;
  scores = pairs + (rounds ? widest * CeilDiv(deepest, 2) : 0);
  sums = scores + shape.block_rows * kKeys;
  panel = sums + RoundUp(shape.block_rows * shape.v_size, 16);
  bias = panel + widest * deepest;
  floats = bias + kAttendRows * kKeys;
}

int64_t FlashBlock::ScratchFloats(const FlashShape& shape, const Simd& simd) { return Layout(shape, simd).floats; }

FlashBlock::FlashBlock(const Simd& simd, const FlashShape& shape, float* scratch)
    : simd_(simd), shape_(shape), layout_(shape, simd), scratch_(scratch) {}

float* FlashBlock::scores(int64_t r) const { return scratch_ + layout_.scores + r * kKeys; }

void FlashBlock::Run(std::span<const FlashRow> rows, const FlashCache& keys, const FlashCache& values,
                     int64_t past_length) {
  rows_ = rows;
  int64_t first = shape_.total, last = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const FlashRow& row = rows[i];
    const auto r = static_cast<int64_t>(i);
    if (row.scores != nullptr) {
      first = 0;
      last = shape_.total;
    } else if (row.begin < row.end) {
      first = std::min(first, row.begin);
      last = std::max(last, row.end);
    }
    largest_[i] = row.sink ? row.sink_score : -kInfinity;
    total_[i] = row.sink ? 1.0f : 0.0f;
    pointers(0)[r] = row.query;
    pointers(1)[r] = scores(r);
    pointers(2)[r] = sums(r);
    if (!rounds()) continue;
    float* rounded = scratch_ + layout_.queries + r * layout_.query_step;
    simd_.bf16->round(row.query, shape_.size, rounded);
    pointers(3)[r] = rounded;
    pointers(4)[r] = scratch_ + layout_.weights + r * layout_.weight_step;
  }
  fresh_ = true;
  for (int64_t j = first; j < last;) {
    // A block lies in the past or after it.
    const bool old = j < past_length;
    const int64_t count = std::min({kKeys, (old ? past_length : last) - j, last - j});
    const auto at = [&](const FlashCache& cache) {
      return old ? cache.past + j * cache.past_step : cache.now + (j - past_length) * cache.now_step;
    };
    MultiplyKeys(at(keys), old ? keys.past_step : keys.now_step, count);
    Weights(j, count);
    AddValues(at(values), old ? values.past_step : values.now_step, count);
    fresh_ = false;
    j += count;
  }
  if (fresh_) ClearSums();
  for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); ++r) Finish(r);
}

void FlashBlock::ClearSums() {
  for (int64_t r = 0; r < std::ssize(rows_); ++r) std::fill_n(sums(r), shape_.v_size, 0.0f);
}

void FlashBlock::Finish(int64_t r) {
  const FlashRow& row = rows_[static_cast<size_t>(r)];
  const float factor = total_[r] == 0 ? 0.0f : 1.0f / total_[r];
  simd_.vector->normalize_run(sums(r), 0, factor, 0, row.output, shape_.v_size);
  if (row.scores == nullptr || shape_.scores != FlashScores::kSoftmax) return;
  if (total_[r] == 0) {
    std::fill_n(row.scores, shape_.total, 0.0f);
    return;
  }
  simd_.row->exp_in_place(row.scores, largest_[r], shape_.total);
  simd_.row->scale(row.scores, factor, shape_.total);
}

// All rows with packed panels of `cols` columns. `pack` fills one, in f32.
template <class PackFn>
void FlashBlock::Multiply(int64_t k_len, int64_t cols, const float* const* rows, float* const* dst, bool add,
                          PackFn&& pack) {
  const TileTable& table = rounds() ? simd_.bf16->tile : *simd_.tile;
  static constexpr int64_t kOneSegment = 0;
  const auto num_rows = static_cast<int64_t>(rows_.size());
  const Block block = {&table, num_rows, rows,       dst,      add ? dst : nullptr, &kOneSegment, 1,
                       k_len,  nullptr,  -kInfinity, kInfinity};
  float* packed = scratch_ + layout_.panel;
  for (int64_t i = 0; i < NumPanels(table.widths, cols); ++i) {
    const Panel panel = PanelAt(table.widths, cols, i);
    const int64_t width = panel.width;
    if (panel.cols < width) std::fill_n(packed, k_len * width, 0.0f);
    pack(panel, width, packed);
    RunPanel(block, panel, rounds() ? Pairs(packed, k_len, width) : packed, 0);
  }
}

// A panel of f32, rounded.
const float* FlashBlock::Pairs(const float* panel, int64_t k_len, int64_t width) {
  float* pairs = scratch_ + layout_.pairs;
  std::fill_n(pairs, CeilDiv(k_len, 2) * width, 0.0f);
  for (int64_t k = 0; k < k_len; ++k) {
    simd_.bf16->merge(panel + k * width, width, k % 2 != 0, reinterpret_cast<uint16_t*>(pairs + k / 2 * width));
  }
  return pairs;
}

void FlashBlock::MultiplyKeys(const float* k, int64_t step, int64_t keys) {
  const auto rows = static_cast<int64_t>(rows_.size());
  const int64_t element = shape_.key_element;
  if (rows < kFewRows && element == 1) {
    for (int64_t r = 0; r < rows; ++r) simd_.row->dots(pointers(0)[r], k, step, keys, shape_.size, scores(r));
    return;
  }
  Multiply(shape_.size, keys, pointers(rounds() ? 3 : 0), const_cast<float* const*>(pointers(1)), false,
           [&](const Panel& panel, int64_t width, float* packed) {
             if (element == 1) {
               simd_.vector->transpose(k + panel.col * step, step, packed, width, panel.cols, shape_.size);
             } else {
               CopyRows(k + panel.col * step, element, shape_.size, panel.cols, width, packed);
             }
           });
}

void FlashBlock::AddValues(const float* v, int64_t step, int64_t keys) {
  const auto rows = static_cast<int64_t>(rows_.size());
  if (rows < kFewRows) {
    if (fresh_) ClearSums();
    for (int64_t r = 0; r < rows; ++r) simd_.row->add_weighted(scores(r), v, step, keys, shape_.v_size, sums(r));
    return;
  }
  for (int64_t r = 0; r < rows && rounds(); ++r) {
    simd_.bf16->round(scores(r), keys, const_cast<float*>(pointers(4)[r]));
  }
  Multiply(keys, shape_.v_size, pointers(rounds() ? 4 : 1), const_cast<float* const*>(pointers(2)), !fresh_,
           [&](const Panel& panel, int64_t width, float* packed) {
             CopyRows(v + panel.col, step, keys, panel.cols, width, packed);
           });
}

// What the mask adds to the scores of `count` keys; null for nothing. Rows beside each other have places of their own.
const float* FlashBlock::Bias(int64_t r, int64_t first, int64_t count) {
  if (shape_.mask == FlashMask::kNone) return nullptr;
  const FlashRow& row = rows_[static_cast<size_t>(r)];
  const int64_t step = shape_.mask_step;
  float* bias = scratch_ + layout_.bias + r % kAttendRows * kKeys;
  if (shape_.mask == FlashMask::kFloat) {
    const float* mask = static_cast<const float*>(row.mask) + first * step;
    if (step == 1) return mask;
    for (int64_t k = 0; k < count; ++k) bias[k] = mask[k * step];
  } else {
    const uint8_t* mask = static_cast<const uint8_t*>(row.mask) + first * step;
    for (int64_t k = 0; k < count; ++k) bias[k] = mask[k * step] != 0 ? 0.0f : -kInfinity;
  }
  return bias;
}

void FlashBlock::HandOut(int64_t r, int64_t first, int64_t keys) {
  const FlashRow& row = rows_[static_cast<size_t>(r)];
  float* to = row.scores + first;
  std::memcpy(to, scores(r), static_cast<size_t>(keys) * sizeof(float));
  if (shape_.scores <= FlashScores::kCapped) {
    const float cap = shape_.scores == FlashScores::kCapped ? shape_.softcap : 0.0f;
    return simd_.row->scores(to, shape_.scale, cap, nullptr, keys);
  }
  const int64_t begin = std::clamp<int64_t>(row.begin - first, 0, keys);
  const int64_t end = std::clamp<int64_t>(row.end - first, begin, keys);
  std::fill_n(to, begin, -kInfinity);
  std::fill(to + end, to + keys, -kInfinity);
  if (begin == end) return;
  const float* bias = Bias(r, first + begin, end - begin);
  simd_.row->scores(to + begin, shape_.scale, shape_.softcap, bias, end - begin);
}

// The scores that a row sees of a block of keys; the others weigh nothing.
void FlashBlock::SeenScores(int64_t r, int64_t first, int64_t keys, AttendRow* attend) {
  const FlashRow& seen = rows_[static_cast<size_t>(r)];
  float* row = scores(r);
  if (seen.scores != nullptr) HandOut(r, first, keys);
  const int64_t begin = std::clamp<int64_t>(seen.begin - first, 0, keys);
  const int64_t end = std::clamp<int64_t>(seen.end - first, begin, keys), count = end - begin;
  std::fill_n(row, begin, 0.0f);
  std::fill(row + end, row + keys, 0.0f);
  const float* bias = count > 0 ? Bias(r, first + begin, count) : nullptr;
  *attend = {row + begin, bias, count, largest_[r], 0};
}

// Turns scores into exponentials, relative to the largest score so far.
void FlashBlock::Weights(int64_t first, int64_t keys) {
  const RowTable& table = *simd_.row;
  AttendRow group[kAttendRows];
  for (int64_t begin = 0; begin < std::ssize(rows_); begin += kAttendRows) {
    const int64_t count = std::min(kAttendRows, std::ssize(rows_) - begin);
    for (int64_t i = 0; i < count; ++i) SeenScores(begin + i, first, keys, &group[i]);
    table.attend(group, count, shape_.scale, shape_.softcap);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t r = begin + i;
      if (group[i].largest != largest_[r] && total_[r] != 0) {
        const float factor = std::exp(largest_[r] - group[i].largest);
        if (!fresh_) table.scale(sums(r), factor, shape_.v_size);
        total_[r] *= factor;
      }
      largest_[r] = group[i].largest;
      total_[r] += group[i].sum;
    }
  }
}

}  // namespace moka::cpu
