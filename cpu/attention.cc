// Attention that never holds the scores of all keys: a block of queries meets one block of keys after the other, and
// what was summed up is rescaled when a larger score turns up (online softmax: Milakov and Gimelshein, 2018). The rows
// of a block are those of all query heads that share keys, so that grouped heads share packed keys too.
#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/row.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

constexpr int64_t kRows = 96, kKeys = 128;  // of a block
constexpr int64_t kFewRows = 4;             // fewer are not worth packing keys for
constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class MaskKind : int32_t { kNone, kFloat, kBool };

// Keys or values: [batch, heads, length, size], the first ones in the past.
struct CacheView {
  int64_t now[3], past[3];  // strides
  int64_t step;             // from one element of a head to the next
};

struct AttentionLaunch {
  AttentionParams p;
  CacheView keys, values;
  MaskKind mask;
  int32_t has_valid, present_keys, present_values;
  int64_t rows, block_rows, row_blocks;  // of a head of keys
  int64_t units;                         // of blocks; copies into the present follow
};
static_assert(std::is_trivially_copyable_v<AttentionLaunch>);

// ---- Choosing -----------------------------------------------------------------------------------------------------

Status SetCache(const OpCall& call, const TensorDesc& now, int past_source, bool rows_only, CacheView* view) {
  view->step = now.strides[3];
  for (size_t i = 0; i < 3; ++i) view->now[i] = now.strides[i];
  if (call.has_src(past_source)) {
    const TensorDesc& past = call.src[static_cast<size_t>(past_source)];
    for (size_t i = 0; i < 3; ++i) view->past[i] = past.strides[i];
    if (now.dims[3] > 1 && past.strides[3] != view->step) return Unsupported("past and present lie differently");
  }
  if (now.dims[3] == 1) view->step = 1;
  const bool columns = !rows_only && now.strides[2] == 1 && !call.has_src(past_source);
  if (view->step != 1 && !columns) return Unsupported("the elements of a head are not contiguous");
  return Status();
}

// Scratch of a worker, in floats.
struct Scratch {
  int64_t scores, sums, panel, bias, floats;

  Scratch(const AttentionLaunch& launch, const TileTable& table) {
    scores = RoundUp(3 * launch.block_rows * static_cast<int64_t>(sizeof(void*) / sizeof(float)), 16);
    sums = scores + launch.block_rows * kKeys;
    panel = sums + RoundUp(launch.block_rows * launch.p.v_size, 16);
    bias = panel + table.panel() * std::max(launch.p.size, kKeys);
    floats = bias + kKeys;
  }
};

Status CheckPresent(const OpCall& call, size_t dst, const CacheView& view, int32_t* present) {
  if (call.dst.size() <= dst || !call.dst[dst].present()) return Status();
  const TensorDesc& desc = call.dst[dst];
  *present = 1;
  if (desc.dims[3] > 1 && (desc.strides[3] != 1 || view.step != 1))
    return Unsupported("dst ", dst, " is not contiguous");
  return Status();
}

Status ChooseAttention(const Kernel& kernel, const OpCall& call, Choice* choice) {
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (i == kMask || i == kValidLength || !call.src[i].present()) continue;
    if (call.src[i].type != DataType::kF32) return Unsupported("src ", i, ": ", NameOf(call.src[i].type), ", not f32");
  }
  AttentionLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.p, AttentionParams::From(call));
  const AttentionParams& p = launch.p;
  if (call.dst.size() > 3 && call.dst[3].present()) return Unsupported("dst 3: all scores");
  if (p.softmax_type != DataType::kNone && p.softmax_type != DataType::kF32) {
    return Unsupported("attribute 'softmax_precision': ", NameOf(p.softmax_type));
  }
  if (p.mask.present()) {
    launch.mask = p.mask.type == DataType::kBool ? MaskKind::kBool : MaskKind::kFloat;
    if (p.mask.type != DataType::kBool && p.mask.type != DataType::kF32) {
      return Unsupported("src 3: ", NameOf(p.mask.type));
    }
  }
  if ((p.size > 1 && p.q.strides[3] != 1) || (p.v_size > 1 && p.y.strides[3] != 1)) {
    return Unsupported("the elements of a head are not contiguous");
  }
  MOKA_RETURN_IF_ERROR(SetCache(call, p.k, kPastKey, false, &launch.keys));
  MOKA_RETURN_IF_ERROR(SetCache(call, p.v, kPastValue, true, &launch.values));
  MOKA_RETURN_IF_ERROR(CheckPresent(call, 1, launch.keys, &launch.present_keys));
  MOKA_RETURN_IF_ERROR(CheckPresent(call, 2, launch.values, &launch.present_values));
  launch.has_valid = call.has_src(kValidLength) ? 1 : 0;
  launch.rows = p.group() * p.q_length;
  launch.row_blocks = CeilDiv(launch.rows, kRows);
  launch.block_rows = launch.row_blocks == 0 ? 0 : CeilDiv(launch.rows, launch.row_blocks);
  launch.units = p.batch * p.kv_heads * launch.row_blocks;
  const bool copies = launch.present_keys != 0 || launch.present_values != 0;
  choice->units = launch.units + (copies ? p.batch * p.kv_heads : 0);
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, *kernel.simd->tile).floats) * sizeof(float);
  const double pairs = static_cast<double>(p.batch * p.q_heads * p.q_length) * static_cast<double>(p.total_length());
  choice->cost_us = pairs * static_cast<double>(2 * (p.size + p.v_size) + 16) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// ---- Running ------------------------------------------------------------------------------------------------------

// One block of rows: what is known of each row, and where it lies.
class RowBlock {
 public:
  RowBlock(const KernelArgs& args, const AttentionLaunch& launch, float* scratch)
      : args_(args), launch_(launch), p_(launch.p), layout_(launch, *args.simd->tile), scratch_(scratch) {}

  void Run(int64_t unit) {
    Start(unit);
    for (int64_t j = first_key_; j < last_key_;) {
      // A block lies in the past or after it.
      const int64_t border = j < p_.past_length ? p_.past_length : last_key_;
      const int64_t keys = std::min({kKeys, border - j, last_key_ - j});
      Scores(j, keys);
      for (int64_t r = 0; r < rows_; ++r) Weights(r, j, keys);
      AddValues(j, keys);
      j += keys;
    }
    for (int64_t r = 0; r < rows_; ++r) {
      const float factor = total_[r] == 0 ? 0.0f : 1.0f / total_[r];
      args_.simd->vector->normalize_run(sums(r), 0, factor, 0, output_[r], p_.v_size);
    }
  }

 private:
  const float** row_pointers(int64_t which) const {
    return reinterpret_cast<const float**>(scratch_) + which * launch_.block_rows;
  }
  float* scores(int64_t r) const { return scratch_ + layout_.scores + r * kKeys; }
  float* sums(int64_t r) const { return scratch_ + layout_.sums + r * p_.v_size; }

  void Start(int64_t unit) {
    const int64_t block = unit % launch_.row_blocks, head = unit / launch_.row_blocks;
    batch_ = head / p_.kv_heads;
    kv_head_ = head % p_.kv_heads;
    const int64_t first = block * launch_.block_rows;
    rows_ = std::min(launch_.block_rows, launch_.rows - first);
    int64_t valid = p_.total_length();
    if (launch_.has_valid != 0) {
      const TensorDesc& desc = args_.src_desc[kValidLength];
      valid =
          std::clamp<int64_t>(static_cast<const int64_t*>(args_.src[kValidLength])[batch_ * desc.strides[0]], 0, valid);
    }
    const int64_t offset = p_.Offset(launch_.has_valid != 0, valid);
    const int64_t limit = launch_.mask == MaskKind::kNone ? valid : std::min(valid, p_.mask_length);
    first_key_ = limit;
    last_key_ = 0;
    for (int64_t r = 0; r < rows_; ++r) {
      const int64_t h = kv_head_ * p_.group() + (first + r) / p_.q_length, i = (first + r) % p_.q_length;
      const Index at = {batch_, h, i, 0};
      row_pointers(0)[r] = args_.Src(kQuery) + OffsetOf(p_.q, at);
      output_[r] = args_.Dst() + OffsetOf(p_.y, at);
      mask_at_[r] = launch_.mask == MaskKind::kNone ? 0 : OffsetOf(p_.mask, at);
      p_.Window(i, offset, limit, &begin_[r], &end_[r]);
      end_[r] = std::min(end_[r], limit);
      if (begin_[r] < end_[r]) {
        first_key_ = std::min(first_key_, begin_[r]);
        last_key_ = std::max(last_key_, end_[r]);
      }
      largest_[r] = -kInfinity;
      total_[r] = 0;
      row_pointers(1)[r] = scores(r);
      row_pointers(2)[r] = sums(r);
      std::fill_n(sums(r), p_.v_size, 0.0f);
    }
  }

  // Key or value j of this head, and the distance to the next one.
  const float* Cached(int now, int past, const CacheView& view, int64_t j, int64_t* step) const {
    const bool old = j < p_.past_length;
    const int64_t* strides = old ? view.past : view.now;
    *step = strides[2];
    return args_.Src(old ? past : now) + batch_ * strides[0] + kv_head_ * strides[1] +
           (old ? j : j - p_.past_length) * strides[2];
  }

  // Multiplies all rows with packed panels of `cols` columns. `pack` fills one.
  template <class PackFn>
  void Multiply(int64_t k_len, int64_t cols, const float* const* rows, float* const* dst, bool add, PackFn&& pack) {
    const TileTable& table = *args_.simd->tile;
    static constexpr int64_t kOneSegment = 0;
    const Block block = {&table, rows_,   rows,       dst,      add ? dst : nullptr, &kOneSegment, 1,
                         k_len,  nullptr, -kInfinity, kInfinity};
    float* packed = scratch_ + layout_.panel;
    for (int64_t i = 0; i < NumPanels(table, cols); ++i) {
      const Panel panel = PanelAt(table, cols, i);
      const int64_t width = int64_t{panel.vectors} * table.lanes;
      if (panel.cols < width) std::fill_n(packed, k_len * width, 0.0f);
      pack(panel, width, packed);
      RunPanel(block, panel, packed, 0);
    }
  }
  static void CopyRows(const float* src, int64_t step, int64_t rows, int64_t cols, int64_t width, float* dst) {
    for (int64_t i = 0; i < rows; ++i) {
      std::memcpy(dst + i * width, src + i * step, static_cast<size_t>(cols) * sizeof(float));
    }
  }

  void Scores(int64_t j, int64_t keys) {
    int64_t step = 0;
    const float* k = Cached(kKey, kPastKey, launch_.keys, j, &step);
    if (rows_ < kFewRows && launch_.keys.step == 1) {
      for (int64_t r = 0; r < rows_; ++r) args_.simd->row->dots(row_pointers(0)[r], k, step, keys, p_.size, scores(r));
      return;
    }
    Multiply(p_.size, keys, row_pointers(0), const_cast<float* const*>(row_pointers(1)), false,
             [&](const Panel& panel, int64_t width, float* packed) {
               if (launch_.keys.step == 1) {
                 args_.simd->vector->transpose(k + panel.col * step, step, packed, width, panel.cols, p_.size);
               } else {
                 CopyRows(k + panel.col * step, launch_.keys.step, p_.size, panel.cols, width, packed);
               }
             });
  }

  // What the mask adds to the scores of keys [j, j + keys) of a row; null for nothing.
  const float* Bias(int64_t r, int64_t j, int64_t keys) {
    if (launch_.mask == MaskKind::kNone) return nullptr;
    const int64_t step = p_.mask.strides[3], at = mask_at_[r] + j * step;
    float* bias = scratch_ + layout_.bias;
    if (launch_.mask == MaskKind::kFloat) {
      const float* mask = args_.Src(kMask) + at;
      if (step == 1) return mask;
      for (int64_t k = 0; k < keys; ++k) bias[k] = mask[k * step];
    } else {
      const uint8_t* mask = static_cast<const uint8_t*>(args_.src[kMask]) + at;
      for (int64_t k = 0; k < keys; ++k) bias[k] = mask[k * step] != 0 ? 0.0f : -kInfinity;
    }
    return bias;
  }

  // Turns scores into exponentials, relative to the largest score so far.
  void Weights(int64_t r, int64_t j, int64_t keys) {
    float* row = scores(r);
    const int64_t begin = std::clamp<int64_t>(begin_[r] - j, 0, keys);
    const int64_t end = std::clamp<int64_t>(end_[r] - j, begin, keys), count = end - begin;
    std::fill_n(row, begin, 0.0f);
    std::fill(row + end, row + keys, 0.0f);
    if (count == 0) return;
    const RowTable& table = *args_.simd->row;
    const float* bias = Bias(r, j, keys);
    table.scores(row + begin, p_.scale, p_.softcap, bias == nullptr ? nullptr : bias + begin, count);
    const float found = args_.simd->vector->fold_run[static_cast<size_t>(Fold::kMax)](row + begin, count);
    const float before = largest_[r];
    const float largest = FoldJoin(Fold::kMax, found, before);
    if (largest == -kInfinity) {
      std::fill_n(row + begin, count, 0.0f);
      return;
    }
    if (largest != before && total_[r] != 0) {
      const float factor = std::exp(before - largest);
      table.scale(sums(r), factor, p_.v_size);
      total_[r] *= factor;
    }
    largest_[r] = largest;
    total_[r] += table.exp_in_place(row + begin, largest, count);
  }

  void AddValues(int64_t j, int64_t keys) {
    int64_t step = 0;
    const float* v = Cached(kValue, kPastValue, launch_.values, j, &step);
    if (rows_ < kFewRows) {
      for (int64_t r = 0; r < rows_; ++r) args_.simd->row->add_weighted(scores(r), v, step, keys, p_.v_size, sums(r));
      return;
    }
    Multiply(keys, p_.v_size, row_pointers(1), const_cast<float* const*>(row_pointers(2)), true,
             [&](const Panel& panel, int64_t width, float* packed) {
               CopyRows(v + panel.col, step, keys, panel.cols, width, packed);
             });
  }

  const KernelArgs& args_;
  const AttentionLaunch& launch_;
  const AttentionParams& p_;
  const Scratch layout_;
  float* scratch_;
  int64_t batch_ = 0, kv_head_ = 0, rows_ = 0, first_key_ = 0, last_key_ = 0;
  int64_t begin_[kRows], end_[kRows], mask_at_[kRows];
  float largest_[kRows], total_[kRows];
  float* output_[kRows];
};

void CopyPresent(const KernelArgs& args, const AttentionLaunch& launch, int64_t head) {
  const AttentionParams& p = launch.p;
  const int64_t b = head / p.kv_heads, h = head % p.kv_heads;
  const auto copy = [&](int dst, int now, int past, const CacheView& view, int64_t size) {
    const TensorDesc& to = args.dst_desc[dst];
    for (int64_t j = 0; j < p.total_length(); ++j) {
      const bool old = j < p.past_length;
      const int64_t* strides = old ? view.past : view.now;
      const float* from =
          args.Src(old ? past : now) + b * strides[0] + h * strides[1] + (old ? j : j - p.past_length) * strides[2];
      std::memcpy(args.Dst(dst) + b * to.strides[0] + h * to.strides[1] + j * to.strides[2], from,
                  static_cast<size_t>(size) * sizeof(float));
    }
  };
  if (launch.present_keys != 0) copy(1, kKey, kPastKey, launch.keys, p.size);
  if (launch.present_values != 0) copy(2, kValue, kPastValue, launch.values, p.v_size);
}

void RunAttention(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<AttentionLaunch>();
  RowBlock block(args, launch, args.WorkerScratch(worker));
  for (int64_t unit = begin; unit < end; ++unit) {
    if (unit < launch.units) {
      block.Run(unit);
    } else {
      CopyPresent(args, launch, unit - launch.units);
    }
  }
}

}  // namespace

std::span<const KernelRow> AttentionRows() {
  static constexpr KernelRow kKernels[] = {{"Attention", "attention", &ChooseAttention, &RunAttention}};
  return kKernels;
}

}  // namespace moka::cpu
