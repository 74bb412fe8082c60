// Who takes part in a comparison of kernels: moka, and other libraries on the same shapes.
#ifndef MOKA_BENCH_CONTENDER_H_
#define MOKA_BENCH_CONTENDER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace moka::bench {

// [m,k] x [k,n] + [n], the right side and the bias constant.
struct ProductShape {
  int64_t m, k, n;
};

// Of one square picture, with bias and ReLU; padded by half of the kernel.
struct ConvolutionShape {
  int64_t channels, outputs, size, kernel, stride, groups;

  int64_t pad() const { return kernel / 2; }
  int64_t out() const { return (size + 2 * pad() - kernel) / stride + 1; }
};

struct Contender {
  std::string engine;  // "onednn"
  std::string kernel;  // "brgemm:avx512_core"
  std::function<void()> run;
};

// Each way of oneDNN that is not its reference, in the formats that it wants: what brings operands there is left out.
// Empty where the build found no oneDNN.
std::vector<Contender> OneDnn(const ProductShape& shape, int threads);
std::vector<Contender> OneDnn(const ConvolutionShape& shape, int threads);

// Eigen's product, and that of a convolution whose patches lie there as a matrix already; none for groups. Empty where
// the build found no Eigen.
std::vector<Contender> EigenProduct(const ProductShape& shape);
std::vector<Contender> EigenProduct(const ConvolutionShape& shape);

}  // namespace moka::bench

#endif  // MOKA_BENCH_CONTENDER_H_
