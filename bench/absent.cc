// Stands in for the libraries that the build did not find.
#include "bench/contender.h"

namespace moka::bench {

#ifndef MOKA_BENCH_ONEDNN
std::vector<Contender> OneDnn(const ProductShape&, int) { return {}; }
std::vector<Contender> OneDnn(const ConvolutionShape&, int) { return {}; }
#endif

#ifndef MOKA_BENCH_EIGEN
std::vector<Contender> EigenProduct(const ProductShape&) { return {}; }
std::vector<Contender> EigenProduct(const ConvolutionShape&) { return {}; }
#endif

}  // namespace moka::bench
