#include "ops/tensor_desc.h"

#include <algorithm>
#include <vector>

#include "base/str_cat.h"

namespace moka {
namespace {

// Dimensions from the innermost outwards in memory.
int InnerToOuter(int rank, Format format, int* order) {
  const bool channels_last = format == Format::kChannelsLast && rank > 2;
  int n = 0;
  if (channels_last) order[n++] = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (!channels_last || i != 1) order[n++] = i;
  }
  return n;
}

// A maximal run of dimensions that lies in memory like one: dims outer to inner with stride = next stride * next dim.
struct Run {
  int64_t size = 1, stride = 1;
};

// Runs of `src` outer to inner, dimensions of size 1 left out.
std::vector<Run> RunsOf(const TensorDesc& src) {
  std::vector<Run> runs;
  for (int i = 0; i < src.rank; ++i) {
    const int64_t dim = src.dims[i], stride = src.strides[i];
    if (dim == 1) continue;
    if (!runs.empty() && runs.back().stride == stride * dim) {
      runs.back() = {runs.back().size * dim, stride};
    } else {
      runs.push_back({dim, stride});
    }
  }
  return runs;
}

}  // namespace

int64_t TensorDesc::NumElements() const {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  return n;
}

int64_t TensorDesc::Extent() const {
  int64_t last = 0;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 0) return 0;
    last += (dims[i] - 1) * strides[i];
  }
  return last + 1;
}

TensorDesc MakeDense(DataType type, const Shape& shape, Format format, int channel_alignment) {
  TensorDesc desc;
  desc.type = type;
  desc.rank = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), desc.dims.begin());
  int order[kMaxRank];
  const int n = InnerToOuter(desc.rank, format, order);
  const bool padded = desc.rank == 2 || (desc.rank > 2 && format == Format::kChannelsLast);
  int64_t stride = 1;
  for (int i = 0; i < n; ++i) {
    desc.strides[order[i]] = stride;
    stride *= desc.dims[order[i]];
    if (i == 0 && padded) stride = (stride + channel_alignment - 1) / channel_alignment * channel_alignment;
  }
  return desc;
}

bool IsDense(const TensorDesc& desc, Format format, int channel_alignment) {
  const TensorDesc dense = MakeDense(desc.type, desc.shape(), format, channel_alignment);
  for (int i = 0; i < desc.rank; ++i) {
    if (desc.dims[i] != 1 && desc.strides[i] != dense.strides[i]) return false;
  }
  return true;
}

bool SameShape(const TensorDesc& a, const TensorDesc& b) {
  return a.rank == b.rank && std::equal(a.dims.begin(), a.dims.begin() + a.rank, b.dims.begin());
}

bool ReshapeView(const TensorDesc& src, const Shape& shape, TensorDesc* dst) {
  TensorDesc view;
  view.type = src.type;
  view.rank = static_cast<int>(shape.size());
  if (view.rank > kMaxRank) return false;
  std::copy(shape.begin(), shape.end(), view.dims.begin());
  if (view.NumElements() != src.NumElements()) return false;
  if (view.NumElements() == 0) {
    *dst = MakeDense(src.type, shape);
    return true;
  }
  // Each run of src must be cut exactly into new dimensions; the new dimensions are taken from the innermost outwards.
  std::vector<Run> runs = RunsOf(src);
  int64_t stride = 1;  // of a dimension of size 1: whatever is dense
  for (int i = view.rank - 1; i >= 0; --i) {
    const int64_t dim = view.dims[i];
    if (dim == 1) {
      view.strides[i] = stride;
      continue;
    }
    while (!runs.empty() && runs.back().size == 1) runs.pop_back();
    Run& run = runs.back();  // exists: the numbers of elements are equal
    if (run.size % dim != 0) return false;
    view.strides[i] = run.stride;
    run.size /= dim;
    run.stride *= dim;
    stride = run.stride;
  }
  *dst = view;
  return true;
}

void TransposeView(const TensorDesc& src, const int* perm, TensorDesc* dst) {
  TensorDesc view = src;
  for (int i = 0; i < src.rank; ++i) {
    view.dims[i] = src.dims[perm[i]];
    view.strides[i] = src.strides[perm[i]];
  }
  *dst = view;
}

bool BroadcastView(const TensorDesc& src, const Shape& shape, TensorDesc* dst) {
  TensorDesc view;
  view.type = src.type;
  view.rank = static_cast<int>(shape.size());
  if (view.rank > kMaxRank || view.rank < src.rank) return false;
  std::copy(shape.begin(), shape.end(), view.dims.begin());
  for (int i = 0; i < src.rank; ++i) {
    const int k = view.rank - src.rank + i;
    if (src.dims[i] == view.dims[k]) {
      view.strides[k] = src.strides[i];
    } else if (src.dims[i] != 1) {
      return false;
    }
  }
  *dst = view;
  return true;
}

std::string ToString(const TensorDesc& desc) {
  std::string out = StrCat(NameOf(desc.type), "[");
  for (int i = 0; i < desc.rank; ++i) out += StrCat(i == 0 ? "" : ",", desc.dims[i]);
  out += "]";
  if (IsDense(desc)) return out;
  if (IsDense(desc, Format::kChannelsLast)) return out + (desc.rank == 4 ? "{nhwc}" : "{channels last}");
  out += "{strides";
  for (int i = 0; i < desc.rank; ++i) out += StrCat(i == 0 ? " " : ",", desc.strides[i]);
  return out + "}";
}

}  // namespace moka
