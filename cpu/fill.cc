// Results that are one or two values: ConstantOfShape, EyeLike, OneHot; and Range.
#include <algorithm>
#include <cstring>

#include "cpu/kernel.h"
#include "ops/constant_of_shape.h"
#include "ops/element.h"
#include "ops/one_hot.h"
#include "ops/params.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitBytes = 65536;

// An element of 1, 2, 4 or 8 bytes.
struct Element {
  int64_t bytes;
  std::byte value[8];

  void Fill(void* dst, int64_t begin, int64_t count) const {
    auto* to = static_cast<std::byte*>(dst) + begin * bytes;
    if (count <= 0) return;
    std::memcpy(to, value, static_cast<size_t>(bytes));
    int64_t done = bytes;
    for (const int64_t all = count * bytes; done < all; done += std::min(done, all - done)) {
      std::memcpy(to + done, to, static_cast<size_t>(std::min(done, all - done)));
    }
  }
};

Element ElementOf(DataType type, const void* value) {
  Element element{static_cast<int64_t>(SizeOf(type)), {}};
  if (value != nullptr) std::memcpy(element.value, value, static_cast<size_t>(element.bytes));
  return element;
}

Status CheckDst(const TensorDesc& y) {
  if (SizeOf(y.type) == 0 || SizeOf(y.type) > 8) return Unsupported("dst: ", NameOf(y.type));
  return IsDense(y) ? Status() : Unsupported("dst is not dense");
}

// `rows` rows of `row` elements in units of whole rows.
struct FillLaunch {
  Element off, on;
  int64_t rows, row, rows_per_unit;
  int64_t shift;  // EyeLike: the diagonal; Range: unused
  int64_t inner;  // OneHot: dimensions behind the new one

  void SetUnits(Choice* choice) {
    rows_per_unit = std::max<int64_t>(kUnitBytes / std::max<int64_t>(row * off.bytes, 1), 1);
    choice->units = CeilDiv(rows, rows_per_unit);
    choice->cost_us = static_cast<double>(rows * row * off.bytes) / kBytesPerMicrosecond;
    choice->launch = Blob::Of(*this);
  }
};

// ---- ConstantOfShape ----------------------------------------------------------------------------------------------

Status ChooseConstant(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckDst(y));
  const HostTensor* value = nullptr;
  MOKA_RETURN_IF_ERROR(ReadFillValue(*call.attrs, &value));
  FillLaunch launch{};
  launch.off = ElementOf(y.type, value == nullptr ? nullptr : value->data);
  launch.rows = y.NumElements();
  launch.row = 1;
  launch.SetUnits(choice);
  return Status();
}

void RunConstant(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<FillLaunch>();
  const int64_t first = begin * launch.rows_per_unit, last = std::min(end * launch.rows_per_unit, launch.rows);
  launch.off.Fill(args.dst[0], first, last - first);
}

// ---- EyeLike ------------------------------------------------------------------------------------------------------

Status ChooseEye(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckDst(y));
  FillLaunch launch{};
  MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "k", 0, &launch.shift));
  launch.off = launch.on = ElementOf(y.type, nullptr);
  Store<double>(y, launch.on.value, 0, 1.0);
  launch.rows = y.dims[0];
  launch.row = y.dims[1];
  launch.SetUnits(choice);
  return Status();
}

void RunEye(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<FillLaunch>();
  const int64_t last = std::min(end * launch.rows_per_unit, launch.rows);
  for (int64_t i = begin * launch.rows_per_unit; i < last; ++i) {
    launch.off.Fill(args.dst[0], i * launch.row, launch.row);
    if (launch.shift < -i || launch.shift >= launch.row - i) continue;
    launch.on.Fill(args.dst[0], i * launch.row + i + launch.shift, 1);
  }
}

// ---- OneHot -------------------------------------------------------------------------------------------------------

// A row is all that one index of the dimensions before the new one leads to.
Status ChooseOneHot(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &indices = call.src[0], &y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckDst(y));
  if (!IsDense(indices)) return Unsupported("src 0 is not dense");
  MOKA_ASSIGN_OR_RETURN(const int axis, OneHotAxis(*call.attrs, indices.rank));
  FillLaunch launch{};
  launch.off = ElementOf(y.type, nullptr);
  launch.rows = launch.inner = 1;
  for (int d = 0; d < y.rank; ++d) {
    if (d != axis) (d < axis ? launch.rows : launch.inner) *= y.dims[static_cast<size_t>(d)];
  }
  launch.row = y.dims[static_cast<size_t>(axis)] * launch.inner;
  launch.SetUnits(choice);
  return Status();
}

void RunOneHot(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<FillLaunch>();
  const TensorDesc &indices = args.src_desc[0], &values = args.src_desc[2];
  const auto* pair = static_cast<const std::byte*>(args.src[2]);
  const Element off = ElementOf(values.type, pair), on = ElementOf(values.type, pair + values.strides[0] * off.bytes);
  const int64_t last = std::min(end * launch.rows_per_unit, launch.rows);
  for (int64_t row = begin * launch.rows_per_unit; row < last && launch.row > 0; ++row) {
    off.Fill(args.dst[0], row * launch.row, launch.row);
    const int64_t depth = launch.row / launch.inner;
    for (int64_t i = 0; i < launch.inner; ++i) {
      const auto index = Load<int64_t>(indices, args.src[0], row * launch.inner + i);
      const int64_t at = index < 0 ? index + depth : index;
      if (at >= 0 && at < depth) on.Fill(args.dst[0], row * launch.row + at * launch.inner + i, 1);
    }
  }
}

// ---- Range --------------------------------------------------------------------------------------------------------

Status ChooseRange(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc& y = call.dst[0];
  MOKA_RETURN_IF_ERROR(CheckDst(y));
  if (y.type != DataType::kF32 && y.type != DataType::kI32 && y.type != DataType::kI64) {
    return Unsupported("dst: ", NameOf(y.type), ", not f32, i32 or i64");
  }
  FillLaunch launch{};
  launch.off = ElementOf(y.type, nullptr);
  launch.rows = y.NumElements();
  launch.row = 1;
  launch.SetUnits(choice);
  return Status();
}

// Integers wrap around.
template <class T, class Wrapping>
void RangeLoop(const KernelArgs& args, int64_t begin, int64_t end) {
  const auto start = static_cast<Wrapping>(LoadRaw<T>(args.src[0], 0));
  const auto delta = static_cast<Wrapping>(LoadRaw<T>(args.src[2], 0));
  T* dst = static_cast<T*>(args.dst[0]);
  for (int64_t i = begin; i < end; ++i) dst[i] = static_cast<T>(start + delta * static_cast<Wrapping>(i));
}

void RunRange(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<FillLaunch>();
  const int64_t first = begin * launch.rows_per_unit, last = std::min(end * launch.rows_per_unit, launch.rows);
  switch (args.dst_desc[0].type) {
    case DataType::kF32:
      return RangeLoop<float, float>(args, first, last);
    case DataType::kI32:
      return RangeLoop<int32_t, uint32_t>(args, first, last);
    default:
      return RangeLoop<int64_t, uint64_t>(args, first, last);
  }
}

}  // namespace

std::span<const KernelRow> FillRows() {
  static constexpr KernelRow kRows[] = {
      {"ConstantOfShape", "fill", &ChooseConstant, &RunConstant},
      {"EyeLike", "fill", &ChooseEye, &RunEye},
      {"OneHot", "one_hot", &ChooseOneHot, &RunOneHot},
      {"Range", "range", &ChooseRange, &RunRange},
  };
  return kRows;
}

}  // namespace moka::cpu
