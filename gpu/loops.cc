#include "gpu/loops.h"

#include <algorithm>

namespace moka::gpu {

void Loops::SortByFirst(bool keep_inner) {
  std::stable_sort(dim.begin() + (keep_inner && dims > 0 ? 1 : 0), dim.begin() + dims,
                   [](const Dim& a, const Dim& b) { return a.stride[0] < b.stride[0]; });
}

void Loops::Merge(bool keep_inner) {
  int kept = 0;
  for (int i = 0; i < dims; ++i) {
    const Dim d = at(i);
    if (d.size == 1 && !d.pinned && !(keep_inner && i == 0)) continue;
    Dim* last = kept > 0 ? &dim[static_cast<size_t>(kept - 1)] : nullptr;
    bool joins = last != nullptr && !last->pinned && !d.pinned;
    for (size_t k = 0; joins && k < kMaxOperands; ++k) joins = d.stride[k] == last->stride[k] * last->size;
    if (joins) {
      last->size *= d.size;
    } else {
      dim[static_cast<size_t>(kept++)] = d;
    }
  }
  if (kept == 0) dim[static_cast<size_t>(kept++)] = Dim{};
  for (int i = kept; i < dims; ++i) dim[static_cast<size_t>(i)] = Dim{};
  dims = kept;
}

int Loops::FindAxis(int axis) const {
  for (int i = 0; i < dims; ++i) {
    if (at(i).axis == axis && at(i).pinned) return i;
  }
  return -1;
}

int PaddedAxis(const TensorDesc& desc) {
  if (desc.rank < 2) return -1;
  int inner = -1;
  for (int i = 0; i < desc.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (desc.strides[k] == 1 && (inner < 0 || desc.dims[k] > 1)) inner = i;
  }
  if (inner < 0 || desc.dims[static_cast<size_t>(inner)] % kVectorLanes == 0) return -1;
  for (int i = 0; i < desc.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (i != inner && desc.dims[k] > 1 && desc.strides[k] % kVectorLanes != 0) return -1;
  }
  return inner;
}

bool MakeRowLoops(const TensorDesc& dst, std::initializer_list<Walk> walks, uint32_t pinned, RowLoops* rows) {
  const int padded = PaddedAxis(dst);
  const int words = walks.begin()->words;
  Loops& loops = rows->loops;
  loops = Loops{};
  const auto add = [&](int axis) {
    Loops::Dim d;
    d.size = dst.dims[static_cast<size_t>(axis)];
    d.axis = axis;
    d.pinned = (pinned >> axis & 1) != 0;
    size_t k = 0;
    for (const Walk& walk : walks) d.stride[k++] = walk.strides[static_cast<size_t>(axis)] * walk.words;
    loops.AddOutermost(d);
  };
  if (padded >= 0) add(padded);
  for (int i = dst.rank - 1; i >= 0; --i) {
    if (i != padded) add(i);
  }
  loops.SortByFirst(padded >= 0);
  if (words == 2) {
    std::copy_backward(loops.dim.begin(), loops.dim.begin() + loops.dims, loops.dim.begin() + loops.dims + 1);
    loops.dim[0] = Loops::Dim{};
    loops.dim[0].size = 2;
    size_t k = 0;
    for (const Walk& walk : walks) loops.dim[0].stride[k++] = walk.words == 2 ? 1 : 0;
    ++loops.dims;
  }
  loops.Merge(padded >= 0);
  rows->inner = rows->lanes = loops.at(0).size;
  if (padded >= 0) {
    const int64_t channels = dst.dims[static_cast<size_t>(padded)];
    if (rows->inner != channels * words) return false;
    rows->lanes = RoundUp(channels, kVectorLanes) * words;
  }
  rows->groups = CeilDiv(rows->lanes, kVectorLanes);
  rows->items = rows->groups;
  for (int d = 1; d < loops.dims; ++d) rows->items *= loops.at(d).size;
  if (rows->inner == 0) rows->items = 0;
  return true;
}

}  // namespace moka::gpu
