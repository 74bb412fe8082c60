#include "ops/resize.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <vector>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

enum Source : int { kX, kRoi, kScales, kSizes };
constexpr double kLargestScale = 0x1p30, kSmallestScale = 0x1p-30;

enum class AspectRatio : uint8_t { kStretch, kNotLarger, kNotSmaller };

Status ReadModes(const Attributes& attrs, ResizeParams* params) {
  static constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};
  static constexpr std::string_view kCoordinates[] = {
      "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
      "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
  static constexpr std::string_view kRoundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "mode", kModes, &params->mode));
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "coordinate_transformation_mode", kCoordinates, &params->coordinates));
  MOKA_RETURN_IF_ERROR(ReadEnum(attrs, "nearest_mode", kRoundings, &params->rounding));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "antialias", false, &params->antialias));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "exclude_outside", false, &params->exclude_outside));
  if (params->mode == ResizeMode::kNearest) params->antialias = params->exclude_outside = false;
  float a = -0.75f, extrapolation = 0;
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "cubic_coeff_a", -0.75f, &a));
  MOKA_RETURN_IF_ERROR(ReadFloat(attrs, "extrapolation_value", 0, &extrapolation));
  params->cubic_a = a;
  params->extrapolation = extrapolation;
  return Status();
}

Status ReadAspectRatio(const Attributes& attrs, AspectRatio* policy) {
  static constexpr std::string_view kPolicies[] = {"stretch", "not_larger", "not_smaller"};
  return ReadEnum(attrs, "keep_aspect_ratio_policy", kPolicies, policy);
}

// The dimensions that scales, sizes and roi speak of.
struct AxisList {
  int count = 0;
  std::array<int, kMaxRank> axes{};

  static Result<AxisList> Read(const Attributes& attrs, int rank) {
    IntList list;
    MOKA_RETURN_IF_ERROR(ReadInts(attrs, "axes", &list));
    uint32_t mask = 0;
    MOKA_RETURN_IF_ERROR(ResolveAxes(list.span(), rank, "attribute 'axes'", &mask));
    AxisList result;
    result.count = list.present ? list.size : rank;
    for (int i = 0; i < result.count; ++i) {
      const int64_t axis = list.present ? list[i] : i;
      result.axes[static_cast<size_t>(i)] = static_cast<int>(axis < 0 ? axis + rank : axis);
    }
    return result;
  }
  size_t operator[](int i) const { return static_cast<size_t>(axes[static_cast<size_t>(i)]); }
};

struct FloatList {
  std::array<double, 2 * kMaxRank> values{};
  int size = 0;

  static Result<FloatList> Of(const HostTensor& tensor, std::string_view operand, int expected) {
    FloatList list;
    const int64_t count = tensor.desc.NumElements();
    if (tensor.desc.rank != 1 || count != expected) {
      return InvalidModel("'", operand, "' has shape ", ToString(tensor.desc.shape()), ", expected ", expected,
                          " elements");
    }
    list.size = static_cast<int>(count);
    for (int i = 0; i < list.size; ++i) {
      list.values[static_cast<size_t>(i)] = Load<double>(tensor.desc, tensor.data, i * tensor.desc.strides[0]);
    }
    return list;
  }
};

Status CheckScales(const FloatList& scales) {
  for (int i = 0; i < scales.size; ++i) {
    const double scale = scales.values[static_cast<size_t>(i)];
    if (!(scale > kSmallestScale && scale < kLargestScale))
      return InvalidModel("src 2 (scales) has an element of ", scale);
  }
  return Status();
}

bool IsEmptyList(const SymbolicTensor& list) { return list.rank() == 1 && list.dims[0] == Dim(0); }
// Before opset 13 lists that do not count are empty tensors.
bool Given(const InferContext& ctx, int i) {
  return ctx.has_src(static_cast<size_t>(i)) && !IsEmptyList(*ctx.src[static_cast<size_t>(i)]);
}
bool Given(const OpCall& call, int i) { return call.has_src(i) && call.src[static_cast<size_t>(i)].NumElements() > 0; }

// floor(input * scale) in f32, as exporters compute it. For a symbol the scale is the simplest fraction that f32 rounds
// to it: 0.6 becomes 3 / 5, for which floor(10 * scale) is 6 as in f32, and not the 5.99 of its binary digits.
Dim ScaledDim(const Dim& input, double scale) {
  const auto single = static_cast<float>(scale);
  if (input.is_constant()) {
    return ConvertElement<int64_t>(std::floor(static_cast<float>(input.constant()) * single));
  }
  double rest = scale;
  int64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;  // convergents of the continued fraction
  for (int step = 0; step < 32; ++step) {
    const double whole = std::floor(rest);
    const int64_t digit = ConvertElement<int64_t>(whole);
    const int64_t p2 = digit * p1 + p0, q2 = digit * q1 + q0;
    p0 = p1;
    q0 = q1;
    p1 = p2;
    q1 = q2;
    if (static_cast<float>(static_cast<double>(p1) / static_cast<double>(q1)) == single || q1 > (int64_t{1} << 24))
      break;
    rest = 1 / (rest - whole);
  }
  return Dim::FloorDiv(input * Dim(p1), q1);
}

Status InferScales(InferContext& ctx, const AxisList& axes) {
  const HostTensor* constant = ctx.src[kScales]->constant;
  if (constant == nullptr || constant->data == nullptr) {
    ctx.needed_source = kScales;
    return Unsupported("src 2 (scales) determines a shape, but its contents are not known");
  }
  MOKA_ASSIGN_OR_RETURN(const FloatList scales, FloatList::Of(*constant, "scales", axes.count));
  MOKA_RETURN_IF_ERROR(CheckScales(scales));
  for (int i = 0; i < axes.count; ++i) {
    Dim& dim = ctx.dst[0].dims[axes[i]];
    dim = ScaledDim(dim, scales.values[static_cast<size_t>(i)]);
  }
  return Status();
}

// With an aspect ratio kept, the scale is the smallest (largest) of size / input over the axes, and a result is
// round(scale * input) = floor((2 * size * input + other) / (2 * other)), smallest (largest) over the `other` inputs.
Status InferSizes(InferContext& ctx, const AxisList& axes, AspectRatio policy) {
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> sizes, ctx.Elements(kSizes));
  if (sizes.size() != static_cast<size_t>(axes.count)) {
    return InvalidModel("src 3 (sizes) has ", sizes.size(), " elements, expected ", axes.count);
  }
  const std::vector<Dim>& input = ctx.src[kX]->dims;
  for (int i = 0; i < axes.count; ++i) {
    const Dim& size = sizes[static_cast<size_t>(i)];
    if (size.is_constant() && size.constant() < 0) return InvalidModel("src 3 (sizes): dimension of ", size.constant());
    Dim& dim = ctx.dst[0].dims[axes[i]];
    if (policy == AspectRatio::kStretch) dim = size;
    for (int k = 0; k < axes.count && policy != AspectRatio::kStretch; ++k) {
      const Dim& other = input[axes[k]];
      if (other == Dim(0)) return InvalidModel("src 0: dimension ", axes[k], " is empty");
      const Dim scaled = Dim::FloorDiv(Dim(2) * sizes[static_cast<size_t>(k)] * input[axes[i]] + other, Dim(2) * other);
      dim = k == 0 ? scaled : policy == AspectRatio::kNotLarger ? Dim::Min(dim, scaled) : Dim::Max(dim, scaled);
    }
  }
  return Status();
}

Status InferResize(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[kX];
  ResizeParams params;
  MOKA_RETURN_IF_ERROR(ReadModes(*ctx.attrs, &params));
  if (params.mode != ResizeMode::kNearest) {
    MOKA_RETURN_IF_ERROR(WithAccumulator<float>(x.type, [](auto) { return Status(); }));
  }
  AspectRatio policy{};
  MOKA_RETURN_IF_ERROR(ReadAspectRatio(*ctx.attrs, &policy));
  MOKA_ASSIGN_OR_RETURN(const AxisList axes, AxisList::Read(*ctx.attrs, x.rank()));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = x.dims;
  if (params.coordinates == ResizeCoordinates::kTfCropAndResize) {
    if (!Given(ctx, kRoi)) return InvalidModel("src 1 (roi) is missing");
    if (ctx.src[kRoi]->constant == nullptr) {
      ctx.needed_source = kRoi;
      return Unsupported("src 1 (roi) must be known when the plan is made");
    }
    MOKA_RETURN_IF_ERROR(FloatList::Of(*ctx.src[kRoi]->constant, "roi", 2 * axes.count).status());
  }
  const bool scales = Given(ctx, kScales), sizes = Given(ctx, kSizes);
  if (scales == sizes) return InvalidModel("exactly one of src 2 (scales) and src 3 (sizes) is expected");
  if (sizes) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kSizes, kIndexTypes));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kSizes, 1, 1));
    MOKA_RETURN_IF_ERROR(InferSizes(ctx, axes, policy));
  } else {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, kScales, {DataType::kF32}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, kScales, 1, 1));
    MOKA_RETURN_IF_ERROR(InferScales(ctx, axes));
  }
  for (size_t d = 0; d < x.dims.size(); ++d) {
    const Dim& dim = ctx.dst[0].dims[d];
    if (x.dims[d] == Dim(0) && dim.is_constant() && dim.constant() > 0) {
      return InvalidModel("dimension ", d, " of src 0 is empty: nothing to resize");
    }
    if (dim == x.dims[d]) continue;
    MOKA_RETURN_IF_ERROR(
        RequireAtMost(ctx, Dim::Min(dim, 1), x.dims[d], StrCat("dimension ", d, " of an empty src 0")));
  }
  return Status();
}

// ---- Positions and weights ----------------------------------------------------------------------------------------

// The position in the input of result `i`, as a real number.
double Coordinate(const ResizeParams& p, const ResizeAxis& axis, int64_t i) {
  const auto x = static_cast<double>(i), input = static_cast<double>(axis.input);
  const double output = axis.scale * input;  // not rounded
  const bool single = std::abs(output - 1) < 1e-6;
  switch (p.coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return (x + 0.5) / axis.scale - 0.5;
    case ResizeCoordinates::kHalfPixelSymmetric:
      return input / 2 * (1 - static_cast<double>(axis.output) / output) + (x + 0.5) / axis.scale - 0.5;
    case ResizeCoordinates::kPytorchHalfPixel:
      return axis.output > 1 ? (x + 0.5) / axis.scale - 0.5 : 0;
    case ResizeCoordinates::kAlignCorners:
      return single ? 0 : x * (input - 1) / (output - 1);
    case ResizeCoordinates::kAsymmetric:
      return x / axis.scale;
    case ResizeCoordinates::kTfHalfPixelForNn:
      return (x + 0.5) / axis.scale;
    case ResizeCoordinates::kTfCropAndResize: {
      const double part = single ? 0.5 : x / (output - 1);
      return (axis.roi_begin + part * (axis.roi_end - axis.roi_begin)) * (input - 1);
    }
  }
  return 0;
}

// Keys' cubic with the parameter a.
double Cubic(double distance, double a) {
  const double x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

double Nearest(ResizeRounding rounding, double x) {
  switch (rounding) {
    case ResizeRounding::kPreferFloor:
      return std::ceil(x - 0.5);
    case ResizeRounding::kPreferCeil:
      return std::floor(x + 0.5);
    case ResizeRounding::kFloor:
      return std::floor(x);
    case ResizeRounding::kCeil:
      return std::ceil(x);
  }
  return x;
}

// How much wider than at scale 1 the kernel is.
double Shrink(const ResizeParams& p, const ResizeAxis& axis) { return p.antialias ? std::min(axis.scale, 1.0) : 1.0; }

}  // namespace

int64_t ResizeParams::Taps(int d) const {
  const ResizeAxis& axis = axes[static_cast<size_t>(d)];
  if (axis.identity || mode == ResizeMode::kNearest) return 1;
  const double support = mode == ResizeMode::kLinear ? 1 : 2;
  return 2 - 2 * (static_cast<int64_t>(std::floor(-support / Shrink(*this, axis))) + 1);
}

bool ResizeParams::TapsOf(int d, int64_t output, int64_t* positions, double* weights) const {
  const ResizeAxis& axis = axes[static_cast<size_t>(d)];
  weights[0] = 1;
  positions[0] = output;
  if (axis.identity) return true;
  const auto last = static_cast<double>(axis.input - 1);
  const double at = Coordinate(*this, axis, output);
  if (coordinates == ResizeCoordinates::kTfCropAndResize && !(at >= 0 && at <= last)) return false;
  const auto inside = [&](double position) { return static_cast<int64_t>(std::clamp(position, 0.0, last)); };
  if (mode == ResizeMode::kNearest) {
    positions[0] = inside(Nearest(rounding, at));
    return true;
  }
  // The inputs are floor + begin, ...; a position that is an integer counts as the right end of its interval.
  const double floor = std::ceil(at) - 1, shrink = Shrink(*this, axis);
  const int64_t taps = Taps(d), begin = 1 - taps / 2;
  double sum = 0;
  for (int64_t k = 0; k < taps; ++k) {
    const double position = floor + static_cast<double>(begin + k), distance = (position - at) * shrink;
    weights[k] = mode == ResizeMode::kLinear ? std::max(0.0, 1 - std::abs(distance)) : Cubic(distance, cubic_a);
    if (exclude_outside && (position < 0 || position > last)) weights[k] = 0;
    positions[k] = inside(position);
    sum += weights[k];
  }
  if ((antialias || exclude_outside) && sum != 0) {
    for (int64_t k = 0; k < taps; ++k) weights[k] /= sum;
  }
  return true;
}

Result<ResizeParams> ResizeParams::From(const OpCall& call) {
  ResizeParams params;
  const TensorDesc &x = call.src[kX], &y = call.dst[0];
  MOKA_RETURN_IF_ERROR(ReadModes(*call.attrs, &params));
  AspectRatio policy{};
  MOKA_RETURN_IF_ERROR(ReadAspectRatio(*call.attrs, &policy));
  MOKA_ASSIGN_OR_RETURN(const AxisList axes, AxisList::Read(*call.attrs, x.rank));
  const auto constant = [&](int i) {
    const size_t k = static_cast<size_t>(i);
    return k < call.constants.size() ? call.constants[k] : nullptr;
  };
  params.rank = x.rank;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    ResizeAxis& axis = params.axes[d];
    axis.input = x.dims[d];
    axis.output = y.dims[d];
    axis.scale = x.dims[d] == 0 ? 1 : static_cast<double>(y.dims[d]) / static_cast<double>(x.dims[d]);
  }
  FloatList scales, roi, sizes;
  if (Given(call, kScales)) {
    if (constant(kScales) == nullptr) return Unsupported("src 2 (scales) must be known when the plan is made");
    MOKA_ASSIGN_OR_RETURN(scales, FloatList::Of(*constant(kScales), "scales", axes.count));
    MOKA_RETURN_IF_ERROR(CheckScales(scales));
  } else if (policy != AspectRatio::kStretch) {
    if (constant(kSizes) == nullptr) return Unsupported("src 3 (sizes) must be known when the plan is made");
    MOKA_ASSIGN_OR_RETURN(sizes, FloatList::Of(*constant(kSizes), "sizes", axes.count));
    double scale = 0;
    for (int i = 0; i < axes.count; ++i) {
      const double one =
          sizes.values[static_cast<size_t>(i)] / static_cast<double>(std::max<int64_t>(x.dims[axes[i]], 1));
      scale = i == 0 ? one : policy == AspectRatio::kNotLarger ? std::min(scale, one) : std::max(scale, one);
    }
    scales.size = axes.count;
    scales.values.fill(scale);
    MOKA_RETURN_IF_ERROR(CheckScales(scales));
  }
  const bool crop = params.coordinates == ResizeCoordinates::kTfCropAndResize;
  if (crop) {
    if (constant(kRoi) == nullptr) return Unsupported("src 1 (roi) must be known when the plan is made");
    MOKA_ASSIGN_OR_RETURN(roi, FloatList::Of(*constant(kRoi), "roi", 2 * axes.count));
  }
  for (int i = 0; i < axes.count; ++i) {
    ResizeAxis& axis = params.axes[axes[i]];
    if (scales.size > 0) axis.scale = scales.values[static_cast<size_t>(i)];
    if (crop) {
      axis.roi_begin = roi.values[static_cast<size_t>(i)];
      axis.roi_end = roi.values[static_cast<size_t>(axes.count + i)];
    }
    axis.identity = axis.scale == 1 && axis.input == axis.output && axis.roi_begin == 0 && axis.roi_end == 1;
  }
  return params;
}

namespace {

// Positions and weights of every result along every dimension.
class TapTable {
 public:
  explicit TapTable(const ResizeParams& params) {
    for (int d = 0; d < params.rank; ++d) {
      Axis& axis = axes_[static_cast<size_t>(d)];
      const int64_t outputs = params.axes[static_cast<size_t>(d)].output;
      axis.taps = params.Taps(d);
      axis.positions.resize(static_cast<size_t>(outputs * axis.taps));
      axis.weights.resize(axis.positions.size());
      axis.inside.resize(static_cast<size_t>(outputs));
      for (int64_t i = 0; i < outputs; ++i) {
        const size_t at = static_cast<size_t>(i * axis.taps);
        axis.inside[static_cast<size_t>(i)] = params.TapsOf(d, i, axis.positions.data() + at, axis.weights.data() + at);
      }
    }
  }
  bool Inside(int d, int64_t i) const { return axes_[static_cast<size_t>(d)].inside[static_cast<size_t>(i)]; }
  // Calls f(position, weight) for the inputs of result i along dimension d.
  template <class F>
  void ForEach(int d, int64_t i, F&& f) const {
    const Axis& axis = axes_[static_cast<size_t>(d)];
    for (int64_t k = i * axis.taps; k < (i + 1) * axis.taps; ++k) {
      if (axis.weights[static_cast<size_t>(k)] != 0) {
        f(axis.positions[static_cast<size_t>(k)], axis.weights[static_cast<size_t>(k)]);
      }
    }
  }

 private:
  struct Axis {
    int64_t taps = 1;
    std::vector<int64_t> positions;
    std::vector<double> weights;
    std::vector<bool> inside;
  };
  std::array<Axis, kMaxRank> axes_;
};

template <class Acc>
Acc Interpolate(const TapTable& table, const TensorDesc& x, const void* src, const Index& at, int d, int64_t offset) {
  if (d == x.rank) return Load<Acc>(x, src, offset);
  Acc sum{};
  table.ForEach(d, at[static_cast<size_t>(d)], [&](int64_t position, double weight) {
    sum += static_cast<Acc>(weight) *
           Interpolate<Acc>(table, x, src, at, d + 1, offset + position * x.strides[static_cast<size_t>(d)]);
  });
  return sum;
}

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF64 || type == DataType::kF16 || type == DataType::kBF16;
}

template <class Acc>
void ResizeLoops(const ResizeParams& params, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[kX], &y = reference.call.dst[0];
  const TapTable table(params);
  ForEachIndex(y, [&](const Index& at) {
    bool inside = true;
    for (int d = 0; d < params.rank; ++d) inside = inside && table.Inside(d, at[static_cast<size_t>(d)]);
    Acc value = static_cast<Acc>(params.extrapolation);
    if (inside) value = Interpolate<Acc>(table, x, reference.src[kX], at, 0, 0);
    Store<Acc>(y, reference.dst[0], OffsetOf(y, at), IsFloat(y.type) ? value : std::nearbyint(value));
  });
}

// Elements of any type, also those that cannot be computed with.
template <class Float>
Status ResizeNearest(const ResizeParams& params, const ReferenceCall& reference) {
  const TensorDesc &x = reference.call.src[kX], &y = reference.call.dst[0];
  return WithStorageType(x.type, [&](auto bits) {
    using Bits = decltype(bits);
    ForEachIndex(y, [&](const Index& at) {
      int64_t from = 0, position = 0;
      double weight = 0;
      bool inside = true;
      for (int d = 0; d < params.rank; ++d) {
        inside = params.TapsOf(d, at[static_cast<size_t>(d)], &position, &weight) && inside;
        from += position * x.strides[static_cast<size_t>(d)];
      }
      if (inside) return StoreRaw(reference.dst[0], OffsetOf(y, at), LoadRaw<Bits>(reference.src[kX], from));
      Store<double>(y, reference.dst[0], OffsetOf(y, at), params.extrapolation);
    });
    return Status();
  });
}

template <class Float>
Status ResizeReference(const ReferenceCall& reference) {
  MOKA_ASSIGN_OR_RETURN(const ResizeParams params, ResizeParams::From(reference.call));
  if (params.mode == ResizeMode::kNearest) return ResizeNearest<Float>(params, reference);
  reference.call.src[kX].type == DataType::kF32 ? ResizeLoops<Float>(params, reference)
                                                : ResizeLoops<double>(params, reference);
  return Status();
}

Cost ResizeCost(const OpCall& call) {
  const Result<ResizeParams> params = ResizeParams::From(call);
  double taps = 0;
  for (int d = 0; params.ok() && d < params->rank; ++d) taps += static_cast<double>(params->Taps(d));
  return {2 * taps * static_cast<double>(call.dst[0].NumElements())};
}

}  // namespace

const OpSchema* ResizeSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Resize",
      .min_src = 1,
      .max_src = 4,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kSame,
      .infer = InferResize,
      MOKA_REFERENCES(ResizeReference)  //
          .cost = ResizeCost,
  };
  return &kSchema;
}

}  // namespace moka
