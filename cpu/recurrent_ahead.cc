#include "cpu/recurrent_ahead.h"

#include <algorithm>
#include <cstring>

namespace moka::cpu {

void RecurrentAhead::Begin(const float* x, float* gates, int64_t row_floats, int64_t calls) {
  x_ = x;
  gates_ = gates;
  row_floats_ = row_floats;
  calls_ = calls;
  call_ = done_ = tile_ = 0;
  steps_ = vectors_.count * k_;
  StartTile();
}

void RecurrentAhead::StartTile() {
  at_ = 0;
  col_ = (vectors_.first + tile_ * vectors_.stride) * table_.lanes;
  for (int row = 0; row < table_.ahead_rows; ++row) {
    std::memcpy(sums_ + row * table_.lanes, bias_ + col_, static_cast<size_t>(table_.lanes) * sizeof(float));
  }
}

void RecurrentAhead::StoreTile() const {
  for (int row = 0; row < table_.ahead_rows; ++row) {
    std::memcpy(gates_ + row * row_floats_ + col_, sums_ + row * table_.lanes,
                static_cast<size_t>(table_.lanes) * sizeof(float));
  }
}

void RecurrentAhead::Multiply(const float* a, int64_t k, const float* b, float* dst) {
  RecurrentProduct product = {a, b, dst, k, x_, w_, sums_, 0, 0};
  int64_t want = call_ < calls_ ? steps_ * ++call_ / calls_ - done_ : 0;
  if (want == 0) return table_.product(product);
  const int64_t between = k / want;
  while (want > 0) {
    const int64_t panel = col_ / table_.widest * table_.widest;
    product.steps = std::min(want, k_ - at_);
    product.between = between;
    product.k = product.steps == want ? k : product.steps * between;
    product.x = x_ + at_ * table_.ahead_rows;
    product.w = w_ + panel * k_ + at_ * table_.widest + (col_ - panel);
    table_.product(product);
    k -= product.k;
    product.a += product.k;
    product.b += product.k * table_.widest;
    want -= product.steps;
    done_ += product.steps;
    at_ += product.steps;
    if (at_ < k_) continue;
    StoreTile();
    ++tile_;
    if (done_ < steps_) StartTile();
  }
}

}  // namespace moka::cpu
