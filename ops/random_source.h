// The generator of random operators: element i of a stream is a hash of the stream's seed and i, so that results depend
// on nothing else. A `seed` attribute names a stream: each run with it gives the same numbers. Without one, each run
// takes a new stream.
#ifndef MOKA_OPS_RANDOM_SOURCE_H_
#define MOKA_OPS_RANDOM_SOURCE_H_

#include <cstdint>

#include "base/status.h"
#include "ops/attributes.h"

namespace moka {

class RandomSource {
 public:
  // The stream that attribute `seed` names, or a new one.
  static Result<RandomSource> From(const Attributes& attrs);
  explicit RandomSource(uint64_t seed) : seed_(seed) {}

  double Uniform(int64_t i) const;  // in [0, 1)
  double Normal(int64_t i) const;   // mean 0, deviation 1; shares numbers with Uniform(2 * i) and Uniform(2 * i + 1)

 private:
  uint64_t seed_;
};

}  // namespace moka

#endif  // MOKA_OPS_RANDOM_SOURCE_H_
