// GroupQueryAttention over blocks of queries (cpu/flash_block.h). Each block rotates the new keys of its head for
// itself, which is little beside their products; so no unit waits for another, and the cache is written by units of its
// own.
#include "ops/microsoft/group_query_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/flash_block.h"
#include "cpu/row.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

// Heads of a token: [batch, length, heads * size] from element `first` on.
struct Heads {
  int32_t src;
  int64_t first, batch_step, token_step;
};

struct GqaLaunch {
  GqaParams params;
  FlashShape shape;  // `total`: of the past, with room, and the new ones
  Heads q, k, v;
  int64_t batch, length, half, bias_batch, bias_head, bias_row;
  int32_t num_src, has_bias, has_sink, has_positions, present[2];  // keys, values
  int64_t rows, row_blocks, units;                                 // of blocks; copies into the present follow
  int64_t queries, keys, floats;                                   // in the scratch of a worker
};
static_assert(std::is_trivially_copyable_v<GqaLaunch>);

// ---- Choosing -----------------------------------------------------------------------------------------------------

bool IsContiguous(const TensorDesc& desc) {
  const auto last = static_cast<size_t>(desc.rank - 1);
  return desc.rank == 0 || desc.dims[last] <= 1 || desc.strides[last] == 1;
}

Status CheckOperands(const OpCall& call) {
  for (int i = 0; i < call.num_src(); ++i) {
    if (!call.has_src(i) || i == kGqaLengths || i == kGqaTotal || i == kGqaPositions) continue;
    const TensorDesc& desc = call.src[static_cast<size_t>(i)];
    if (desc.type != DataType::kF32) return Unsupported("src ", i, ": ", NameOf(desc.type), ", not f32");
    if (!IsContiguous(desc)) return Unsupported("src ", i, " is not contiguous");
  }
  for (size_t i = 0; i < call.dst.size(); ++i) {
    const TensorDesc& desc = call.dst[i];
    if (!desc.present()) {
      if (i == 0) return Unsupported("dst 0 is absent");
      continue;
    }
    if (!IsContiguous(desc)) return Unsupported("dst ", i, " is not contiguous");
  }
  return Status();
}

Heads HeadsOf(const OpCall& call, int src, int64_t first) {
  const TensorDesc& desc = call.src[static_cast<size_t>(src)];
  return {src, first, desc.strides[0], desc.strides[1]};
}

Status SetBias(const OpCall& call, GqaLaunch* launch) {
  launch->has_sink = call.has_src(kGqaSink) ? 1 : 0;
  launch->has_bias = call.has_src(kGqaBias) ? 1 : 0;
  if (launch->has_bias == 0) return Status();
  const TensorDesc& bias = call.src[kGqaBias];
  const HostTensor* known = call.constants[kGqaTotal];
  const int64_t total = known != nullptr ? Load<int64_t>(known->desc, known->data, 0) : launch->shape.total;
  if (bias.dims[3] < total) return Unsupported("src 10: ", bias.dims[3], " keys of ", total);
  launch->bias_batch = bias.dims[0] == 1 ? 0 : bias.strides[0];
  launch->bias_head = bias.dims[1] == 1 ? 0 : bias.strides[1];
  launch->bias_row = bias.strides[2];
  launch->shape.mask = FlashMask::kFloat;
  launch->shape.mask_step = 1;
  return Status();
}

Status ChooseGqa(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(CheckOperands(call));
  GqaLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.params, GqaParams::From(*call.attrs));
  const GqaParams& p = launch.params;
  const TensorDesc& query = call.src[kGqaQuery];
  const bool packed = !call.has_src(kGqaKey);
  const int64_t size = query.dims[2] / (p.heads + (packed ? 2 * p.kv_heads : 0));
  launch.num_src = call.num_src();
  launch.batch = query.dims[0];
  launch.length = query.dims[1];
  launch.q = HeadsOf(call, kGqaQuery, 0);
  launch.k = packed ? HeadsOf(call, kGqaQuery, p.heads * size) : HeadsOf(call, kGqaKey, 0);
  launch.v = packed ? HeadsOf(call, kGqaQuery, (p.heads + p.kv_heads) * size) : HeadsOf(call, kGqaValue, 0);
  launch.has_positions = call.has_src(kGqaPositions) ? 1 : 0;
  if (p.rotary) launch.half = call.src[kGqaCos].dims[1];
  if (2 * launch.half > size) return Unsupported("rotary tables of ", launch.half, " for heads of ", size);
  launch.rows = p.group() * launch.length;
  launch.row_blocks = CeilDiv(launch.rows, kFlashRows);
  launch.units = launch.batch * p.kv_heads * launch.row_blocks;
  const int64_t past = call.has_src(kGqaPastKey) ? call.src[kGqaPastKey].dims[2] : 0;
  FlashShape& shape = launch.shape;
  shape.size = shape.v_size = size;
  shape.block_rows = launch.row_blocks == 0 ? 0 : CeilDiv(launch.rows, launch.row_blocks);
  shape.key_element = 1;
  shape.total = past + launch.length;
  shape.scale =
      p.scale != 0 ? p.scale : static_cast<float>(1 / std::sqrt(static_cast<double>(std::max<int64_t>(size, 1))));
  shape.softcap = p.softcap;
  MOKA_RETURN_IF_ERROR(SetBias(call, &launch));
  for (size_t i = 0; i < 2; ++i) launch.present[i] = call.dst.size() > i + 1 && call.dst[i + 1].present() ? 1 : 0;
  const bool copies = launch.present[0] != 0 || launch.present[1] != 0;
  choice->units = launch.units + (copies ? launch.batch * p.kv_heads : 0);
  launch.queries = FlashBlock::ScratchFloats(shape, *kernel.simd);
  launch.keys = launch.queries + (p.rotary ? shape.block_rows * size : 0);
  launch.floats = launch.keys + (p.rotary ? launch.length * size : 0);
  choice->scratch_per_worker = static_cast<uint64_t>(launch.floats) * sizeof(float);
  const double pairs = static_cast<double>(launch.batch * p.heads * launch.length) * static_cast<double>(shape.total);
  choice->cost_us = pairs * static_cast<double>(4 * size + 16) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// ---- Running ------------------------------------------------------------------------------------------------------

// One head of one row of the batch.
class GqaHead {
 public:
  GqaHead(const KernelArgs& args, const GqaLaunch& launch, int64_t row, int64_t kv_head)
      : args_(args), launch_(launch), p_(launch.params), row_(row), kv_head_(kv_head) {
    call_.src = {args.src_desc, static_cast<size_t>(launch.num_src)};
  }

  Status Start() {
    MOKA_ASSIGN_OR_RETURN(extent_, GqaExtentOf(call_, args_.src[kGqaLengths], args_.src[kGqaTotal], row_));
    return Status();
  }

  Status Attend(int64_t block, float* scratch) {
    const int64_t size = launch_.shape.size, first = block * launch_.shape.block_rows;
    const int64_t count = std::min(launch_.shape.block_rows, launch_.rows - first);
    FlashRow rows[kFlashRows];
    int64_t last_key = 0;
    for (int64_t r = 0; r < count; ++r) {
      const int64_t head = kv_head_ * p_.group() + (first + r) / launch_.length, at = (first + r) % launch_.length;
      FlashRow& row = rows[r];
      row = {Vector(launch_.q, at, head), Output(at, head), nullptr, nullptr, 0, 0, false, 0};
      if (p_.rotary) {
        float* rotated = scratch + launch_.queries + r * size;
        MOKA_RETURN_IF_ERROR(Rotate(row.query, at, rotated));
        row.query = rotated;
      }
      const int64_t next = extent_.past + at + 1;
      row.end = std::min(next, extent_.valid);
      row.begin = p_.window >= 0 ? std::clamp<int64_t>(next - p_.window, 0, row.end) : 0;
      last_key = std::max(last_key, row.end);
      if (launch_.has_bias != 0) {
        row.mask = args_.Src(kGqaBias) + row_ * launch_.bias_batch + head * launch_.bias_head + at * launch_.bias_row;
      }
      row.sink = p_.smooth || launch_.has_sink != 0;
      if (launch_.has_sink != 0) row.sink_score = args_.Src(kGqaSink)[head];
    }
    FlashCache keys = Cached(kGqaPastKey, launch_.k), values = Cached(kGqaPastValue, launch_.v);
    if (p_.rotary) {
      float* rotated = scratch + launch_.keys;
      for (int64_t at = 0; at < last_key - extent_.past; ++at) {
        MOKA_RETURN_IF_ERROR(Rotate(keys.now + at * keys.now_step, at, rotated + at * size));
      }
      keys.now = rotated;
      keys.now_step = size;
    }
    FlashBlock(*args_.simd, launch_.shape, scratch).Run({rows, static_cast<size_t>(count)}, keys, values, extent_.past);
    return Status();
  }

  // The past, the new ones, and 0 in the rest of a longer cache.
  Status CopyPresent() {
    for (const int dst : {1, 2}) {
      if (launch_.present[dst - 1] == 0) continue;
      const TensorDesc& to = args_.dst_desc[dst];
      const FlashCache from = dst == 1 ? Cached(kGqaPastKey, launch_.k) : Cached(kGqaPastValue, launch_.v);
      const auto bytes = static_cast<size_t>(launch_.shape.size) * sizeof(float);
      float* head = args_.Dst(dst) + row_ * to.strides[0] + kv_head_ * to.strides[1];
      for (int64_t at = 0; at < to.dims[2]; ++at) {
        float* y = head + at * to.strides[2];
        const int64_t now = at - extent_.past;
        if (now < 0) {
          std::memcpy(y, from.past + at * from.past_step, bytes);
        } else if (now >= launch_.length) {
          std::memset(y, 0, bytes);
        } else if (dst == 1 && p_.rotary) {
          MOKA_RETURN_IF_ERROR(Rotate(from.now + now * from.now_step, now, y));
        } else {
          std::memcpy(y, from.now + now * from.now_step, bytes);
        }
      }
    }
    return Status();
  }

 private:
  const float* Vector(const Heads& heads, int64_t at, int64_t head) const {
    return args_.Src(heads.src) + heads.first + row_ * heads.batch_step + at * heads.token_step +
           head * launch_.shape.size;
  }
  float* Output(int64_t at, int64_t head) const {
    const TensorDesc& y = args_.dst_desc[0];
    return args_.Dst() + row_ * y.strides[0] + at * y.strides[1] + head * launch_.shape.size;
  }
  FlashCache Cached(int past, const Heads& now) const {
    FlashCache cache = {nullptr, Vector(now, 0, kv_head_), 0, now.token_step};
    if (extent_.past == 0) return cache;
    const TensorDesc& desc = args_.src_desc[past];
    cache.past = args_.Src(past) + row_ * desc.strides[0] + kv_head_ * desc.strides[1];
    cache.past_step = desc.strides[2];
    return cache;
  }

  Status Rotate(const float* src, int64_t at, float* dst) const {
    const TensorDesc &cos = args_.src_desc[kGqaCos], &sin = args_.src_desc[kGqaSin];
    const void* ids = launch_.has_positions != 0 ? args_.src[kGqaPositions] : nullptr;
    MOKA_ASSIGN_OR_RETURN(const int64_t position, GqaPosition(call_, ids, extent_, row_, at));
    const float* c = args_.Src(kGqaCos) + position * cos.strides[0];
    const float* s = args_.Src(kGqaSin) + position * sin.strides[0];
    const int64_t half = launch_.half;
    if (p_.interleaved) {
      args_.simd->row->rotate_pairs(src, c, s, dst, half);
    } else {
      args_.simd->row->rotate(src, src + half, c, s, dst, dst + half, half);
    }
    std::memcpy(dst + 2 * half, src + 2 * half, static_cast<size_t>(launch_.shape.size - 2 * half) * sizeof(float));
    return Status();
  }

  const KernelArgs& args_;
  const GqaLaunch& launch_;
  const GqaParams& p_;
  int64_t row_, kv_head_;
  OpCall call_;  // operands only
  GqaExtent extent_{};
};

void RunGqa(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<GqaLaunch>();
  for (int64_t unit = begin; unit < end; ++unit) {
    const bool attends = unit < launch.units;
    const int64_t head = attends ? unit / launch.row_blocks : unit - launch.units;
    GqaHead task(args, launch, head / launch.params.kv_heads, head % launch.params.kv_heads);
    Status status = task.Start();
    if (status.ok()) {
      status = attends ? task.Attend(unit % launch.row_blocks, args.WorkerScratch(worker)) : task.CopyPresent();
    }
    if (!status.ok()) return args.error->Set(std::move(status));
  }
}

}  // namespace

std::span<const KernelRow> GroupQueryRows() {
  static constexpr KernelRow kRows[] = {
      {"com.microsoft.GroupQueryAttention", "group_query_attention", &ChooseGqa, &RunGqa}};
  return kRows;
}

}  // namespace moka::cpu
