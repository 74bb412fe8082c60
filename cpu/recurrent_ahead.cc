#include "cpu/recurrent_ahead.h"

#include <algorithm>
#include <cstring>

namespace moka::cpu {

RecurrentAhead::RecurrentAhead(const Simd& simd, const float* w, int64_t input, int64_t columns, const float* bias,
                               float* scratch)
    : vectors_(*simd.vector),
      table_(*simd.recurrent),
      w_(w),
      bias_(bias),
      input_(input),
      columns_(columns),
      x_(scratch),
      sums_(scratch + table_.ahead_rows * input) {}

int64_t RecurrentAhead::ScratchFloats(const Simd& simd, int64_t input) {
  const RecurrentTable& table = *simd.recurrent;
  return table.ahead_rows * (input + table.lanes);
}

void RecurrentAhead::Begin(const float* x, int64_t x_step, float* gates, int64_t calls) {
  vectors_.transpose(x, x_step, x_, table_.ahead_rows, table_.ahead_rows, input_);
  gates_ = gates;
  calls_ = calls;
  call_ = done_ = col_ = 0;
  steps_ = columns_ / table_.lanes * input_;
  StartTile();
}

void RecurrentAhead::StartTile() {
  at_ = 0;
  for (int row = 0; row < table_.ahead_rows; ++row) {
    std::memcpy(sums_ + row * table_.lanes, bias_ + col_, static_cast<size_t>(table_.lanes) * sizeof(float));
  }
}

void RecurrentAhead::StoreTile() const {
  for (int row = 0; row < table_.ahead_rows; ++row) {
    std::memcpy(gates_ + row * columns_ + col_, sums_ + row * table_.lanes,
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
    product.steps = std::min(want, input_ - at_);
    product.between = between;
    product.k = product.steps == want ? k : product.steps * between;
    product.x = x_ + at_ * table_.ahead_rows;
    product.w = w_ + panel * input_ + at_ * table_.widest + (col_ - panel);
    table_.product(product);
    k -= product.k;
    product.a += product.k;
    product.b += product.k * table_.widest;
    want -= product.steps;
    done_ += product.steps;
    at_ += product.steps;
    if (at_ < input_) continue;
    StoreTile();
    col_ += table_.lanes;
    if (col_ < columns_) StartTile();
  }
}

}  // namespace moka::cpu
