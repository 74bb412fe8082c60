#include <algorithm>

#include "cpu/pack.h"
#include "cpu/vector.h"
#include "cpu/winograd.h"
#include "hwy/cache_control.h"

namespace moka::cpu {

Status PackWinograd(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  // What the transform reads at a time stays in the L1 cache.
  constexpr int64_t kFloats = 75, kMaxWidth = 4 * kMaxLanes;
  const int64_t outputs = spec.params[0], channels = spec.params[1];
  const PanelWidths widths = {static_cast<int>(spec.params[2]), static_cast<int>(spec.params[3])};
  const WinogradSize& winograd = ChosenWinogradTable()->sizes[spec.params[4]];
  const int64_t planes = spec.params[5], first = spec.params[6], kept = spec.params[7], groups = spec.params[8];
  const int64_t taps = winograd.taps * winograd.taps, k = kept * channels;
  const int64_t floats = winograd.Kernels() * PackedFloats(widths, k, outputs);
  if (dst.size() != static_cast<uint64_t>(groups * floats) * sizeof(float)) return Internal("pack ", kWinogradPanels);
  if (widths.widest > kMaxWidth) return Internal("pack ", kWinogradPanels, ": panels of ", widths.widest);
  const VectorTable& vector = *ChosenVectorTable();
  // The planes of a kernel follow each other channel by channel.
  const int64_t count = channels * planes, most = kFloats / taps;
  const int64_t panels = NumPanels(widths, outputs);
  for (int64_t p = 0; p < groups * panels; ++p) {
    const Panel panel = PanelAt(widths, outputs, p % panels);
    const int64_t group = p / panels;
    const auto* weight = static_cast<const float*>(src.data) + group * outputs * count * taps;
    const int64_t width = panel.width;
    alignas(64) float block[kFloats * kMaxWidth] = {};
    auto* out = reinterpret_cast<float*>(dst.data()) + group * floats + panel.col * k * winograd.Kernels();
    for (int64_t begin = 0; begin < count; begin += most) {
      const int64_t end = std::min(begin + most, count);
      vector.transpose(weight + (panel.col * count + begin) * taps, count * taps, block, width, panel.cols,
                       (end - begin) * taps);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t plane = i % planes - first;
        if (plane < 0 || plane >= kept) continue;
        winograd.weights(block + (i - begin) * taps * width, width, out + (plane * channels + i / planes) * width,
                         k * width);
      }
    }
  }
  hwy::FlushStream();  // WinogradTable::weights may write past the caches
  return {};
}

}  // namespace moka::cpu
