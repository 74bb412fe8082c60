#include "examples/fashion_mnist/dataset.h"

#include <fmt/core.h>
#include <zlib.h>

#include <memory>

namespace {

using moka::Result;
using moka::Status;
using moka::StatusCode;

uint32_t BigEndian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | uint32_t{p[3]};
}

// An IDX file of bytes: a magic number with the rank in its last byte, the sizes, the elements.
Result<std::vector<uint8_t>> ReadIdx(const std::string& path, int rank, size_t item_bytes) {
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) return Status(StatusCode::kNotFound, fmt::format("cannot read {} (package dataset-fashion-mnist)", path));
  std::vector<uint8_t> header(4 + 4 * static_cast<size_t>(rank));
  const int header_bytes = static_cast<int>(header.size());
  if (gzread(file.get(), header.data(), header.size()) != header_bytes || header[2] != 8 || header[3] != rank)
    return Status(StatusCode::kInvalidArgument, fmt::format("{}: not an IDX file of bytes of rank {}", path, rank));
  const uint32_t count = BigEndian(&header[4]);
  if (count > 100000) return Status(StatusCode::kInvalidArgument, fmt::format("{}: {} items", path, count));
  std::vector<uint8_t> items(count * item_bytes);
  if (gzread(file.get(), items.data(), items.size()) != static_cast<int>(items.size()))
    return Status(StatusCode::kInvalidArgument, fmt::format("{}: ends early", path));
  return items;
}

}  // namespace

Result<moka::Tensor> Dataset::Batch(int first, int n) const {
  Result<moka::Tensor> batch = moka::Tensor::Create(moka::DataType::kF32, {n, 1, kSide, kSide});
  if (!batch.ok()) return batch;
  const uint8_t* source = &pixels[static_cast<size_t>(first) * kPixels];
  float* out = batch->as<float>();
  for (int i = 0; i < n * kPixels; i++) out[i] = static_cast<float>(source[i]) / 255.0f;
  return batch;
}

Result<Dataset> LoadTestImages(const std::string& folder) {
  Result<std::vector<uint8_t>> images = ReadIdx(folder + "/t10k-images-idx3-ubyte.gz", 3, Dataset::kPixels);
  if (!images.ok()) return images.status();
  Result<std::vector<uint8_t>> labels = ReadIdx(folder + "/t10k-labels-idx1-ubyte.gz", 1, 1);
  if (!labels.ok()) return labels.status();
  if (images->size() != labels->size() * Dataset::kPixels)
    return Status(StatusCode::kInvalidArgument, folder + ": as many labels as images are expected");
  Dataset dataset;
  dataset.count = static_cast<int>(labels->size());
  dataset.pixels = std::move(*images);
  dataset.labels = std::move(*labels);
  return dataset;
}
