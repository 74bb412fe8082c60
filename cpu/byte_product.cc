#include "cpu/byte_product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/byte_vector.h"
#include "cpu/panel_spec.h"
#include "ops/quantization.h"

namespace moka::cpu {
namespace {

constexpr std::string_view kFormat = "cpu/byte_panels.2";

int32_t Wrap(uint32_t x) { return static_cast<int32_t>(x); }

template <class T>
T ReadParameter(const KernelArgs& args, int32_t src, int64_t at, T fallback) {
  return src < 0 ? fallback : static_cast<const T*>(args.src[src])[at];
}
int32_t ReadByte(const KernelArgs& args, int32_t src, int64_t at, int32_t is_signed) {
  if (src < 0) return 0;
  const uint8_t byte = static_cast<const uint8_t*>(args.src[src])[at];
  return is_signed != 0 ? static_cast<int8_t>(byte) : byte;
}

// The zero point of weights that were made i8.
int32_t WeightZero(const ByteProduct& product, const KernelArgs& args, int64_t col) {
  if (product.b_zero.src < 0) return product.b_signed != 0 ? 0 : -128;
  const int32_t zero = ReadByte(args, product.b_zero.src, col * product.b_zero.step, product.b_signed);
  return product.b_signed != 0 ? zero : zero - 128;
}
int32_t InputZero(const ByteProduct& product, const KernelArgs& args) {
  return ReadByte(args, product.a_zero, 0, product.a_signed) + (product.a_signed != 0 ? 128 : 0);
}

Status ScalarOf(const OpCall& call, int src, DataType type, int32_t* result) {
  *result = -1;
  if (src < 0 || !call.has_src(src)) return Status();
  const TensorDesc& desc = call.src[static_cast<size_t>(src)];
  if (type != DataType::kNone && desc.type != type) return Unsupported("src ", src, " is ", NameOf(desc.type));
  if (desc.NumElements() != 1) return Unsupported("src ", src, ": more than one element");
  *result = src;
  return Status();
}

Status ColumnOf(const OpCall& call, int src, DataType type, ColumnSource* result) {
  *result = {-1, 0};
  if (src < 0 || !call.has_src(src)) return Status();
  const TensorDesc& desc = call.src[static_cast<size_t>(src)];
  if (type != DataType::kNone && desc.type != type) return Unsupported("src ", src, " is ", NameOf(desc.type));
  const size_t last = static_cast<size_t>(std::max(desc.rank - 1, 0));
  if (desc.NumElements() == 1) {
    *result = {src, 0};
    return Status();
  }
  if (desc.NumElements() != desc.dims[last]) return Unsupported("src ", src, ": more than one element a column");
  *result = {src, static_cast<int32_t>(desc.strides[last])};
  return Status();
}

// Given scales of sums between -1 and 1.
bool Saturates(const ByteProduct& product, const ByteFinish& finish) {
  if (product.residual < 0) return product.hi == QuantRangeOf(product.y_signed != 0 ? DataType::kI8 : DataType::kU8).hi;
  const float most = 1 << 16;  // times a byte, and that twice
  return product.sum_hi == QuantRangeOf(product.sum_signed != 0 ? DataType::kI8 : DataType::kU8).hi &&
         std::abs(finish.ratio) < most && std::abs(finish.residual_ratio) < most;
}

// Known when the plan is made.
bool IsZero(const OpCall& call, int src) {
  const auto i = static_cast<size_t>(src);
  if (i >= call.constants.size() || call.constants[i] == nullptr) return false;
  const auto* elements = static_cast<const uint8_t*>(call.constants[i]->data);
  return std::all_of(elements, elements + call.constants[i]->desc.NumElements(), [](uint8_t e) { return e == 0; });
}

bool IsSigned(const OpCall& call, int src) {
  return src >= 0 && call.has_src(src) && call.src[static_cast<size_t>(src)].type == DataType::kI8;
}

}  // namespace

void PackBytePanel(const uint8_t* weight, const ByteWeights& weights, const Panel& panel, std::byte* dst) {
  const int64_t width = panel.width, quads = CeilDiv(weights.segment, 4);
  std::memset(dst, 0, static_cast<size_t>(width * weights.ColumnBytes()));
  auto* sums = reinterpret_cast<int32_t*>(dst);
  auto* packed = reinterpret_cast<int8_t*>(dst + 4 * width);
  const int64_t* dims = weights.k_dims;
  const int64_t* strides = weights.k_strides;
  const uint8_t flip = weights.is_signed != 0 ? 0 : 0x80;
  for (int64_t n = 0; n < panel.cols; ++n) {
    const uint8_t* column = weight + (panel.col + n) * weights.n_stride;
    int64_t k = 0;
    int32_t sum = 0;
    for (int64_t i = 0; i < dims[0]; ++i) {
      for (int64_t j = 0; j < dims[1]; ++j) {
        for (int64_t l = 0; l < dims[2]; ++l) {
          const uint8_t* from = column + i * strides[0] + j * strides[1] + l * strides[2];
          for (int64_t c = 0; c < dims[3]; ++c, ++k) {
            const auto value = static_cast<int8_t>(from[c * strides[3]] ^ flip);
            const int64_t in_segment = k % weights.segment;
            packed[((k / weights.segment * quads + in_segment / 4) * width + n) * 4 + in_segment % 4] = value;
            sum += value;
          }
        }
      }
    }
    sums[n] = sum;
  }
}

namespace {

int64_t PackedBytes(const PanelWidths& widths, const ByteWeights& weights, int64_t n) {
  return RoundUp(RoundUp(n, widths.granule) * weights.ColumnBytes(), 64);
}

}  // namespace

int64_t PackedBytes(const ByteTable& table, const ByteWeights& weights, int64_t n) {
  return PackedBytes(table.widths, weights, n);
}

PackSpec BytePanelPackSpec(int src, const ByteTable& table, const ByteWeights& dense, int64_t n, int64_t groups,
                           int64_t group_stride) {
  PanelSpec spec{table.widths, n, groups, group_stride, {}, {}, dense.n_stride, dense.segment};
  std::copy_n(dense.k_dims, 4, spec.k_dims);
  std::copy_n(dense.k_strides, 4, spec.k_strides);
  return spec.Write(src, kFormat, groups * PackedBytes(table, dense, n));
}

Status PackBytePanels(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const PanelSpec panels = PanelSpec::Read(spec);
  ByteWeights weights{{}, {}, panels.n_stride, panels.detail, src.desc.type == DataType::kI8};
  std::copy_n(panels.k_dims, 4, weights.k_dims);
  std::copy_n(panels.k_strides, 4, weights.k_strides);
  const int64_t group_bytes = PackedBytes(panels.widths, weights, panels.n);
  if (dst.size() != static_cast<uint64_t>(panels.groups * group_bytes)) {
    return Internal("pack '", spec.format, "': ", dst.size(), " bytes");
  }
  const auto* weight = static_cast<const uint8_t*>(src.data);
  panels.ForEachPanel([&](int64_t group, const Panel& panel) {
    PackBytePanel(weight + group * panels.group_stride, weights, panel,
                  dst.data() + group * group_bytes + panel.col * weights.ColumnBytes());
  });
  return {};
}

Status MakeByteProduct(const OpCall& call, int64_t k, ByteProduct* product) {
  const ProductRoles& roles = ProductRolesOf(*call.op);
  MOKA_ASSIGN_OR_RETURN(const ProductAttributes attributes, ProductAttributes::Read(*call.attrs));
  *product = {};
  const DataType f32 = DataType::kF32, any = DataType::kNone, dst = call.dst[0].type;
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.a_scale, f32, &product->a_scale));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.a_zero, any, &product->a_zero));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.y_scale, f32, &product->y_scale));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.y_zero, any, &product->y_zero));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.residual_scale, f32, &product->residual_scale));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.residual_zero, any, &product->residual_zero));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.sum_scale, f32, &product->sum_scale));
  MOKA_RETURN_IF_ERROR(ScalarOf(call, roles.sum_zero, any, &product->sum_zero));
  MOKA_RETURN_IF_ERROR(ColumnOf(call, roles.b_scale, f32, &product->b_scale));
  MOKA_RETURN_IF_ERROR(ColumnOf(call, roles.b_zero, any, &product->b_zero));
  product->float_bias = dst == f32 && roles.y_scale < 0 ? 1 : 0;
  MOKA_RETURN_IF_ERROR(ColumnOf(call, roles.bias, product->float_bias != 0 ? f32 : DataType::kI32, &product->bias));
  product->kind = dst == DataType::kI32 ? ByteFinish::kI32 : dst == f32 ? ByteFinish::kF32 : ByteFinish::kBytes;
  product->a = roles.a;
  product->b = roles.b;
  product->residual = roles.residual >= 0 && call.has_src(roles.residual) ? roles.residual : -1;
  product->a_signed = IsSigned(call, roles.a);
  product->b_signed = IsSigned(call, roles.b);
  product->residual_signed = IsSigned(call, roles.residual);
  product->sum_signed = dst == DataType::kI8;
  product->y_signed = product->residual >= 0 ? IsSigned(call, roles.y_zero) : product->sum_signed != 0;
  product->alpha = attributes.alpha;
  const auto clamped = [](int32_t is_signed, int64_t* lo, int64_t* hi) {
    const QuantRange range = QuantRangeOf(is_signed != 0 ? DataType::kI8 : DataType::kU8);
    *lo = std::clamp(*lo, range.lo, range.hi);
    *hi = std::clamp(*hi, range.lo, range.hi);
  };
  product->lo = attributes.lo;
  product->hi = attributes.hi;
  product->sum_lo = attributes.sum_lo;
  product->sum_hi = attributes.sum_hi;
  clamped(product->y_signed, &product->lo, &product->hi);
  clamped(product->sum_signed, &product->sum_lo, &product->sum_hi);
  product->k = k;
  product->zeros_are_zero = product->b_signed != 0 && (product->b_zero.src < 0 || IsZero(call, product->b_zero.src));
  return Status();
}

uint8_t PaddingByte(const ByteProduct& product, const KernelArgs& args) {
  return product.a_zero < 0 ? 0 : *static_cast<const uint8_t*>(args.src[product.a_zero]);
}

bool NeedsRowSums(const ByteProduct& product, const KernelArgs& args, int64_t columns) {
  if (product.zeros_are_zero != 0) return false;
  for (int64_t n = 0; n < columns; ++n) {
    if (WeightZero(product, args, n) != 0) return true;
    if (product.b_zero.step == 0) return false;
  }
  return false;
}

ByteFinish PrepareFinish(const ByteProduct& product, const KernelArgs& args) {
  ByteFinish finish{};
  finish.kind = static_cast<ByteFinish::Kind>(product.kind);
  finish.dst_signed = product.sum_signed;
  finish.zero = ReadByte(args, product.y_zero, 0, product.y_signed);
  finish.lo = static_cast<float>(product.lo - finish.zero);
  finish.hi = static_cast<float>(product.hi - finish.zero);
  if (product.residual < 0) return finish;
  const float sum_scale = ReadParameter(args, product.sum_scale, 0, 1.0f);
  finish.residual_signed = product.residual_signed;
  finish.residual_zero = ReadByte(args, product.residual_zero, 0, product.residual_signed);
  finish.ratio = ReadParameter(args, product.y_scale, 0, 1.0f) / sum_scale;
  finish.residual_ratio = ReadParameter(args, product.residual_scale, 0, 1.0f) / sum_scale;
  finish.sum_zero = ReadByte(args, product.sum_zero, 0, product.sum_signed);
  finish.sum_lo = static_cast<float>(product.sum_lo - finish.sum_zero);
  finish.sum_hi = static_cast<float>(product.sum_hi - finish.sum_zero);
  return finish;
}

// sum((a - az) * (b - bz)) = sum(a * b) - az * sum(b) - bz * sum(a) + k * az * bz, modulo 2^32 as the operators ask.
void FillFinishArrays(const ByteProduct& product, const KernelArgs& args, int64_t col, int64_t cols, int64_t width,
                      const int32_t* sums, bool row_sums, int32_t* memory, ByteFinish* finish) {
  int32_t* offset = memory;
  int32_t* b_zero = memory + width;
  auto* scale = reinterpret_cast<float*>(memory + 2 * width);
  auto* bias = reinterpret_cast<float*>(memory + 3 * width);
  finish->offset = offset;
  finish->b_zero = row_sums ? b_zero : nullptr;
  finish->scale = scale;
  finish->bias = nullptr;
  std::fill_n(memory, kFinishArrays * width, 0);
  const auto a_zero = static_cast<uint32_t>(InputZero(product, args));
  const float a_scale = ReadParameter(args, product.a_scale, 0, 1.0f);
  const float y_scale = ReadParameter(args, product.y_scale, 0, 1.0f);
  if (!row_sums && product.b_scale.step == 1 && product.kind == ByteFinish::kBytes && product.bias.step == 1) {
    const auto* b_scale = static_cast<const float*>(args.src[product.b_scale.src]);
    const auto* terms = static_cast<const int32_t*>(args.src[product.bias.src]);
    const ByteVectorTable& vector = *args.simd->byte_vector;
    const bool less = vector.column_scales(b_scale + col, product.alpha * a_scale, y_scale, scale, cols);
    finish->saturates = less && Saturates(product, *finish) ? 1 : 0;
    return vector.column_offsets(sums, terms + col, Wrap(a_zero), offset, cols);
  }
  const bool float_bias = product.float_bias != 0;
  bool less = true;
  for (int64_t i = 0; i < cols; ++i) {
    const int64_t n = col + i;
    const int32_t zero = WeightZero(product, args, n);
    const auto all = static_cast<uint32_t>(product.k) * a_zero * static_cast<uint32_t>(zero);
    uint32_t sum = all - a_zero * static_cast<uint32_t>(sums[i]);
    if (product.bias.src >= 0 && !float_bias) {
      sum += static_cast<uint32_t>(ReadParameter<int32_t>(args, product.bias.src, n * product.bias.step, 0));
    } else if (product.bias.src >= 0) {
      bias[i] = ReadParameter(args, product.bias.src, n * product.bias.step, 0.0f);
    }
    offset[i] = Wrap(sum);
    b_zero[i] = zero;
    const float b_scale = ReadParameter(args, product.b_scale.src, n * product.b_scale.step, 1.0f);
    scale[i] = ProductScale(product.alpha, a_scale, b_scale, y_scale);
    less = less && std::abs(scale[i]) < 1;
  }
  finish->saturates = less && Saturates(product, *finish) ? 1 : 0;
  if (float_bias && product.bias.src >= 0) finish->bias = bias;
}

void RunBytePanel(const ByteBlock& block, const Panel& panel, const std::byte* packed, int64_t first_col,
                  const ByteFinish& finish) {
  const auto* fns = block.table->fn[panel.width / block.table->widths.granule];
  ByteTileArgs args{};
  args.segments = block.segments;
  args.num_segments = block.num_segments;
  args.quads = block.quads;
  args.rest = block.rest;
  args.flip = block.flip;
  args.b = reinterpret_cast<const int8_t*>(packed) + 4 * panel.width;
  args.finish = finish;
  args.col = first_col + panel.col;
  args.cols = panel.cols;
  for (int64_t row = 0; row < block.rows;) {
    const int rows = TileRows(fns, block.rows - row);
    args.rows = block.a + row;
    args.dst = block.dst + row;
    args.sums = block.sums != nullptr ? block.sums + row : nullptr;
    args.residual = block.residual != nullptr ? block.residual + row : nullptr;
    fns[rows](args);
    row += rows;
  }
}

int32_t RowSum(const uint8_t* row, std::span<const int64_t> segments, int64_t length, uint32_t flip) {
  const auto mask = static_cast<uint8_t>(flip);
  uint32_t sum = 0;
  for (const int64_t segment : segments) {
    for (int64_t i = 0; i < length; ++i) sum += static_cast<uint8_t>(row[segment + i] ^ mask);
  }
  return Wrap(sum);
}

}  // namespace moka::cpu
