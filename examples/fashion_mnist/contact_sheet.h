// A picture of pictures: what the network saw and what it said.
#ifndef MOKA_EXAMPLES_FASHION_MNIST_CONTACT_SHEET_H_
#define MOKA_EXAMPLES_FASHION_MNIST_CONTACT_SHEET_H_

#include <string>
#include <vector>

#include "examples/fashion_mnist/dataset.h"

struct Prediction {
  int label = 0;
  float probability = 0;
};

// Draws the first images of the set with a few misclassified ones among them, so that both kinds are seen,
// each with label, probability and whether it is right. `font` is a TrueType file; `title` and `subtitle` head the
// page.
moka::Status DrawContactSheet(const std::string& path, const Dataset& dataset,
                              const std::vector<Prediction>& predictions, const std::vector<std::string>& labels,
                              const std::string& font, const std::string& title, const std::string& subtitle);

#endif  // MOKA_EXAMPLES_FASHION_MNIST_CONTACT_SHEET_H_
