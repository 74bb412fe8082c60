// QLinearConv with one output per channel, channels-last: the taps of a pixel are pointers, those outside point at a
// row of the source's zero point.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "cpu/byte_product.h"
#include "cpu/conv_shape.h"
#include "cpu/kernel.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/byte_depthwise.1";
// PackSpec::params.
enum Param { kChannels, kHeight, kWidth, kLanes, kLength, kByLine };
constexpr int64_t kMaxTaps = 256;
constexpr int64_t kMaxPeriod = 128;        // blocks of weights, where a row is computed as a whole
constexpr double kUnitPoints = 256 << 10;  // multiply-adds of one unit, at least

struct ByteDepthwiseLaunch {
  ByteProduct product;
  ConvShape shape;
  int64_t channels, taps, length;  // taps: with those added to make groups of 4; length: of a period of blocks
  int64_t by_line;                 // ByteLineArgs
  int64_t flat;                    // pixels of a row are next to each other, in the source and in dst
  int64_t dst_n, dst_h, dst_w, residual_n, residual_h, residual_w;
  int64_t lines, line_blocks;
};

struct Scratch {
  int64_t finish, padding, bytes;

  Scratch(const ByteDepthwiseLaunch& launch, const ByteTable& table) {
    finish = 0;
    padding = 2 * kFinishArrays * 4 * RoundUp(launch.length, 4 * table.lanes);
    bytes = padding + PaddingBytes(launch, table);
  }
  // As long as what is computed at once.
  static int64_t PaddingBytes(const ByteDepthwiseLaunch& launch, const ByteTable& table) {
    return RoundUp(launch.channels, 4 * table.lanes) + launch.shape.out.w * launch.shape.stride.w * launch.shape.src.w;
  }
};

// An array by channel in the order of lanes; behind the last channel it begins anew.
template <class T>
void OrderLanes(const T* by_channel, int64_t channels, int64_t length, int64_t lanes, T* ordered) {
  const auto copy = [&](int64_t c) {
    if (c + 4 <= channels) {
      std::copy_n(by_channel + c, 4, ordered);
    } else {
      for (int64_t k = 0; k < 4; ++k) ordered[k] = by_channel[(c + k) % channels];
    }
    ordered += 4;
  };
  for (int64_t block = 0; block < length; block += 4 * lanes) {
    lanes = std::min(lanes, (length - block) / 4);
    for (int64_t j = 0; j < 4; ++j) {
      for (int64_t lane = 0; lane < lanes; lane += 4) copy(block + 4 * lane + 4 * j);
    }
  }
}

bool ByLine(const ConvShape& shape, const ByteProduct& product) {
  return shape.kernel.w == 3 && shape.kernel.h <= 3 && shape.dilation.w == 1 && shape.stride.w <= 2 &&
         product.residual < 0;
}

Status ChooseByteDepthwise(const Kernel& kernel, const OpCall& call, Choice* choice) {
  const ProductRoles& roles = ProductRolesOf(*call.op);
  const auto b = static_cast<size_t>(roles.b);
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call, b));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  if (!params.Depthwise(call) || y.dims[1] != x.dims[1]) return Unsupported("not depthwise");
  if (params.rank > 2) return Unsupported(params.rank, " spatial dimensions");
  if (x.strides[1] != 1 || y.strides[1] != 1) return Unsupported("the stride of C is not 1");
  if (call.constants.size() <= b || call.constants[b] == nullptr) return Unsupported("src ", b, ": not constant");
  ByteDepthwiseLaunch launch{};
  launch.shape = MakeConvShape(call, params, b);
  MOKA_RETURN_IF_ERROR(MakeByteProduct(call, launch.shape.Points(), &launch.product));
  if (launch.product.kind != ByteFinish::kBytes) return Unsupported("dst is not of bytes");
  if (launch.product.zeros_are_zero == 0) return Unsupported("src ", b, ": with a zero point");
  launch.channels = x.dims[1];
  launch.by_line = ByLine(launch.shape, launch.product) ? 1 : 0;
  launch.taps = launch.by_line != 0 ? 12 : RoundUp(launch.shape.Points(), 4);
  if (launch.taps > kMaxTaps) return Unsupported("kernel of ", launch.shape.Points(), " points");
  const int64_t lanes = kernel.simd->bytes->lanes;
  const int64_t block = 4 * lanes;
  const Dims3 dst = Spatial(y, true);
  launch.dst_n = y.strides[0];
  launch.dst_h = dst.h;
  launch.dst_w = dst.w;
  if (launch.product.residual >= 0) {
    const TensorDesc& residual = call.src[static_cast<size_t>(launch.product.residual)];
    if (residual.strides[1] != 1) return Unsupported("residual: the stride of C is not 1");
    const Dims3 strides = Spatial(residual, true);
    launch.residual_n = residual.strides[0];
    launch.residual_h = strides.h;
    launch.residual_w = strides.w;
  }
  const ConvShape& shape = launch.shape;
  launch.flat = launch.by_line == 0 && shape.stride.w == 1 && shape.src.w == launch.channels &&
                launch.dst_w == launch.channels &&
                (launch.product.residual < 0 || launch.residual_w == launch.channels);
  if (std::lcm(launch.channels, block) / block > kMaxPeriod) launch.flat = 0;
  launch.length = launch.flat != 0 ? std::lcm(launch.channels, block) : RoundUp(launch.channels, block);
  const int64_t tail = launch.channels % block, short_block = 4 * kernel.simd->bytes->tail_lanes;
  if (launch.by_line != 0 && tail > 0 && tail <= short_block) launch.length += short_block - block;
  const auto line = static_cast<double>(shape.out.w * launch.channels * shape.Points());
  launch.lines = std::clamp<int64_t>(static_cast<int64_t>(kUnitPoints / line), 1, shape.out.h);
  launch.line_blocks = CeilDiv(shape.out.h, launch.lines);
  PackSpec spec;
  spec.src = roles.b;
  spec.format = kFormat;
  spec.params = {launch.channels, shape.kernel.h, shape.kernel.w, lanes, launch.length, launch.by_line};
  spec.bytes = static_cast<uint64_t>(launch.length * (launch.taps + 4));
  choice->packs.push_back(spec);
  choice->units = shape.batch * launch.line_blocks;
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, *kernel.simd->bytes).bytes);
  choice->cost_us = line * static_cast<double>(shape.batch * shape.out.h) * 2 / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return {};
}

// The arrays of all channels, in the order of lanes.
ByteFinish FinishOf(const KernelArgs& args, const ByteDepthwiseLaunch& launch, std::byte* scratch) {
  const int64_t lanes = args.simd->bytes->lanes, length = launch.length;
  const Scratch layout(launch, *args.simd->bytes);
  auto* memory = reinterpret_cast<int32_t*>(scratch + layout.finish);
  auto* ordered = memory + kFinishArrays * length;
  ByteFinish finish = PrepareFinish(launch.product, args);
  const auto* sums = static_cast<const int32_t*>(args.packs[0]);
  FillFinishArrays(launch.product, args, 0, launch.channels, length, sums, false, memory, &finish);
  auto* scale = reinterpret_cast<float*>(ordered + length);
  OrderLanes(finish.offset, launch.channels, length, lanes, ordered);
  OrderLanes(finish.scale, launch.channels, length, lanes, scale);
  finish.offset = ordered;
  finish.scale = scale;
  return finish;
}

struct Image {
  const uint8_t* src;
  const uint8_t* padding;
};

// Pointers to the taps of output pixel (y, x).
void FillTaps(const ConvShape& shape, const Image& image, int64_t y, int64_t x, const uint8_t** taps) {
  for (int64_t i = 0; i < shape.kernel.h; ++i) {
    const int64_t row = y * shape.stride.h - shape.pad.h + i * shape.dilation.h;
    for (int64_t j = 0; j < shape.kernel.w; ++j) {
      const int64_t col = x * shape.stride.w - shape.pad.w + j * shape.dilation.w;
      const bool inside = row >= 0 && row < shape.in.h && col >= 0 && col < shape.in.w;
      *taps++ = inside ? image.src + row * shape.src.h + col * shape.src.w : image.padding;
    }
  }
}

// The pixels of a row whose taps lie between the left and the right edge: [begin, end).
struct Inner {
  int64_t begin, end;

  explicit Inner(const ConvShape& shape) {
    begin = std::min(CeilDiv(shape.pad.w, shape.stride.w), shape.out.w);
    const int64_t room = shape.in.w - (shape.kernel.w - 1) * shape.dilation.w - 1 + shape.pad.w;
    end = room < 0 ? begin : std::clamp(room / shape.stride.w + 1, begin, shape.out.w);
  }
};

// One row of output: its inner pixels at once, as if they were one where they lie side by side.
void RunLine(const ByteDepthwiseLaunch& launch, const ByteTable& table, const Image& image, int64_t y, uint8_t* dst,
             const uint8_t* residual, const uint8_t** taps, ByteDepthwiseArgs* pixel) {
  const ConvShape& shape = launch.shape;
  const Inner inner(shape);
  for (int64_t x = 0; x < shape.out.w;) {
    const int64_t pixels = x == inner.begin ? std::max<int64_t>(inner.end - inner.begin, 1) : 1;
    FillTaps(shape, image, y, x, taps);
    pixel->dst = dst + x * launch.dst_w;
    pixel->residual = residual != nullptr ? residual + x * launch.residual_w : nullptr;
    pixel->channels = launch.channels * (launch.flat != 0 ? pixels : 1);
    pixel->pixels = launch.flat != 0 ? 1 : pixels;
    table.depthwise(*pixel);
    x += pixels;
  }
}

ByteDepthwiseArgs PixelArgs(const KernelArgs& args, const ByteDepthwiseLaunch& launch, const ByteFinish& finish,
                            const uint8_t* const* taps) {
  ByteDepthwiseArgs pixel{};
  pixel.taps = taps;
  pixel.quads = launch.taps / 4;
  pixel.flip = launch.product.Flip();
  pixel.weights = static_cast<const int8_t*>(args.packs[0]) + 4 * launch.length;
  pixel.finish = finish;
  pixel.tap_step = launch.shape.stride.w * launch.shape.src.w;
  pixel.dst_step = launch.dst_w;
  pixel.residual_step = launch.residual_w;
  pixel.period = launch.length;
  return pixel;
}

ByteLineArgs LineArgs(const KernelArgs& args, const ByteDepthwiseLaunch& launch, const ByteFinish& finish,
                      const uint8_t* padding) {
  const ConvShape& shape = launch.shape;
  ByteLineArgs line{};
  line.padding = padding;
  line.in = shape.in.w;
  line.out = shape.out.w;
  line.stride = shape.stride.w;
  line.pad = shape.pad.w;
  line.flip = launch.product.Flip();
  line.weights = static_cast<const int8_t*>(args.packs[0]) + 4 * launch.length;
  line.dst_step = launch.dst_w;
  line.finish = finish;
  line.channels = launch.channels;
  return line;
}

void FillRows(const ConvShape& shape, const Image& image, int64_t y, ByteLineArgs* line) {
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t row = y * shape.stride.h - shape.pad.h + i * shape.dilation.h;
    const bool inside = i < shape.kernel.h && row >= 0 && row < shape.in.h;
    line->rows[i] = inside ? image.src + row * shape.src.h : image.padding;
    line->pixel_steps[i] = inside ? shape.src.w : 0;
  }
}

void RunByteDepthwise(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<ByteDepthwiseLaunch>();
  const ConvShape& shape = launch.shape;
  const ByteTable& table = *args.simd->bytes;
  auto* scratch = reinterpret_cast<std::byte*>(args.WorkerScratch(worker));
  auto* padding = reinterpret_cast<uint8_t*>(scratch + Scratch(launch, table).padding);
  std::fill_n(padding, Scratch::PaddingBytes(launch, table), PaddingByte(launch.product, args));
  const uint8_t* taps[kMaxTaps];
  std::fill_n(taps, launch.taps, padding);
  const ByteFinish finish = FinishOf(args, launch, scratch);
  ByteDepthwiseArgs pixel = PixelArgs(args, launch, finish, taps);
  ByteLineArgs line = LineArgs(args, launch, finish, padding);
  const auto* residual =
      launch.product.residual < 0 ? nullptr : static_cast<const uint8_t*>(args.src[launch.product.residual]);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t n = unit / launch.line_blocks, first = unit % launch.line_blocks * launch.lines;
    const int64_t last = std::min(first + launch.lines, shape.out.h);
    const Image image = {static_cast<const uint8_t*>(args.src[launch.product.a]) + n * shape.src_n, padding};
    for (int64_t y = first; y < last; ++y) {
      auto* dst = static_cast<uint8_t*>(args.dst[0]) + n * launch.dst_n + y * launch.dst_h;
      if (launch.by_line != 0) {
        FillRows(shape, image, y, &line);
        line.dst = dst;
        table.depthwise_line(line);
        continue;
      }
      const uint8_t* other = residual != nullptr ? residual + n * launch.residual_n + y * launch.residual_h : nullptr;
      RunLine(launch, table, image, y, dst, other, taps, &pixel);
    }
  }
}

}  // namespace

// The sums of the weights of each channel, then the weights as ByteDepthwiseArgs wants them.
Status PackByteDepthwise(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const auto& params = spec.params;
  const int64_t channels = params[kChannels], width = params[kWidth], points = params[kHeight] * width;
  const int64_t lanes = params[kLanes], length = params[kLength];
  const int64_t taps = params[kByLine] != 0 ? 12 : RoundUp(points, 4);
  if (dst.size() != static_cast<uint64_t>(length * (taps + 4))) return Internal("pack ", kFormat);
  std::memset(dst.data(), 0, dst.size());
  auto* sums = reinterpret_cast<int32_t*>(dst.data());
  auto* packed = reinterpret_cast<int8_t*>(dst.data() + 4 * length);
  const auto* weights = static_cast<const int8_t*>(src.data);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < points; ++p) sums[c] += weights[c * points + p];
  }
  std::vector<int64_t> by_place(static_cast<size_t>(channels)), order(static_cast<size_t>(length));
  std::iota(by_place.begin(), by_place.end(), 0);
  OrderLanes(by_place.data(), channels, length, lanes, order.data());
  const int64_t block = 4 * lanes;
  for (int64_t i = 0; i < length; ++i) {
    const int64_t first = i / block * block, size = std::min(block, length - first);
    for (int64_t p = 0; p < points; ++p) {
      const int64_t tap = params[kByLine] != 0 ? p % width * 4 + p / width : p;
      packed[first * taps + (tap / 4 * size + i - first) * 4 + tap % 4] =
          weights[order[static_cast<size_t>(i)] * points + p];
    }
  }
  return {};
}

std::span<const KernelRow> ByteDepthwiseRows() {
  static constexpr KernelRow kRows[] = {
      {"QLinearConv", "byte_depthwise", &ChooseByteDepthwise, &RunByteDepthwise},
      {"moka.QLinearConv", "byte_depthwise", &ChooseByteDepthwise, &RunByteDepthwise},
  };
  return kRows;
}

}  // namespace moka::cpu
