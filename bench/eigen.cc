#include <Eigen/Dense>
#include <memory>

#include "bench/contender.h"

namespace moka::bench {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Product {
  Matrix a, b, dst;
  Eigen::RowVectorXf bias;
  bool relu;

  void operator()() {
    dst.noalias() = a * b;
    dst.rowwise() += bias;
    if (relu) dst = dst.cwiseMax(0.0f);
  }
};

std::vector<Contender> Make(int64_t m, int64_t k, int64_t n, bool relu) {
  const auto product = std::make_shared<Product>();
  product->a = Matrix::Random(m, k);
  product->b = Matrix::Random(k, n);
  product->bias = Eigen::RowVectorXf::Random(n);
  product->dst = Matrix::Zero(m, n);
  product->relu = relu;
  return {{"eigen", "product", [product] { (*product)(); }}};
}

}  // namespace

std::vector<Contender> EigenProduct(const ProductShape& shape) { return Make(shape.m, shape.k, shape.n, false); }

std::vector<Contender> EigenProduct(const ConvolutionShape& shape) {
  if (shape.groups > 1) return {};
  return Make(shape.out() * shape.out(), shape.channels * shape.kernel * shape.kernel, shape.outputs, true);
}

}  // namespace moka::bench
