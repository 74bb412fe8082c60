// Weights in the form that tiles read: panels of a few vectors of columns, [panel][k][width], zeros beyond the last
// column. Panel p of PanelAt() starts at float `panel.col * k`.
#ifndef MOKA_CPU_PACK_H_
#define MOKA_CPU_PACK_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "cpu/tile.h"
#include "ops/device.h"

namespace moka::cpu {

// Where element (k, n) of a weight is: k runs through four nested dimensions, the last one fastest.
struct PanelSource {
  int64_t k_dims[4];
  int64_t k_strides[4];
  int64_t n_stride;
  float scale;

  int64_t K() const { return k_dims[0] * k_dims[1] * k_dims[2] * k_dims[3]; }
};

// One panel; `weight` may be unaligned and points at its first column's first element.
void PackPanel(const void* weight, const PanelSource& source, const Panel& panel, float* dst);

// The spec of a constant weight: `groups` blocks of n columns each, group_stride elements apart.
PackSpec PanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t n, int64_t groups,
                       int64_t group_stride);
int64_t PackedFloats(const PanelWidths& widths, int64_t k, int64_t n);
Status PackPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

// The same of bf16 (cpu/bf16_tile.h): pairs of neighbours within segments of k, whose length divides K.
inline constexpr std::string_view kBf16Panels = "cpu/bf16_panels.2";
PackSpec Bf16PanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t segment, int64_t n,
                           int64_t groups, int64_t group_stride);
int64_t Bf16ColumnBytes(int64_t k, int64_t segment);  // panel p of PanelAt() starts at panel.col of them
Status PackBf16Panels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

// Of ConvTranspose: panels for each phase of the result, whose taps are a part of the kernel (cpu/conv_transpose.cc).
inline constexpr std::string_view kTransposedPanels = "cpu/transposed_panels.2";
Status PackTransposedPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

// Of 3x3 and 5x5 convolutions: what Winograd's transform makes of the kernels (cpu/conv_winograd.cc), [panel][point]
// [plane][channel][width].
inline constexpr std::string_view kWinogradPanels = "cpu/winograd_panels.4";
Status PackWinograd(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

// ---- Running tiles over a block of rows ---------------------------------------------------------------------------

class Tail;  // cpu/tail.h

// Sums of vectors that wait for tiles of the widest panels, to be made besides their products.
class PendingSums {
 public:
  explicit PendingSums(const TileTable& table) : table_(table) {}
  void Add(const VectorSum& sum, int64_t floats);
  // A part of `vectors` vectors, if there is one.
  bool Take(int64_t vectors, VectorSum* sum);
  void Flush();  // makes what is left

 private:
  static constexpr int kMost = 4;
  struct Pending {
    VectorSum sum;
    int64_t floats;
  };
  void Make(const Pending& pending) const;

  const TileTable& table_;
  int count_ = 0;
  Pending pending_[kMost];  // the next one last
};

struct Block {
  const TileTable* table;
  int64_t rows;
  const float* const* a;         // per row
  float* const* dst;             // per row
  const float* const* residual;  // per row, or null
  const int64_t* segments;
  int64_t num_segments, k_len;
  const float* bias;  // of the first column, or null
  float lo, hi;
  const Tail* tail = nullptr;   // runs over each tile
  PendingSums* sums = nullptr;  // made by tiles of the widest panels
  const float* next = nullptr;  // fetched while this panel is multiplied
  int64_t next_lines = 0;       // of cache lines; 0: as long as the panel
  const float* then = nullptr;  // after it, where tiles are left: as long as the panel
  bool among = false;           // a block of one row is summed as rows of larger ones are
};
// All rows times one panel, which is packed at `b`; the panel's columns start at first_col + panel.col.
void RunPanel(const Block& block, const Panel& panel, const float* b, int64_t first_col);

// Elements [first, first + k) of the rows of A, `chunk` of them at a time.
struct Chunks {
  int64_t first, k, chunk;
  // Fetched meanwhile, as long as the panel. null: nothing; `more` false: nothing while the last chunk runs.
  const float* ahead;
  bool more;
};
// RunPanel chunk by chunk: the sums so far are in dst. Segments, k_len and next of the block are not read.
void RunChunks(const Block& whole, const Panel& panel, const float* b, const Chunks& chunks);

}  // namespace moka::cpu

#endif  // MOKA_CPU_PACK_H_
