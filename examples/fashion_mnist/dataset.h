// Fashion-MNIST as Debian's package dataset-fashion-mnist ships it: gzipped IDX files.
#ifndef MOKA_EXAMPLES_FASHION_MNIST_DATASET_H_
#define MOKA_EXAMPLES_FASHION_MNIST_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "moka/moka.h"

struct Dataset {
  static constexpr int kSide = 28, kPixels = kSide * kSide;
  int count = 0;
  std::vector<uint8_t> pixels;  // count * kPixels, 0 is the background
  std::vector<uint8_t> labels;  // 0 to 9

  // Pictures [first, first + n) as f32 [n, 1, 28, 28] in 0..1.
  moka::Result<moka::Tensor> Batch(int first, int n) const;
};

// The 10,000 test images of `folder`.
moka::Result<Dataset> LoadTestImages(const std::string& folder);

#endif  // MOKA_EXAMPLES_FASHION_MNIST_DATASET_H_
