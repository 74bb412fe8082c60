#include "ops/fft.h"

#include <algorithm>
#include <cmath>

namespace moka {
namespace {

constexpr int64_t kMaxRadix = 13;
const double kPi = std::acos(-1.0);

int64_t NextRadix(int64_t n) {
  if (n % 4 == 0) return 4;
  for (int64_t r = 2; r <= kMaxRadix; ++r) {
    if (n % r == 0) return r;
  }
  return 0;
}

bool HasSmallFactors(int64_t n) {
  while (n > 1) {
    const int64_t radix = NextRadix(n);
    if (radix == 0) return false;
    n /= radix;
  }
  return true;
}

Complex TimesMinusI(Complex z) { return {z.imag(), -z.real()}; }

// table[k] = exp(-2 pi i k / n)
void MakeRoots(int64_t n, Complex* table) {
  for (int64_t k = 0; k < n; ++k) {
    const double angle = -2 * kPi * static_cast<double>(k) / static_cast<double>(n);
    table[k] = {std::cos(angle), std::sin(angle)};
  }
}

// The transform of `radix` numbers in place.
void Butterfly(const Complex* roots, int64_t n, int64_t radix, Complex* a) {
  if (radix == 2) {
    const Complex sum = a[0] + a[1];
    a[1] = a[0] - a[1];
    a[0] = sum;
    return;
  }
  if (radix == 4) {
    const Complex even = a[0] + a[2], odd = a[1] + a[3], even_less = a[0] - a[2], odd_less = TimesMinusI(a[1] - a[3]);
    a[0] = even + odd;
    a[1] = even_less + odd_less;
    a[2] = even - odd;
    a[3] = even_less - odd_less;
    return;
  }
  Complex sums[kMaxRadix];
  const int64_t step = n / radix;
  for (int64_t j = 0; j < radix; ++j) {
    sums[j] = a[0];
    for (int64_t k = 1; k < radix; ++k) sums[j] += a[k] * roots[j * k % radix * step];
  }
  std::copy_n(sums, radix, a);
}

// Stockham: each pass splits off one factor r of the length and writes to the other buffer, in an order that needs no
// permutation afterwards. `count` transforms of length `length` lie interleaved.
void MixedRadix(const Complex* roots, int64_t n, Complex* data, Complex* work) {
  Complex *src = data, *dst = work;
  for (int64_t length = n, count = 1; length > 1;) {
    const int64_t radix = NextRadix(length), part = length / radix;
    for (int64_t p = 0; p < part; ++p) {
      for (int64_t q = 0; q < count; ++q) {
        Complex a[kMaxRadix];
        for (int64_t k = 0; k < radix; ++k) a[k] = src[q + count * (p + part * k)];
        Butterfly(roots, n, radix, a);
        Complex* to = dst + q + count * radix * p;
        to[0] = a[0];
        for (int64_t j = 1; j < radix; ++j) to[count * j] = a[j] * roots[p * j * count];
      }
    }
    std::swap(src, dst);
    length = part;
    count *= radix;
  }
  if (src != data) std::copy_n(src, n, data);
}

void Conjugate(Complex* data, int64_t n) {
  for (int64_t i = 0; i < n; ++i) data[i] = std::conj(data[i]);
}

}  // namespace

FftPlan::FftPlan(int64_t n) : n_(n) {
  if (HasSmallFactors(n)) return;
  for (padded_ = 1; padded_ < 2 * n - 1;) padded_ *= 2;
}

int64_t FftPlan::TableSize() const { return padded_ == 0 ? n_ : n_ + 2 * padded_; }
int64_t FftPlan::WorkSize() const { return padded_ == 0 ? n_ : 2 * padded_; }

// Of Bluestein: the chirp exp(-pi i k^2 / n), the transform of its conjugate around 0, the roots of the padded length.
void FftPlan::MakeTable(Complex* table, Complex* work) const {
  if (padded_ == 0) return MakeRoots(n_, table);
  Complex *chirp = table, *spectrum = table + n_, *roots = spectrum + padded_;
  MakeRoots(padded_, roots);
  std::fill_n(spectrum, padded_, Complex());
  int64_t square = 0;  // k^2 mod 2 n: the angle stays small
  for (int64_t k = 0; k < n_; ++k) {
    const double angle = -kPi * static_cast<double>(square) / static_cast<double>(n_);
    chirp[k] = {std::cos(angle), std::sin(angle)};
    spectrum[k] = std::conj(chirp[k]);
    if (k > 0) spectrum[padded_ - k] = spectrum[k];
    square = (square + 2 * k + 1) % (2 * n_);
  }
  MixedRadix(roots, padded_, spectrum, work);
}

// Bluestein: j k = (j^2 + k^2 - (k - j)^2) / 2 makes the transform a convolution with the chirp. An inverse transform
// is the conjugate of the transform of the conjugate.
void FftPlan::Run(const Complex* table, Complex* data, Complex* work, bool inverse) const {
  if (inverse) Conjugate(data, n_);
  if (padded_ == 0) {
    MixedRadix(table, n_, data, work);
  } else {
    const Complex *chirp = table, *spectrum = table + n_, *roots = spectrum + padded_;
    Complex* padded = work + padded_;
    for (int64_t k = 0; k < n_; ++k) padded[k] = data[k] * chirp[k];
    std::fill_n(padded + n_, padded_ - n_, Complex());
    MixedRadix(roots, padded_, padded, work);
    for (int64_t k = 0; k < padded_; ++k) padded[k] = std::conj(padded[k] * spectrum[k]);
    MixedRadix(roots, padded_, padded, work);
    for (int64_t k = 0; k < n_; ++k) data[k] = std::conj(padded[k]) * chirp[k] / static_cast<double>(padded_);
  }
  if (!inverse) return;
  for (int64_t k = 0; k < n_; ++k) data[k] = std::conj(data[k]) / static_cast<double>(n_);
}

}  // namespace moka
