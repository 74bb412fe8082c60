// Conv: as a matrix product (1x1), depthwise, direct in vectors, or direct for any strides.
#include <cstddef>

#include "gpu/choose.h"
#include "gpu/epilogue.h"
#include "gpu/gemm.h"
#include "gpu/params.h"
#include "ops/conv.h"

namespace moka::gpu {
namespace {

constexpr int kGroup = 32;

struct ConvCall {
  const Request& request;
  ConvParams params;
  Window window;  // of three dimensions: z, y, x
  int64_t images, in_channels, out_channels;
  std::array<int64_t, 3> in{1, 1, 1}, out{1, 1, 1};  // sizes of z, y, x
  std::array<int64_t, 5> in_stride{}, out_stride{};  // of n, c, z, y, x
  RowShape rows;
  bool bias = false;

  ConvCall(const Request& r, const ConvParams& p) : request(r), params(p), window(p.Expanded(3)) {
    const TensorDesc &src = r.src(0), &dst = r.dst();
    images = src.dims[0];
    in_channels = src.dims[1];
    out_channels = dst.dims[1];
    in_stride = {src.strides[0], src.strides[1]};
    out_stride = {dst.strides[0], dst.strides[1]};
    const size_t shift = static_cast<size_t>(3 - p.rank);
    rows.axes[0] = 0;
    for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) {
      in[i + shift] = src.dims[i + 2];
      out[i + shift] = dst.dims[i + 2];
      in_stride[i + shift + 2] = src.strides[i + 2];
      out_stride[i + shift + 2] = dst.strides[i + 2];
      rows.axes[i + 1] = static_cast<int>(i + 2);
    }
    rows.count = p.rank + 1;
    rows.channel = 1;
    bias = r.call.has_src(2);
  }
  int64_t Rows() const { return images * out[0] * out[1] * out[2]; }
  double CostOf(bool scalar) const {
    const double taps = static_cast<double>(window.Points() * in_channels / params.group);
    const double flops = 2 * static_cast<double>(request.dst().NumElements()) * taps;
    const double bytes = BytesOf(request.src(0)) + BytesOf(request.src(1)) + BytesOf(request.dst());
    return Cost(request.profile, flops, bytes, scalar);
  }
};

// One stride walks all rows (n, z, y, x) of an operand: 0 when there is none, else the stride. A single row has any.
int64_t RowStride(const ConvCall& c, const std::array<int64_t, 3>& size, const std::array<int64_t, 5>& stride) {
  int64_t one = 0, expected = 0;
  for (int d = 3; d >= 0; --d) {
    const int64_t n = d == 0 ? c.images : size[static_cast<size_t>(d - 1)];
    const int64_t s = d == 0 ? stride[0] : stride[static_cast<size_t>(d + 1)];
    if (n == 1) continue;
    if (one == 0) {
      one = expected = s;
    } else if (s != expected) {
      return 0;
    }
    expected *= n;
  }
  return one == 0 ? RoundUp(c.in_channels, kVectorLanes) : one;
}

bool InVectors(const std::array<int64_t, 5>& stride, const std::array<int64_t, 3>& size, int64_t images) {
  const auto aligned = [](int64_t n, int64_t s) { return n == 1 || s % kVectorLanes == 0; };
  return stride[1] == 1 && aligned(images, stride[0]) && aligned(size[0], stride[2]) && aligned(size[1], stride[3]) &&
         aligned(size[2], stride[4]);
}

bool IsProduct(const ConvCall& c) {
  if (c.params.group != 1 || c.window.Points() != 1 || c.window.Padded()) return false;
  return c.window.strides == std::array<int64_t, kMaxSpatial>{1, 1, 1};
}

bool OfferAsProduct(const ConvCall& c, Offer* offer) {
  const int64_t a_row = RowStride(c, c.in, c.in_stride), c_row = RowStride(c, c.out, c.out_stride);
  if (!IsProduct(c) || a_row == 0 || c_row == 0 || !c.request.constant(1)) return false;
  Product m;
  m.m = c.Rows();
  m.n = c.out_channels;
  m.k = c.in_channels;
  m.a_row = a_row;
  m.a_col = c.in_stride[1];
  m.c_row = m.m == 1 ? RoundUp(m.n, kVectorLanes) : c_row;
  m.c_col = c.out_stride[1];
  m.pack_row = 1;
  m.pack_col = m.k;
  m.bias = c.bias ? 2 : -1;
  m.bias_per_channel = true;
  m.matrices = false;
  m.rows = c.rows;
  const size_t before = offer->choices.size();
  OfferProduct(c.request, m, offer);
  return offer->choices.size() > before;
}

// What conv.k and depthwise.k have in common.
template <class Params>
Params SpatialParams(const ConvCall& c) {
  Params p{};
  p.rows = static_cast<int>(c.Rows());
  p.h = static_cast<int>(c.in[1]);
  p.w = static_cast<int>(c.in[2]);
  p.out_h = static_cast<int>(c.out[1]);
  p.out_w = static_cast<int>(c.out[2]);
  p.channels = static_cast<int>(c.out_channels);
  constexpr size_t kAxes[] = {0, 3, 4};
  for (size_t i = 0; i < 3; ++i) {
    p.src_stride[i] = static_cast<int>(c.in_stride[kAxes[i]] / kVectorLanes);
    p.dst_stride[i] = static_cast<int>(c.out_stride[kAxes[i]] / kVectorLanes);
  }
  return p;
}

void SpecWindow(const ConvCall& c, Launcher* launcher) {
  launcher->Spec("KERNEL_H", c.window.kernel[1]);
  launcher->Spec("KERNEL_W", c.window.kernel[2]);
  launcher->Spec("STRIDE_H", c.window.strides[1]);
  launcher->Spec("STRIDE_W", c.window.strides[2]);
  launcher->Spec("PAD_H", c.window.pads_begin[1]);
  launcher->Spec("PAD_W", c.window.pads_begin[2]);
  launcher->Spec("DILATION_H", c.window.dilations[1]);
  launcher->Spec("DILATION_W", c.window.dilations[2]);
  launcher->Spec("BIAS", c.bias);
}

template <class Params>
std::string Complete(const ConvCall& c, const PackSpec& pack, Epilogue* epilogue, Launcher* launcher, Params* p) {
  if (!epilogue->AddSources(4)) return "a source of the epilogue does not broadcast to dst";
  epilogue->Layout(&c.rows);
  if (std::string reason = epilogue->Finish(launcher, p->e, offsetof(Params, e)); !reason.empty()) return reason;
  if (pack.bytes > c.request.profile.max_binding) return "src 1: the packed weights exceed a binding";
  SpecWindow(c, launcher);
  launcher->Params(*p);
  launcher->Src(0, 0, offsetof(Params, src_at), 16);
  launcher->Bind(1, Launch::Binding::kPack, 0, offsetof(Params, weight_at), 16);
  launcher->Dst(2, 0, offsetof(Params, dst_at), 16);
  if (c.bias) launcher->Src(3, 2, offsetof(Params, bias_at), 16);
  launcher->BindRest(0);
  return "";
}

bool OfferDepthwise(const ConvCall& c, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/depthwise";
  DepthwiseParams p = SpatialParams<DepthwiseParams>(c);
  const int64_t taps = c.window.Points(), channels = c.out_channels;
  p.c4 = static_cast<int>(CeilDiv(channels, kVectorLanes));
  const PackSpec pack = RowsPack(1, {1, 1, taps, channels, 0, 0, 1, taps});
  Epilogue epilogue(c.request.call, false);
  Launcher launcher(StrCat("depthwise", epilogue.suffix()));
  if (const std::string reason = Complete(c, pack, &epilogue, &launcher, &p); !reason.empty()) {
    Refuse(offer, kKernel, reason);
    return false;
  }
  launcher.Grid(c.request.profile, CeilDiv(p.rows, 4) * p.c4, kGroup);
  Choice choice = launcher.MakeChoice(c.CostOf(false));
  choice.packs.push_back(pack);
  offer->choices.push_back(std::move(choice));
  return true;
}

bool OfferVectors(const ConvCall& c, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/conv";
  const int64_t groups = c.params.group, in = c.in_channels / groups, out = c.out_channels / groups;
  if (groups > 1 && (in % kVectorLanes != 0 || out % kVectorLanes != 0)) {
    Refuse(offer, kKernel, "groups of ", in, " to ", out, " channels, not multiples of 4");
    return false;
  }
  ConvKernelParams p = SpatialParams<ConvKernelParams>(c);
  const int64_t taps = c.window.Points();
  p.c4 = static_cast<int>(CeilDiv(in, kVectorLanes));
  p.n4 = static_cast<int>(CeilDiv(out, kVectorLanes));
  const PackSpec pack = RowsPack(1, {groups, taps, in, out, out * in * taps, 1, taps, in * taps});
  Epilogue epilogue(c.request.call, false);
  Launcher launcher(StrCat("conv", epilogue.suffix()));
  if (const std::string reason = Complete(c, pack, &epilogue, &launcher, &p); !reason.empty()) {
    Refuse(offer, kKernel, reason);
    return false;
  }
  launcher.Grid(c.request.profile, CeilDiv(p.rows, 8) * groups * CeilDiv(p.n4, 2), kGroup);
  Choice choice = launcher.MakeChoice(c.CostOf(false));
  choice.packs.push_back(pack);
  offer->choices.push_back(std::move(choice));
  return true;
}

void OfferAny(const ConvCall& c, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/conv_any";
  if (c.bias && c.request.src(2).dims[0] > 1 && c.request.src(2).strides[0] != 1) {
    return Refuse(offer, kKernel, "src 2: stride is not 1");
  }
  ConvAnyParams p{};
  p.rows = static_cast<int>(c.Rows());
  p.channels = static_cast<int>(c.out_channels);
  p.in_c = static_cast<int>(c.in_channels / c.params.group);
  p.out_c = static_cast<int>(c.out_channels / c.params.group);
  const bool padded = PaddedAxis(c.request.dst()) == 1;
  p.lanes = padded ? static_cast<int>(RoundUp(c.out_channels, kVectorLanes)) : p.channels;
  p.groups = static_cast<int>(CeilDiv(p.lanes, kVectorLanes));
  for (size_t i = 0; i < 3; ++i) {
    p.in_size[i] = static_cast<int>(c.in[i]);
    p.out_size[i] = static_cast<int>(c.out[i]);
  }
  for (size_t i = 0; i < 5; ++i) {
    p.src_stride[i] = static_cast<int>(c.in_stride[i]);
    p.dst_stride[i] = static_cast<int>(c.out_stride[i]);
  }
  Epilogue epilogue(c.request.call, false);
  if (!epilogue.AddSources(4)) return Refuse(offer, kKernel, "a source of the epilogue does not broadcast to dst");
  epilogue.Layout(&c.rows);
  Launcher launcher(StrCat("conv_any", epilogue.suffix()));
  if (const std::string reason = epilogue.Finish(&launcher, p.e, offsetof(ConvAnyParams, e)); !reason.empty()) {
    return Refuse(offer, kKernel, reason);
  }
  SpecWindow(c, &launcher);
  launcher.Spec("KERNEL_D", c.window.kernel[0]);
  launcher.Spec("STRIDE_D", c.window.strides[0]);
  launcher.Spec("PAD_D", c.window.pads_begin[0]);
  launcher.Spec("DILATION_D", c.window.dilations[0]);
  const TensorDesc& weight = c.request.src(1);
  constexpr const char* kWeightStrides[] = {"WEIGHT_D", "WEIGHT_H", "WEIGHT_W"};
  launcher.Spec("WEIGHT_M", weight.strides[0]);
  launcher.Spec("WEIGHT_C", weight.strides[1]);
  for (int i = 0; i < c.params.rank; ++i) {
    launcher.Spec(kWeightStrides[3 - c.params.rank + i], weight.strides[static_cast<size_t>(i + 2)]);
  }
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(ConvAnyParams, src_at));
  launcher.Src(1, 1, offsetof(ConvAnyParams, weight_at));
  launcher.Dst(2, 0, offsetof(ConvAnyParams, dst_at));
  if (c.bias) launcher.Src(3, 2, offsetof(ConvAnyParams, bias_at));
  launcher.BindRest(0);
  const int64_t items = static_cast<int64_t>(p.rows) * p.groups;
  launcher.Grid(c.request.profile, items, kGroup);
  offer->choices.push_back(launcher.MakeChoice(c.CostOf(true)));
}

}  // namespace

void ChooseConv(const Request& request, Offer* offer) {
  for (size_t i = 0; i < request.call.src.size(); ++i) {
    const TensorDesc& src = request.call.src[i];
    if (src.present() && src.type != DataType::kF32) {
      return Refuse(offer, "gpu/conv", "src ", i, ": type ", NameOf(src.type), ", not f32");
    }
  }
  const Result<ConvParams> params = ConvParams::From(request.call);
  if (!params.ok()) return Refuse(offer, "gpu/conv", params.status().message());
  if (params->rank > kMaxSpatial) return Refuse(offer, "gpu/conv", params->rank, " spatial dimensions, at most 3");
  const ConvCall c(request, *params);
  const bool vectors = InVectors(c.in_stride, c.in, c.images) && InVectors(c.out_stride, c.out, c.images) &&
                       c.in[0] == 1 && c.out[0] == 1 && c.window.kernel[0] == 1 && c.window.pads_begin[0] == 0;
  if (!vectors) {
    Refuse(offer, "gpu/conv", "needs channels-last operands with rows at multiples of 4 and at most two dimensions");
  } else if (!request.constant(1)) {
    Refuse(offer, "gpu/conv", "src 1: weights that are not constant are not packed");
  } else if (OfferAsProduct(c, offer)) {
    return;
  } else if (c.params.Depthwise(request.call) && c.out_channels == c.in_channels) {
    if (OfferDepthwise(c, offer)) return;
  } else if (OfferVectors(c, offer)) {
    return;
  }
  OfferAny(c, offer);
}

}  // namespace moka::gpu
