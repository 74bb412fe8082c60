#include <algorithm>

#include "cpu/pack.h"
#include "cpu/vector.h"
#include "cpu/winograd.h"
#include "hwy/cache_control.h"

namespace moka::cpu {

Status PackWinograd(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  // Of a block: what the transform reads stays in the L1 cache.
  constexpr int64_t kChannels = 8, kTaps = 9, kMaxWidth = 4 * kMaxLanes;
  const int64_t outputs = spec.params[0], channels = spec.params[1];
  const PanelWidths widths = {static_cast<int>(spec.params[2]), static_cast<int>(spec.params[3])};
  const WinogradSize& winograd = ChosenWinogradTable()->sizes[spec.params[4]];
  const int64_t floats = winograd.Kernels() * PackedFloats(widths, channels, outputs);
  if (dst.size() != static_cast<uint64_t>(floats) * sizeof(float)) return Internal("pack ", kWinogradPanels);
  if (widths.widest > kMaxWidth) return Internal("pack ", kWinogradPanels, ": panels of ", widths.widest);
  const VectorTable& vector = *ChosenVectorTable();
  const auto* weight = static_cast<const float*>(src.data);
  for (int64_t p = 0; p < NumPanels(widths, outputs); ++p) {
    const Panel panel = PanelAt(widths, outputs, p);
    const int64_t width = panel.width;
    alignas(64) float taps[kChannels * kTaps * kMaxWidth] = {};
    auto* out = reinterpret_cast<float*>(dst.data()) + panel.col * channels * winograd.Kernels();
    for (int64_t c = 0; c < channels; c += kChannels) {
      const int64_t block = std::min(kChannels, channels - c);
      vector.transpose(weight + (panel.col * channels + c) * kTaps, channels * kTaps, taps, width, panel.cols,
                       block * kTaps);
      for (int64_t i = 0; i < block; ++i) {
        winograd.weights(taps + i * kTaps * width, width, out + (c + i) * width, channels * width);
      }
    }
  }
  hwy::FlushStream();  // WinogradTable::weights may write past the caches
  return {};
}

}  // namespace moka::cpu
