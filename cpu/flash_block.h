// Attention of a block of queries that share keys, without ever holding the scores of all keys.
#ifndef MOKA_CPU_FLASH_BLOCK_H_
#define MOKA_CPU_FLASH_BLOCK_H_

#include <cstdint>
#include <iterator>
#include <span>

#include "cpu/kernel.h"
#include "cpu/row.h"
#include "cpu/tile.h"

namespace moka::cpu {

inline constexpr int64_t kFlashRows = 128;  // of a block, at most
inline constexpr int64_t kFewRows = 4;      // fewer are not worth packing keys for

enum class FlashMask : int32_t { kNone, kFloat, kBool };
// Which scores are handed out: products with the scale, those through the cap, those with the mask, their softmax.
enum class FlashScores : int32_t { kScaled, kCapped, kMasked, kSoftmax };

struct FlashShape {
  int64_t size, v_size;  // of a query and a key, of a value
  int64_t block_rows;    // at most kFlashRows
  int64_t key_element;   // floats from one element of a key to the next
  int64_t total;         // keys, those of the past among them
  float scale, softcap;  // softcap 0: none
  FlashMask mask;
  int64_t mask_step;  // elements from one key to the next
  FlashScores scores;
  int32_t bf16;  // whether products are of bf16
};

// Keys or values of one head, the first ones in the past; steps are floats from one to the next.
struct FlashCache {
  const float *past, *now;
  int64_t past_step, now_step;
};

struct FlashRow {
  const float* query;
  float* output;
  const void* mask;    // of key 0
  float* scores;       // of key 0, contiguous; null where nobody asks
  int64_t begin, end;  // the keys that it sees
  bool sink;           // whether a score without a value belongs to the softmax
  float sink_score;
};

class FlashBlock {
 public:
  static int64_t ScratchFloats(const FlashShape& shape, const Simd& simd);

  FlashBlock(const Simd& simd, const FlashShape& shape, float* scratch);

  // All rows have scores, or none.
  void Run(std::span<const FlashRow> rows, const FlashCache& keys, const FlashCache& values, int64_t past_length);

 private:
  struct Layout {
    // Steps of rounded queries and scores; where they, and a panel of pairs, are.
    int64_t query_step, weight_step, queries, weights, pairs;
    int64_t scores, sums, panel, bias, floats;
    Layout(const FlashShape& shape, const Simd& simd);
  };

  const float** pointers(int64_t which) const {
    return reinterpret_cast<const float**>(scratch_) + which * shape_.block_rows;
  }
  float* scores(int64_t r) const;
  float* sums(int64_t r) const { return scratch_ + layout_.sums + r * shape_.v_size; }
  bool rounds() const { return shape_.bf16 != 0 && std::ssize(rows_) >= kFewRows; }

  template <class PackFn>
  void Multiply(int64_t k_len, int64_t cols, const float* const* rows, float* const* dst, bool add, PackFn&& pack);
  const float* Pairs(const float* panel, int64_t k_len, int64_t width);
  void MultiplyKeys(const float* k, int64_t step, int64_t keys);
  void AddValues(const float* v, int64_t step, int64_t keys);
  const float* Bias(int64_t r, int64_t first, int64_t count);
  void SeenScores(int64_t r, int64_t first, int64_t keys, AttendRow* attend);
  void Weights(int64_t first, int64_t keys);
  void ClearSums();
  void HandOut(int64_t r, int64_t first, int64_t keys);
  void Finish(int64_t r);

  const Simd& simd_;
  const FlashShape& shape_;
  const Layout layout_;
  float* scratch_;
  std::span<const FlashRow> rows_;
  bool fresh_ = true;  // nothing was summed yet: sums are not zeros, but written by the first block of keys
  float largest_[kFlashRows], total_[kFlashRows];
};

}  // namespace moka::cpu

#endif  // MOKA_CPU_FLASH_BLOCK_H_
