// Packs against their definitions: what element lies where, zeros beyond the last column, weights at any address.
#include "cpu/pack.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "cpu/device.h"
#include "cpu/simd.h"
#include "cpu/winograd.h"

namespace moka::cpu {
namespace {

// Small distinct numbers, one byte off the alignment of floats.
class OddWeight {
 public:
  explicit OddWeight(int64_t elements) : bytes_(static_cast<size_t>(elements) * sizeof(float) + 1) {
    for (int64_t i = 0; i < elements; ++i) {
      const float value = At(i);
      std::memcpy(bytes_.data() + 1 + i * int64_t{sizeof(float)}, &value, sizeof(value));
    }
    tensor.data = bytes_.data() + 1;
  }
  static float At(int64_t i) { return static_cast<float>(i * 7919 % 1009 - 500) / 64; }

  HostTensor tensor;

 private:
  std::vector<std::byte> bytes_;
};

std::vector<float> PackWith(Status (*pack)(const PackSpec&, const HostTensor&, std::span<std::byte>),
                            const PackSpec& spec, const HostTensor& tensor) {
  std::vector<float> packed(spec.bytes / sizeof(float), -1.0f);
  const Status status = pack(spec, tensor, std::as_writable_bytes(std::span(packed)));
  EXPECT_TRUE(status.ok()) << status.message();
  return packed;
}

struct PanelCase {
  const char* name;
  int64_t columns;
  PanelSource source;
};

class Panels : public testing::TestWithParam<PanelCase> {};

TEST_P(Panels, HoldTheElementsOfTheirColumns) {
  const TileTable* table = ChosenTileTable();
  if (table == nullptr) GTEST_SKIP() << "no SIMD target";
  const auto& [name, columns, source] = GetParam();
  const int64_t* dims = source.k_dims;
  const int64_t k = source.K();
  const OddWeight weight(k * columns);
  const std::vector<float> packed =
      PackWith(&PackPanels, PanelPackSpec(1, table->widths, source, columns, 1, 0), weight.tensor);
  for (int64_t p = 0; p < NumPanels(table->widths, columns); ++p) {
    const Panel panel = PanelAt(table->widths, columns, p);
    const int64_t width = panel.width;
    for (int64_t e = 0; e < k; ++e) {
      const int64_t c = e % dims[3], l = e / dims[3] % dims[2], j = e / dims[3] / dims[2] % dims[1];
      const int64_t i = e / dims[3] / dims[2] / dims[1];
      const int64_t* s = source.k_strides;
      const int64_t from = i * s[0] + j * s[1] + l * s[2] + c * s[3] + panel.col * source.n_stride;
      for (int64_t n = 0; n < width; ++n) {
        const float want = n < panel.cols ? source.scale * OddWeight::At(from + n * source.n_stride) : 0.0f;
        ASSERT_EQ(packed[static_cast<size_t>(panel.col * k + e * width + n)], want) << name << ' ' << e << ' ' << n;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Panels,
                         testing::Values(PanelCase{"rows", 100, {{1, 1, 1, 37}, {37, 37, 1, 100}, 1, 1}},
                                         PanelCase{"rows_scaled", 5, {{1, 1, 1, 3}, {3, 3, 1, 5}, 1, 0.5f}},
                                         PanelCase{"columns", 100, {{1, 1, 1, 129}, {1, 1, 1, 1}, 129, 1}},
                                         PanelCase{"columns_scaled", 17, {{1, 1, 1, 64}, {64, 64, 1, 1}, 64, 2}},
                                         PanelCase{"columns_far_apart", 65, {{1, 1, 1, 1024}, {1, 1, 1, 1}, 1024, 1}},
                                         PanelCase{"one_column", 1, {{1, 1, 1, 65}, {1, 1, 1, 1}, 65, 1}},
                                         PanelCase{"kernels", 33, {{1, 3, 3, 7}, {9, 3, 1, 9}, 63, 1}},
                                         PanelCase{"volumes", 20, {{2, 3, 2, 11}, {6, 2, 1, 12}, 132, 1}},
                                         PanelCase{"one_channel", 16, {{1, 5, 5, 1}, {25, 5, 1, 25}, 25, 1}},
                                         PanelCase{"no_channels", 16, {{1, 3, 3, 0}, {9, 3, 1, 9}, 0, 1}}),
                         [](const auto& info) { return info.param.name; });

// G of a size of tiles.
std::vector<std::vector<double>> KernelTransform(const WinogradSize& size) {
  constexpr double a = kWinogradA, b = kWinogradB, q = -2.0 / 3, r = 1.0 / 6, third = 1.0 / 3;
  if (size.stride == 2 && size.out == 2) return {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}};
  if (size.stride == 2) {
    return {{-b / 3, 0, -third}, {b / 3, 0, -third}, {a / 3, 0, third}, {-a / 3, 0, third}, {0, 0, 1}, {0, 1, 0}};
  }
  if (size.taps == 5) {
    return {{1, 0, 0, 0, 0},
            {q, q * a, q / 2, q * a / 2, q / 4},
            {q, -q * a, q / 2, -q * a / 2, q / 4},
            {r, r * b, 2 * r, 2 * r * b, 4 * r},
            {r, -r * b, 2 * r, -2 * r * b, 4 * r},
            {0, 0, 0, 0, 1}};
  }
  if (size.out == 2) return {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  return {{1, 0, 0}, {q, q * a, q / 2}, {q, -q * a, q / 2}, {r, r * b, 2 * r}, {r, -r * b, 2 * r}, {0, 0, 1}};
}

// Of a kernel of `planes` planes, `kept` from `first` on.
struct Planes {
  int64_t planes, first, kept;
};

void CheckWinogradPanels(const TileTable& table, int64_t size, int64_t outputs, int64_t channels, const Planes& d,
                         int64_t groups = 1) {
  const WinogradSize& winograd = ChosenWinogradTable()->sizes[size];
  const auto g = KernelTransform(winograd);
  const auto side = static_cast<int64_t>(g.size()), points = side * side, k = d.kept * channels;
  const auto taps = static_cast<size_t>(winograd.taps);
  ASSERT_EQ(points, winograd.Kernels());
  const OddWeight weight(groups * outputs * channels * d.planes * static_cast<int64_t>(taps * taps));
  PackSpec spec;
  spec.params = {outputs, channels, table.widths.granule, table.widths.widest, size, d.planes, d.first, d.kept, groups};
  const int64_t group_floats = points * PackedFloats(table.widths, k, outputs);
  spec.bytes = static_cast<uint64_t>(groups * group_floats) * sizeof(float);
  const std::vector<float> packed = PackWith(&PackWinograd, spec, weight.tensor);
  const int64_t panels = NumPanels(table.widths, outputs);
  for (int64_t p = 0; p < groups * panels; ++p) {
    const Panel panel = PanelAt(table.widths, outputs, p % panels);
    const int64_t width = panel.width, group = p / panels;
    const float* from = packed.data() + group * group_floats + panel.col * k * points;
    for (int64_t e = 0; e < points * k * width; ++e) {
      const int64_t n = e % width, c = e / width % channels, point = e / width / k;
      const int64_t plane = e / width % k / channels + d.first;
      const auto &row = g[static_cast<size_t>(point / side)], &column = g[static_cast<size_t>(point % side)];
      double want = 0;
      for (size_t tap = 0; n < panel.cols && tap < taps * taps; ++tap) {
        const int64_t from_plane = ((group * outputs + panel.col + n) * channels + c) * d.planes + plane;
        want += row[tap / taps] * column[tap % taps] *
                static_cast<double>(
                    OddWeight::At(from_plane * static_cast<int64_t>(taps * taps) + static_cast<int64_t>(tap)));
      }
      ASSERT_NEAR(from[e], want, 1e-7 * (1 + std::abs(want))) << outputs << ' ' << point << ' ' << c << ' ' << n;
    }
  }
}

TEST(WinogradPanels, HoldTransformedKernels) {
  const TileTable* table = ChosenTileTable();
  if (table == nullptr) GTEST_SKIP() << "no SIMD target";
  for (int64_t size = 0; size < kWinogradSizes; ++size) {
    for (const auto& [outputs, channels] : {std::pair{1, 1}, {24, 3}, {67, 9}, {128, 17}}) {
      CheckWinogradPanels(*table, size, outputs, channels, {1, 0, 1});
    }
    for (const Planes& d : {Planes{3, 0, 3}, Planes{3, 1, 1}, Planes{5, 2, 3}, Planes{11, 0, 10}}) {
      CheckWinogradPanels(*table, size, 67, 5, d);
    }
    CheckWinogradPanels(*table, size, 67, 9, {1, 0, 1}, 3);
  }
}

// A block of rows times one panel of padded columns, with NaN in every half vector that is padding.
class PaddedPanel {
 public:
  PaddedPanel(const TileTable& table, int64_t cols)
      : table_(table), panel_{0, cols, RoundUp(cols, table.widths.granule)} {
    for (int64_t i = 0; i < kRows * kDepth; ++i) a_.push_back(OddWeight::At(i));
    const int64_t used = RoundUp(cols, table.lanes / 2);
    for (int64_t i = 0; i < kDepth * panel_.width; ++i) {
      b_.push_back(i % panel_.width < used ? OddWeight::At(i + 5) : std::numeric_limits<float>::quiet_NaN());
    }
  }

  std::vector<float> Product(int64_t num_rows) const {
    std::vector<float> result(static_cast<size_t>(kRows * panel_.cols), -1.0f);
    std::vector<const float*> rows;
    std::vector<float*> dst;
    for (int64_t i = 0; i < num_rows; ++i) {
      rows.push_back(a_.data() + i * kDepth);
      dst.push_back(result.data() + i * panel_.cols);
    }
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const int64_t segment = 0;
    RunPanel({&table_, num_rows, rows.data(), dst.data(), nullptr, &segment, 1, kDepth, nullptr, -kInfinity, kInfinity},
             panel_, b_.data(), 0);
    return result;
  }

  static constexpr int64_t kRows = 21, kDepth = 19;

 private:
  const TileTable& table_;
  Panel panel_;
  std::vector<float> a_, b_;
};

int g_padded_tiles = 0;

TEST(PaddedPanels, AreMultipliedByTheirTilesAsByTheOthers) {
  for (const std::string& target : SimdTargets()) {
    const TileTable* chosen = SimdForTarget(target).tile;
    if (chosen->variant == nullptr) continue;  // no table with such tiles
    const TileTable& table = *chosen->variant(false);
    TileTable without = table, counting = table;
    for (int granules = 0; granules <= kMaxTileWidths; ++granules) {
      without.padded[granules][1] = nullptr;
      for (TileFn& fn : counting.padded[granules]) {
        if (fn != nullptr) fn = [](const TileArgs&) { ++g_padded_tiles; };
      }
    }
    for (int64_t cols = 1; cols <= table.widths.widest; ++cols) {
      const int64_t padding = RoundUp(cols, table.widths.granule) - cols;
      const bool padded = 2 * padding >= table.lanes && cols > table.widths.granule;
      for (int64_t rows = 1; rows <= PaddedPanel::kRows; ++rows) {
        EXPECT_EQ(PaddedPanel(table, cols).Product(rows), PaddedPanel(without, cols).Product(rows))
            << cols << ' ' << rows;
      }
      g_padded_tiles = 0;
      PaddedPanel(counting, cols).Product(PaddedPanel::kRows);
      EXPECT_EQ(g_padded_tiles > 0, padded) << cols;
    }
  }
}

}  // namespace
}  // namespace moka::cpu
