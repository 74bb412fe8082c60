// The discrete Fourier transform of any length n in O(n log n): Stockham's mixed-radix transform where n has small
// prime factors, else Bluestein's. In double: rounding errors grow with log n, far below those of f32.
#ifndef MOKA_OPS_FFT_H_
#define MOKA_OPS_FFT_H_

#include <complex>
#include <cstdint>

namespace moka {

using Complex = std::complex<double>;

class FftPlan {
 public:
  explicit FftPlan(int64_t n);

  int64_t size() const { return n_; }
  int64_t TableSize() const;  // complex numbers
  int64_t WorkSize() const;
  void MakeTable(Complex* table, Complex* work) const;
  // data[k] = sum over j of data[j] * exp(-2 pi i j k / n), or, inverse, with exp(+...), divided by n.
  void Run(const Complex* table, Complex* data, Complex* work, bool inverse) const;

 private:
  int64_t n_;
  int64_t padded_ = 0;  // of Bluestein: a power of two
};

}  // namespace moka

#endif  // MOKA_OPS_FFT_H_
