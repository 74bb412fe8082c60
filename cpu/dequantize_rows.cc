#include "cpu/dequantize_rows.h"

#include <algorithm>

#include "cpu/nest.h"
#include "cpu/vector.h"
#include "ops/element.h"
#include "ops/quantize_linear.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kPiece = 256;  // elements of a row at once
enum : size_t { kSrc, kDst };

struct RowsLaunch {
  Nest<2> rows;                                                   // all dimensions but the last
  int64_t dims[kMaxRank], steps[kMaxRank], zero_steps[kMaxRank];  // of the indices of a scale, and of a zero point
  int64_t rank, axis, block, n;
  int64_t count, per_unit;
  int32_t has_zero;
};

// Strides of a scale (or zero point) by the indices of x.
Status SetSteps(const ScaleAxis& axis, const TensorDesc& scale, int64_t rank, int64_t* steps) {
  std::fill_n(steps, rank, int64_t{0});
  if (axis.axis < 0) return Status();
  if (axis.block == 0) {
    steps[axis.axis] = scale.strides[static_cast<size_t>(scale.rank - 1)];
    return Status();
  }
  if (scale.rank != rank) return Unsupported("a scale of rank ", scale.rank);
  for (int64_t d = 0; d < rank; ++d) steps[d] = scale.strides[static_cast<size_t>(d)];
  return Status();
}

template <class T>
void Widen(const void* src, int64_t at, int64_t n, float* dst) {
  const T* from = static_cast<const T*>(src) + at;
  for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<float>(from[i]);
}

// What each code of a type of one byte stands for; nothing of other types.
struct CodeTable {
  float values[256];

  explicit CodeTable(DataType type) {
    if (SizeOf(type) != 1) return;
    TensorDesc desc;
    desc.type = type;
    for (int i = 0; i < 256; ++i) {
      const auto code = static_cast<uint8_t>(i);
      values[i] = Load<float>(desc, &code, 0);
    }
  }
};

class RowReader {
 public:
  RowReader(const KernelArgs& args, const RowsLaunch& launch)
      : args_(args), launch_(launch), codes_(args.src_desc[0].type) {}

  // Row number `row`; the walk knows where it lies.
  void Run(int64_t row, const Walk<2>& at) {
    int64_t scale = 0, zero = 0;
    for (int64_t d = launch_.rank - 2; d >= 0; --d) {
      const int64_t index = row % launch_.dims[d] / (d == launch_.axis && launch_.block != 0 ? launch_.block : 1);
      row /= launch_.dims[d];
      scale += index * launch_.steps[d];
      zero += index * launch_.zero_steps[d];
    }
    for (int64_t first = 0; first < launch_.n; first += kPiece) {
      const int64_t n = std::min(kPiece, launch_.n - first);
      float floats[kPiece], scales[kPiece], zeros[kPiece];
      ReadFloats(at[kSrc] + first, n, floats);
      ReadScales(scale, zero, first, n, scales, zeros);
      static constexpr float kNothing[kPiece] = {};
      args_.simd->vector->normalize_columns(floats, zeros, scales, kNothing, args_.Dst() + at[kDst] + first, n);
    }
  }

 private:
  void ReadFloats(int64_t at, int64_t n, float* dst) const {
    switch (args_.src_desc[0].type) {
      case DataType::kI16:
        return Widen<int16_t>(args_.src[0], at, n, dst);
      case DataType::kU16:
        return Widen<uint16_t>(args_.src[0], at, n, dst);
      case DataType::kI32:
        return Widen<int32_t>(args_.src[0], at, n, dst);
      default:
        for (int64_t i = 0; i < n; ++i) dst[i] = codes_.values[static_cast<const uint8_t*>(args_.src[0])[at + i]];
    }
  }

  void ReadScales(int64_t scale, int64_t zero, int64_t first, int64_t n, float* scales, float* zeros) const {
    const int64_t last = launch_.rank - 1, block = launch_.axis == last && launch_.block != 0 ? launch_.block : 1;
    const int64_t step = launch_.steps[last], zero_step = launch_.zero_steps[last];
    std::fill_n(zeros, n, 0.0f);
    for (int64_t i = 0; i < n;) {  // a block has one scale
      const int64_t index = (first + i) / block, end = step == 0 ? n : std::min(n, (index + 1) * block - first);
      std::fill(scales + i, scales + end, args_.Src(1)[scale + index * step]);
      if (launch_.has_zero != 0) {
        std::fill(zeros + i, zeros + end, Load<float>(args_.src_desc[2], args_.src[2], zero + index * zero_step));
      }
      i = end;
    }
  }

  const KernelArgs& args_;
  const RowsLaunch& launch_;
  const CodeTable codes_;
};

bool IsReadable(DataType type, bool has_zero) {
  if (type == DataType::kI32) return !has_zero;  // a difference of two of them is not exact in f32
  return SizeOf(type) == 1 || type == DataType::kI16 || type == DataType::kU16;
}

}  // namespace

Status ChooseDequantizeRows(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &scale = call.src[1], &y = call.dst[0];
  RowsLaunch launch{};
  launch.has_zero = call.has_src(2) ? 1 : 0;
  if (!IsReadable(x.type, launch.has_zero != 0)) return Unsupported("src 0: type ", NameOf(x.type));
  if (scale.type != DataType::kF32 || y.type != DataType::kF32) return Unsupported("src 1 or dst is not f32");
  if (x.rank == 0) return Unsupported("src 0 is a scalar");
  const auto last = static_cast<size_t>(x.rank - 1);
  if (x.dims[last] > 1 && (x.strides[last] != 1 || y.strides[last] != 1)) return Unsupported("rows are not contiguous");
  MOKA_ASSIGN_OR_RETURN(const ScaleAxis axis, ScaleAxis::From(call));
  launch.rank = x.rank;
  launch.axis = axis.axis;
  launch.block = axis.block;
  launch.n = x.dims[last];
  MOKA_RETURN_IF_ERROR(SetSteps(axis, scale, x.rank, launch.steps));
  if (launch.has_zero != 0) MOKA_RETURN_IF_ERROR(SetSteps(axis, call.src[2], x.rank, launch.zero_steps));
  for (size_t d = 0; d < last; ++d) {
    launch.dims[d] = x.dims[d];
    launch.rows.Add(x.dims[d], {x.strides[d], y.strides[d]});
  }
  launch.count = launch.rows.Count();
  launch.per_unit = std::max<int64_t>(kUnitElements / std::max<int64_t>(launch.n, 1), 1);
  choice->units = CeilDiv(launch.count, launch.per_unit);
  choice->cost_us = 12 * static_cast<double>(x.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

void RunDequantizeRows(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<RowsLaunch>();
  RowReader reader(args, launch);
  const int64_t last = std::min(end * launch.per_unit, launch.count);
  int64_t row = begin * launch.per_unit;
  for (Walk<2> at(launch.rows, row); row < last; ++row, at.Next()) reader.Run(row, at);
}

}  // namespace moka::cpu
