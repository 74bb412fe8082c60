// Products by one level of Strassen's algorithm: seven products of halves take the place of eight.
#ifndef MOKA_CPU_STRASSEN_H_
#define MOKA_CPU_STRASSEN_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "cpu/kernel.h"
#include "cpu/pack.h"

namespace moka::cpu {

// Panels as PackPanels makes them, which are all of the widest kind, then one float for each two neighbours: 1 where
// the lengths of their columns lie close together, else 0.
inline constexpr std::string_view kPairedPanels = "cpu/paired_panels.1";
// Of neighbouring panels, where all are of the widest kind. (Narrower ones would be multiplied plainly beside them, and
// columns of the same weights get other sums so: enough to tell the classes of ONNX's SqueezeNet apart, which are
// equal.)
int64_t PanelPairs(const PanelWidths& widths, int64_t n);
// Enough for PairedPanelPackSpec, and tiles that make sums.
bool HasPairs(const TileTable& table, int64_t k, int64_t n);
PackSpec PairedPanelPackSpec(int src, const PanelWidths& widths, const PanelSource& dense, int64_t n);
Status PackPairedPanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst);

// Blocks of fewer rows do not pay for the sums around products; of kStrassenRows they do wherever there are as many.
inline constexpr int64_t kLeastStrassenRows = 96;
inline constexpr int64_t kStrassenRows = 192;

// A block of rows times pairs of panels. The halves of A's and the result's rows are the first and the last ones, those
// of B's and the result's columns are the two panels, those of K its first and its second half. The sums of A's halves
// are made once for all panels. What becomes of a row depends on the one that it is paired with and on no other.
class Strassen {
 public:
  static int64_t ScratchFloats(const TileTable& table, int64_t max_rows, int64_t k);
  // `plain_chunk`: of K, where rows are multiplied plainly.
  Strassen(const Simd& simd, int64_t max_rows, int64_t k, int64_t plain_chunk, float* scratch);

  // Rows of a block, each contiguous, with what belongs to them; row i of the first half is paired with row i of the
  // second, which may be one shorter. Pairs whose lengths lie far apart or are not finite go to the ends of the halves
  // and are multiplied plainly: errors are relative to the longer row of a pair. False, and Run may not be called,
  // where no others are left.
  bool Prepare(const float** a, float** dst, const float** residual, int64_t rows);
  // What RunPanel does for both panels, which lie at `b` one after the other, rows as Prepare left them. `more`: other
  // two follow.
  void Run(const Block& block, const Panel& left, const Panel& right, const float* b, bool more);

 private:
  struct Factor {
    const float* const* rows;
    int64_t offset, k;
  };

  float* Product(int i) const { return products_ + i * half_ * width_; }
  // Product `dst` becomes a * b. `sums` are made and `ahead` is fetched meanwhile.
  void Multiply(const Factor& a, const float* b, int dst, PendingSums* sums, const float* ahead) const;
  // A quarter of the result becomes a * b + product `sum`, and ends.
  void Finish(const Block& whole, const Panel& panel, bool bottom, const Factor& a, const float* b, int sum,
              PendingSums* sums, const float* ahead) const;

  // All of K times one panel for the rows that are left out.
  void RunRest(const Block& whole, const Panel& panel, const float* b) const;
  float Length(const float* row) const;  // its square

  const TileTable& table_;
  const Simd& simd_;
  const int64_t max_half_, half_k_, width_, plain_chunk_;
  int64_t first_ = 0, second_ = 0;        // rows of the halves
  int64_t half_ = 0, second_paired_ = 0;  // those of them that are multiplied in pairs
  const float** rows_of_a_;               // top half, bottom half, then those of the five sums
  float** product_rows_;                  // [products][max_half]
  const float** shifted_;                 // [max_half]
  float* zeros_;                          // a row of A
  float* sums_;                           // [5][max_half][half_k]
  float* products_;                       // [products][half][width]
  float *panel_, *other_;                 // sums of B's halves: [half_k][width]
  const float* ready_ = nullptr;          // of which pair panel_ has the first sum
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_STRASSEN_H_
