// Attention over blocks of queries (cpu/flash_block.h). The rows of a block are those of all query heads that share
// keys, so that grouped heads share packed keys too.
#include "ops/attention.h"

#include <algorithm>
#include <cstring>

#include "cpu/bf16_tile.h"
#include "cpu/flash_block.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

// Keys or values: [batch, heads, length, size], the first ones in the past.
struct CacheView {
  int64_t now[3], past[3];  // strides
  int64_t step;             // from one element of a head to the next
};

struct AttentionLaunch {
  AttentionParams p;
  FlashShape shape;
  CacheView keys, values;
  TensorDesc scores;
  int32_t has_valid, has_scores, present_keys, present_values;
  int64_t rows, row_blocks;  // of a head of keys
  int64_t units;             // of blocks; copies into the present follow
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

Status CheckPresent(const OpCall& call, size_t dst, const CacheView& view, int32_t* present) {
  if (call.dst.size() <= dst || !call.dst[dst].present()) return Status();
  const TensorDesc& desc = call.dst[dst];
  *present = 1;
  if (desc.dims[3] > 1 && (desc.strides[3] != 1 || view.step != 1))
    return Unsupported("dst ", dst, " is not contiguous");
  return Status();
}

// The mask, and the scores that are handed out.
Status SetScores(const OpCall& call, AttentionLaunch* launch) {
  const AttentionParams& p = launch->p;
  FlashShape& shape = launch->shape;
  if (p.softmax_type != DataType::kNone && p.softmax_type != DataType::kF32) {
    return Unsupported("attribute 'softmax_precision': ", NameOf(p.softmax_type));
  }
  if (p.mask.present()) {
    shape.mask = p.mask.type == DataType::kBool ? FlashMask::kBool : FlashMask::kFloat;
    shape.mask_step = p.mask.strides[3];
    if (p.mask.type != DataType::kBool && p.mask.type != DataType::kF32) {
      return Unsupported("src 3: ", NameOf(p.mask.type));
    }
  }
  if (call.dst.size() < 4 || !call.dst[3].present()) return Status();
  launch->scores = call.dst[3];
  launch->has_scores = 1;
  shape.scores = static_cast<FlashScores>(p.output_mode);
  if (p.total_length() > 1 && launch->scores.strides[3] != 1) return Unsupported("dst 3 is not contiguous");
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
  if ((p.size > 1 && p.q.strides[3] != 1) || (p.v_size > 1 && p.y.strides[3] != 1)) {
    return Unsupported("the elements of a head are not contiguous");
  }
  MOKA_RETURN_IF_ERROR(SetScores(call, &launch));
  MOKA_RETURN_IF_ERROR(SetCache(call, p.k, kPastKey, false, &launch.keys));
  MOKA_RETURN_IF_ERROR(SetCache(call, p.v, kPastValue, true, &launch.values));
  MOKA_RETURN_IF_ERROR(CheckPresent(call, 1, launch.keys, &launch.present_keys));
  MOKA_RETURN_IF_ERROR(CheckPresent(call, 2, launch.values, &launch.present_values));
  launch.has_valid = call.has_src(kValidLength) ? 1 : 0;
  launch.rows = p.group() * p.q_length;
  launch.row_blocks = CeilDiv(launch.rows, kFlashRows);
  FlashShape& shape = launch.shape;
  shape.bf16 = kernel.bf16 ? 1 : 0;
  shape.size = p.size;
  shape.v_size = p.v_size;
  shape.block_rows = launch.row_blocks == 0 ? 0 : CeilDiv(launch.rows, launch.row_blocks);
  const bool copies = launch.present_keys != 0 || launch.present_values != 0;
  if (kernel.bf16) {
    // Keys and values are rounded for each block of queries: that does not pay without the dot product or for few.
    if (kernel.simd->bf16->element != 2) return Unsupported("no dot product of bf16");
    if (shape.block_rows < kFewRows) return Unsupported("only ", shape.block_rows, " queries");
    if (copies || call.has_src(kPastKey)) return Unsupported("keys are kept");
    if (launch.has_scores != 0) return Unsupported("dst 3: scores are of f32");
  }
  shape.key_element = launch.keys.step;
  shape.total = p.total_length();
  shape.scale = p.scale;
  shape.softcap = p.softcap;
  launch.units = p.batch * p.kv_heads * launch.row_blocks;
  choice->units = launch.units + (copies ? p.batch * p.kv_heads : 0);
  choice->scratch_per_worker = static_cast<uint64_t>(FlashBlock::ScratchFloats(shape, *kernel.simd)) * sizeof(float);
  const double pairs = static_cast<double>(p.batch * p.q_heads * p.q_length) * static_cast<double>(p.total_length());
  choice->cost_us = pairs * static_cast<double>(2 * (p.size + p.v_size) + 16) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// ---- Running ------------------------------------------------------------------------------------------------------

FlashCache CacheOf(const KernelArgs& args, const AttentionLaunch& launch, bool value, int64_t b, int64_t h) {
  const CacheView& view = value ? launch.values : launch.keys;
  const float* now = args.Src(value ? kValue : kKey) + b * view.now[0] + h * view.now[1];
  if (launch.p.past_length == 0) return {nullptr, now, 0, view.now[2]};
  return {args.Src(value ? kPastValue : kPastKey) + b * view.past[0] + h * view.past[1], now, view.past[2],
          view.now[2]};
}

void RunBlock(const KernelArgs& args, const AttentionLaunch& launch, int64_t unit, FlashBlock& block) {
  const AttentionParams& p = launch.p;
  const int64_t head = unit / launch.row_blocks, b = head / p.kv_heads, kv_head = head % p.kv_heads;
  const int64_t first = unit % launch.row_blocks * launch.shape.block_rows;
  const int64_t count = std::min(launch.shape.block_rows, launch.rows - first);
  int64_t valid = p.total_length();
  if (launch.has_valid != 0) {
    const TensorDesc& desc = args.src_desc[kValidLength];
    valid = std::clamp<int64_t>(static_cast<const int64_t*>(args.src[kValidLength])[b * desc.strides[0]], 0, valid);
  }
  const int64_t offset = p.Offset(launch.has_valid != 0, valid);
  const int64_t limit = p.mask.present() ? std::min(valid, p.mask_length) : valid;
  const auto* mask = static_cast<const std::byte*>(p.mask.present() ? args.src[kMask] : nullptr);
  const auto mask_bytes = static_cast<int64_t>(p.mask.present() ? SizeOf(p.mask.type) : 0);
  FlashRow rows[kFlashRows];
  for (int64_t r = 0; r < count;) {
    const int64_t i = (first + r) % p.q_length, end = std::min(count, r + p.q_length - i);
    const Index at = {b, kv_head * p.group() + (first + r) / p.q_length, i, 0};
    const float* query = args.Src(kQuery) + OffsetOf(p.q, at);
    float* output = args.Dst() + OffsetOf(p.y, at);
    const std::byte* row_mask = mask != nullptr ? mask + OffsetOf(p.mask, at) * mask_bytes : nullptr;
    float* scores = launch.has_scores != 0 ? args.Dst(3) + OffsetOf(launch.scores, at) : nullptr;
    for (const int64_t before = r; r < end; ++r) {
      FlashRow& row = rows[r];
      row = {query, output, row_mask, scores, 0, 0, false, 0};
      p.Window(i + r - before, offset, limit, &row.begin, &row.end);
      row.end = std::min(row.end, limit);
      query += p.q.strides[2];
      output += p.y.strides[2];
      if (mask != nullptr) row_mask += p.mask.strides[2] * mask_bytes;
      if (scores != nullptr) scores += launch.scores.strides[2];
    }
  }
  block.Run({rows, static_cast<size_t>(count)}, CacheOf(args, launch, false, b, kv_head),
            CacheOf(args, launch, true, b, kv_head), p.past_length);
}

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
  FlashBlock block(*args.simd, launch.shape, args.WorkerScratch(worker));
  for (int64_t unit = begin; unit < end; ++unit) {
    if (unit < launch.units) {
      RunBlock(args, launch, unit, block);
    } else {
      CopyPresent(args, launch, unit - launch.units);
    }
  }
}

}  // namespace

std::span<const KernelRow> AttentionRows() {
  static constexpr KernelRow kKernels[] = {
      {"Attention", "attention_bf16", &ChooseAttention, &RunAttention, false, true},
      {"Attention", "attention", &ChooseAttention, &RunAttention}};
  return kKernels;
}

}  // namespace moka::cpu
