#include "cpu/pack.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "base/platform.h"
#include "cpu/bf16_tile.h"
#include "cpu/kernel.h"
#include "cpu/panel_spec.h"
#include "cpu/tail.h"
#include "cpu/vector.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/panels.2";

float LoadFloat(const std::byte* base, int64_t element) {
  float value;
  std::memcpy(&value, base + element * static_cast<int64_t>(sizeof(float)), sizeof(float));
  return value;
}

constexpr int64_t kMaxPanel = 4 * kMaxLanes;
constexpr int64_t kReleasedBytes = 512 << 10;  // of a file, at a time
constexpr int64_t kShortPanel = 6 << 10;       // floats of a panel that stays in the L1 cache

// Whether a column is one run of memory in which the last dimension of k is the slowest: weights of convolutions,
// transposed matrices.
bool IsRun(const PanelSource& source) {
  const int64_t* dims = source.k_dims;
  const int64_t* strides = source.k_strides;
  return strides[3] == dims[0] * dims[1] * dims[2] && (dims[0] == 1 || strides[0] == dims[1] * dims[2]) &&
         (dims[1] == 1 || strides[1] == dims[2]) && (dims[2] == 1 || strides[2] == 1);
}

void PackRuns(const std::byte* base, const PanelSource& source, const Panel& panel, int64_t width, float* dst) {
  constexpr int64_t kBlock = 64;  // elements of each column at a time
  const VectorTable& vector = *ChosenVectorTable();
  const int64_t k = source.K(), channels = source.k_dims[3], taps = k / channels;
  alignas(64) float block[kBlock * kMaxPanel];
  if (panel.cols < width) std::fill(std::begin(block), std::end(block), 0.0f);
  int64_t channel = 0, tap = 0;
  for (int64_t e = 0; e < k; e += kBlock) {
    const int64_t elements = std::min(kBlock, k - e);
    vector.transpose(reinterpret_cast<const float*>(base) + e, source.n_stride, block, width, panel.cols, elements);
    for (int64_t i = 0; i < elements; ++i) {
      float* to = dst + (tap * channels + channel) * width;
      const float* row = block + i * width;
      if (source.scale == 1) {
        std::memcpy(to, row, static_cast<size_t>(width) * sizeof(float));
      } else {
        for (int64_t n = 0; n < width; ++n) to[n] = source.scale * row[n];
      }
      if (++tap == taps) tap = 0, ++channel;
    }
  }
}

void PackRows(const std::byte* base, const PanelSource& source, const Panel& panel, int64_t width, float* dst) {
  const int64_t* dims = source.k_dims;
  const int64_t* strides = source.k_strides;
  for (int64_t i = 0; i < dims[0]; ++i) {
    for (int64_t j = 0; j < dims[1]; ++j) {
      for (int64_t l = 0; l < dims[2]; ++l) {
        for (int64_t c = 0; c < dims[3]; ++c, dst += width) {
          const int64_t from = i * strides[0] + j * strides[1] + l * strides[2] + c * strides[3];
          if (source.n_stride == 1 && source.scale == 1) {
            std::memcpy(dst, base + from * int64_t{sizeof(float)}, static_cast<size_t>(panel.cols) * sizeof(float));
          } else {
            for (int64_t n = 0; n < panel.cols; ++n) {
              dst[n] = source.scale * LoadFloat(base, from + n * source.n_stride);
            }
          }
          std::fill(dst + panel.cols, dst + width, 0.0f);
        }
      }
    }
  }
}

}  // namespace

void PackPanel(const void* weight, const PanelSource& source, const Panel& panel, float* dst) {
  const int64_t width = panel.width;
  const auto* base = static_cast<const std::byte*>(weight) + panel.col * source.n_stride * int64_t{sizeof(float)};
  if (source.n_stride != 1 && source.K() > 0 && width <= kMaxPanel && IsRun(source)) {
    PackRuns(base, source, panel, width, dst);
  } else {
    PackRows(base, source, panel, width, dst);
  }
}

int64_t PackedFloats(const PanelWidths& widths, int64_t k, int64_t n) { return k * RoundUp(n, widths.granule); }

PackSpec PanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t n, int64_t groups,
                       int64_t group_stride) {
  PanelSpec spec{widths, n, groups, group_stride, {}, {}, dense.n_stride, LoadRaw<int32_t>(&dense.scale, 0)};
  std::copy_n(dense.k_dims, 4, spec.k_dims);
  std::copy_n(dense.k_strides, 4, spec.k_strides);
  return spec.Write(src, kFormat, groups * PackedFloats(widths, dense.K(), n) * static_cast<int64_t>(sizeof(float)));
}

Status PackPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const PanelSpec panels = PanelSpec::Read(spec);
  const auto scale_bits = static_cast<int32_t>(panels.detail);
  PanelSource source{{}, {}, panels.n_stride, LoadRaw<float>(&scale_bits, 0)};
  std::copy_n(panels.k_dims, 4, source.k_dims);
  std::copy_n(panels.k_strides, 4, source.k_strides);
  const int64_t k = source.K(), group_floats = PackedFloats(panels.widths, k, panels.n);
  if (dst.size() != static_cast<uint64_t>(panels.groups * group_floats) * sizeof(float)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  auto* out = reinterpret_cast<float*>(dst.data());
  const auto* weight = static_cast<const std::byte*>(src.data);
  constexpr int64_t kElement = sizeof(float);
  // Columns that lie one after the other are read once: of a mapped file they need not stay while others are packed.
  const bool once = IsRun(source) && source.n_stride >= k && panels.group_stride >= panels.n * source.n_stride;
  int64_t kept = 0;
  panels.ForEachPanel([&](int64_t group, const Panel& panel) {
    const int64_t first = group * panels.group_stride, end = first + (panel.col + panel.cols) * source.n_stride;
    PackPanel(weight + first * kElement, source, panel, out + group * group_floats + panel.col * k);
    if (!once || (end - kept) * kElement < kReleasedBytes) return;
    ReleaseMappedPages(weight + kept * kElement, static_cast<size_t>((end - kept) * kElement));
    kept = end;
  });
  return {};
}

int64_t Bf16ColumnBytes(int64_t k, int64_t segment) { return segment == 0 ? 0 : k / segment * RoundUp(segment, 2) * 2; }

namespace {

// Some channels of all points of the kernel (of one, where there are many) become rows of f32 first.
void PackBf16Panel(const std::byte* weight, const PanelSource& source, int64_t segment, const Panel& panel,
                   uint16_t* dst) {
  if (segment == 0) return;
  constexpr int64_t kRows = 256;
  float rows[kRows * kMaxPanel];
  const Bf16Table& table = *ChosenBf16Table();
  const int64_t width = panel.width, pairs = CeilDiv(segment, 2);
  const int64_t* dims = source.k_dims;
  const int64_t* strides = source.k_strides;
  const int64_t channels = dims[3], taps = source.K() / channels;
  std::memset(dst, 0, static_cast<size_t>(source.K() / segment * pairs * width) * 4);
  PanelSource part = source;
  if (taps > kRows) part.k_dims[0] = part.k_dims[1] = part.k_dims[2] = 1;
  const int64_t part_taps = taps > kRows ? 1 : taps;
  for (int64_t tap = 0; tap < taps; tap += part_taps) {
    const int64_t at =
        tap / (dims[1] * dims[2]) * strides[0] + tap / dims[2] % dims[1] * strides[1] + tap % dims[2] * strides[2];
    for (int64_t c = 0; c < channels; c += part.k_dims[3]) {
      part.k_dims[3] = std::min(kRows / part_taps, channels - c);
      PackPanel(weight + (at + c * strides[3]) * int64_t{sizeof(float)}, part, panel, rows);
      for (int64_t i = 0; i < part.K(); ++i) {
        const int64_t k = (tap + i / part.k_dims[3]) * channels + c + i % part.k_dims[3], in_segment = k % segment;
        table.merge(rows + i * width, width, in_segment % 2 != 0,
                    dst + (k / segment * pairs + in_segment / 2) * width * 2);
      }
    }
  }
}

}  // namespace

PackSpec Bf16PanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t segment, int64_t n,
                           int64_t groups, int64_t group_stride) {
  const int64_t detail = segment << 32 | int64_t{LoadRaw<uint32_t>(&dense.scale, 0)};
  PanelSpec spec{widths, n, groups, group_stride, {}, {}, dense.n_stride, detail};
  std::copy_n(dense.k_dims, 4, spec.k_dims);
  std::copy_n(dense.k_strides, 4, spec.k_strides);
  return spec.Write(src, kBf16Panels, groups * RoundUp(n, widths.granule) * Bf16ColumnBytes(dense.K(), segment));
}

Status PackBf16Panels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const PanelSpec panels = PanelSpec::Read(spec);
  const auto scale_bits = static_cast<uint32_t>(panels.detail);
  const int64_t segment = panels.detail >> 32;
  PanelSource source{{}, {}, panels.n_stride, LoadRaw<float>(&scale_bits, 0)};
  std::copy_n(panels.k_dims, 4, source.k_dims);
  std::copy_n(panels.k_strides, 4, source.k_strides);
  const int64_t column = Bf16ColumnBytes(source.K(), segment),
                group_bytes = column * RoundUp(panels.n, panels.widths.granule);
  if (dst.size() != static_cast<uint64_t>(panels.groups * group_bytes)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  const auto* weight = static_cast<const std::byte*>(src.data);
  panels.ForEachPanel([&](int64_t group, const Panel& panel) {
    PackBf16Panel(weight + group * panels.group_stride * static_cast<int64_t>(sizeof(float)), source, segment, panel,
                  reinterpret_cast<uint16_t*>(dst.data() + group * group_bytes + panel.col * column));
  });
  return {};
}

void PendingSums::Make(const Pending& pending) const {
  const VectorSum& sum = pending.sum;
  table_.loop(sum.negative ? MicroOp::kSub : MicroOp::kAdd, 0)(sum.dst, sum.a, sum.b, sum.a, pending.floats);
}

void PendingSums::Add(const VectorSum& sum, int64_t floats) {
  if (count_ == kMost) return Make({sum, floats});
  pending_[count_++] = {sum, floats};
}

bool PendingSums::Take(int64_t vectors, VectorSum* sum) {
  const int64_t floats = vectors * table_.lanes;
  while (count_ > 0 && pending_[count_ - 1].floats < floats) Make(pending_[--count_]);
  if (count_ == 0 || vectors == 0) return false;
  Pending& last = pending_[count_ - 1];
  *sum = last.sum;
  last.sum.a += floats;
  last.sum.b += floats;
  last.sum.dst += floats;
  last.floats -= floats;
  return true;
}

void PendingSums::Flush() {
  while (count_ > 0) Make(pending_[--count_]);
}

void RunPanel(const Block& block, const Panel& panel, const float* b, int64_t first_col) {
  const int64_t granules = panel.width / block.table->widths.granule;
  const bool padded =
      2 * (panel.width - panel.cols) >= block.table->lanes && block.table->padded[granules][1] != nullptr;
  TileFn const* fns = padded ? block.table->padded[granules] : block.table->fn[granules];
  const TileFn among = block.table->among[granules];
  const TileFn single = (block.rows > 1 || block.among) && among != nullptr ? among : fns[1];
  TileArgs args;
  args.segments = block.segments;
  args.num_segments = block.num_segments;
  args.k_len = block.k_len;
  args.b = b;
  args.bias = block.bias;
  args.lo = block.lo;
  args.hi = block.hi;
  args.col = first_col + panel.col;
  args.cols = panel.cols;
  const int64_t steps = block.num_segments * CeilDiv(block.k_len, int64_t{block.table->step});
  const int64_t lines = steps * panel.width / kPrefetchStep;
  const int short_rows = block.table->short_rows[granules];
  const int most = lines * kPrefetchStep <= kShortPanel && short_rows != 0 ? short_rows : kMaxTileRows;
  const int64_t next_lines = block.next_lines > 0 ? block.next_lines : lines;
  const float* next = block.next;
  const float* then = block.then;
  int64_t left = next != nullptr ? next_lines : 0;
  for (int64_t row = 0; row < block.rows;) {
    const int rows = TileRows(fns, block.rows - row, most);
    args.rows = block.a + row;
    args.dst = block.dst + row;
    args.residual = block.residual != nullptr ? block.residual + row : nullptr;
    const bool summing = block.sums != nullptr && block.sums->Take(steps, &args.sum);
    const bool fetching = (block.next != nullptr && block.next_lines == 0) || summing;
    if (left <= 0 && then != nullptr) {
      next = std::exchange(then, nullptr);
      left = lines;
    }
    args.next = left > 0 ? next : fetching ? b : nullptr;
    if (left > 0) next += steps * kPrefetchStep;
    left -= steps;
    if (block.tail != nullptr) block.tail->Prefetch(args.dst, rows, args.col, args.cols);
    (summing ? block.table->summing[rows] : rows == 1 ? single : fns[rows])(args);
    if (block.tail != nullptr) block.tail->Run(args.dst, rows, args.col, args.cols);
    row += rows;
  }
}

void RunChunks(const Block& whole, const Panel& panel, const float* b, const Chunks& chunks) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int64_t k = chunks.k;
  Block block = whole;
  block.num_segments = 1;
  for (int64_t at = 0; at == 0 || at < k; at += chunks.chunk) {
    const int64_t segment = chunks.first + at;
    block.segments = &segment;
    block.k_len = std::min(chunks.chunk, k - at);
    const bool last = at + chunks.chunk >= k;
    if (at > 0) {
      block.residual = whole.dst;
      block.bias = nullptr;
    }
    block.lo = last ? whole.lo : -kInfinity;
    block.hi = last ? whole.hi : kInfinity;
    block.tail = last ? whole.tail : nullptr;
    if (chunks.ahead != nullptr) block.next = last && !chunks.more ? b : chunks.ahead + at * panel.width;
    RunPanel(block, panel, b + at * panel.width, 0);
  }
}

}  // namespace moka::cpu
