// RotaryEmbedding: the heads of one token after the other, which share their angles.
#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/row.h"
#include "ops/rotary_embedding.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;

struct RotaryLaunch {
  int32_t interleaved, has_positions;
  int64_t batch, length, heads, size, rotated;
  int64_t x[3], y[3];                        // strides of [batch, length, heads]
  int64_t caches[2][2], positions[2], rows;  // strides; rows: of a cache
  int64_t tokens, tokens_per_unit;
};

Status ChooseRotary(const Kernel&, const OpCall& call, Choice* choice) {
  for (size_t i = 0; i < 3; ++i) {
    if (call.src[i].type != DataType::kF32) return Unsupported("src ", i, ": ", NameOf(call.src[i].type), ", not f32");
  }
  MOKA_ASSIGN_OR_RETURN(const RotaryParams params, RotaryParams::From(call));
  const TensorDesc &x = params.x, &y = params.y;
  if (x.dims[3] > 1 && (x.strides[3] != 1 || y.strides[3] != 1)) {
    return Unsupported("the elements of a head are not contiguous");
  }
  RotaryLaunch launch{};
  launch.interleaved = params.interleaved ? 1 : 0;
  launch.has_positions = call.has_src(kRotaryPositions) ? 1 : 0;
  launch.batch = x.dims[0];
  launch.length = x.dims[1];
  launch.heads = x.dims[2];
  launch.size = x.dims[3];
  launch.rotated = params.rotated;
  for (size_t i = 0; i < 3; ++i) {
    launch.x[i] = x.strides[i];
    launch.y[i] = y.strides[i];
  }
  for (size_t i = 0; i < 2; ++i) {
    const TensorDesc& cache = call.src[i + 1];
    const auto last = static_cast<size_t>(cache.rank - 1);
    if (cache.dims[last] > 1 && cache.strides[last] != 1) return Unsupported("src ", i + 1, " is not contiguous");
    launch.caches[i][0] = cache.strides[0];
    launch.caches[i][1] = launch.has_positions != 0 ? 0 : cache.strides[1];
    if (launch.has_positions != 0) launch.positions[i] = call.src[kRotaryPositions].strides[i];
  }
  launch.rows = std::min(call.src[kRotaryCos].dims[0], call.src[kRotarySin].dims[0]);
  launch.tokens = launch.batch * launch.length;
  launch.tokens_per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.heads * launch.size, 1), 1);
  choice->units = CeilDiv(launch.tokens, launch.tokens_per_unit);
  choice->cost_us = static_cast<double>(8 * call.dst[0].NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunRotary(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<RotaryLaunch>();
  const RowTable& table = *args.simd->row;
  const int64_t half = launch.rotated / 2;
  const int64_t last = std::min(end * launch.tokens_per_unit, launch.tokens);
  for (int64_t token = begin * launch.tokens_per_unit; token < last; ++token) {
    const int64_t b = token / launch.length, s = token % launch.length;
    int64_t row = b, col = s;
    if (launch.has_positions != 0) {
      row = static_cast<const int64_t*>(args.src[kRotaryPositions])[b * launch.positions[0] + s * launch.positions[1]];
      col = 0;
      if (row < 0 || row >= launch.rows) {
        return args.error->Set(InvalidArgument("src 3 (position_ids): ", row, ", expected 0 to ", launch.rows - 1));
      }
    }
    const float* cosines = args.Src(kRotaryCos) + row * launch.caches[0][0] + col * launch.caches[0][1];
    const float* sines = args.Src(kRotarySin) + row * launch.caches[1][0] + col * launch.caches[1][1];
    for (int64_t h = 0; h < launch.heads; ++h) {
      const float* src = args.Src(kRotaryX) + b * launch.x[0] + s * launch.x[1] + h * launch.x[2];
      float* dst = args.Dst() + b * launch.y[0] + s * launch.y[1] + h * launch.y[2];
      if (launch.interleaved != 0) {
        table.rotate_pairs(src, cosines, sines, dst, half);
      } else {
        table.rotate(src, src + half, cosines, sines, dst, dst + half, half);
      }
      std::memcpy(dst + launch.rotated, src + launch.rotated,
                  static_cast<size_t>(launch.size - launch.rotated) * sizeof(float));
    }
  }
}

}  // namespace

std::span<const KernelRow> RotaryRows() {
  static constexpr KernelRow kRows[] = {{"RotaryEmbedding", "rotary", &ChooseRotary, &RunRotary}};
  return kRows;
}

}  // namespace moka::cpu
