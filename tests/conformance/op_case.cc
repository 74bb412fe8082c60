#include "tests/conformance/op_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/status.h"
#include "ops/element.h"
#include "ops/reference.h"

namespace moka {
namespace {

const OpSchema* SchemaOf(const OpCase& op_case) {
  const size_t dot = op_case.op.rfind('.');
  if (dot == std::string::npos) return FindOp("", op_case.op);
  return FindOp(op_case.op.substr(0, dot), op_case.op.substr(dot + 1));
}

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t Seed(const std::string& name, size_t operand) {
  return std::accumulate(name.begin(), name.end(), Mix(operand),
                         [](uint64_t seed, char c) { return Mix(seed ^ static_cast<unsigned char>(c)); });
}

double ElementOf(const CaseOperand& operand, uint64_t seed, int64_t position) {
  if (operand.fill == Fill::kGiven) return operand.given[static_cast<size_t>(position)];
  const double unit = static_cast<double>(Mix(seed + static_cast<uint64_t>(position)) >> 11) * 0x1p-53;
  if (operand.fill == Fill::kBytes) {
    const double code = position % 7 == 0 ? 0 : position % 7 == 3 ? 255 : std::floor(256 * unit);
    return operand.type == DataType::kI8 ? code - 128 : code;
  }
  if (operand.fill == Fill::kPositive) return 0.25 + 2 * unit;
  if (operand.type == DataType::kBool) return unit < 0.5 ? 0 : 1;
  const bool is_float = operand.type >= DataType::kF32 && operand.type <= DataType::kBF16;
  return is_float ? 4 * unit - 2 : std::floor(16 * unit) - 8;
}

// A part of a larger tensor along its innermost dimension. Where kernels load whole vectors it starts at a multiple of
// them and ends with that tensor (ops/device.h); only rank 2 and channels-last tensors have rows at such multiples
// whatever their length is.
TensorDesc PartDesc(DataType type, const Shape& shape, Format format, const CaseLayout& layout) {
  const size_t inner = format == Format::kChannelsLast ? 1 : shape.size() - 1;
  const bool any_start = layout.gap % layout.alignment != 0;
  const bool padded = format == Format::kChannelsLast || shape.size() == 2;
  if (!any_start && !padded && shape[inner] % layout.alignment != 0) {
    return MakeDense(type, shape, format, layout.alignment);
  }
  Shape larger = shape;
  larger[inner] += layout.gap;
  if (any_start) larger[inner] |= 1;  // no stride is a multiple: no padding lanes
  TensorDesc desc = MakeDense(type, larger, format, any_start ? 1 : layout.alignment);
  desc.dims[inner] = shape[inner];
  return desc;
}

TensorDesc DescOf(DataType type, const Shape& shape, Format format, const CaseLayout& layout) {
  if (shape.size() < 3) format = Format::kRowMajor;
  if (layout.gap == 0 || shape.empty()) return MakeDense(type, shape, format, layout.alignment);
  return PartDesc(type, shape, format, layout);
}

CaseMemory Allocate(const TensorDesc& desc, const CaseLayout& layout, std::byte fill) {
  CaseMemory memory;
  memory.desc = desc;
  if (!desc.present()) return memory;
  const int64_t alignment = layout.alignment, elements = desc.Extent() + 2 * layout.shift;
  const int64_t rounded = (elements + alignment - 1) / alignment * alignment;
  memory.bytes.assign(static_cast<size_t>(rounded) * SizeOf(desc.type), fill);
  memory.start = layout.shift * static_cast<int64_t>(SizeOf(desc.type));
  return memory;
}

void ZeroLanes(int alignment, CaseMemory* memory) {
  const PaddingLanes lanes = LanesOf(memory->desc, alignment);
  if (lanes.count == 0 || memory->desc.NumElements() == 0) return;
  TensorDesc padding = memory->desc;
  const size_t dim = static_cast<size_t>(lanes.dim);
  padding.dims[dim] = lanes.count;
  const int64_t first = memory->desc.dims[dim];
  ForEachIndex(padding,
               [&](const Index& at) { Store<double>(padding, memory->data(), OffsetOf(padding, at) + first, 0); });
}

// An operand of the result's rank is laid out like an image; weights and small ones never are.
Format SourceFormat(const OpSchema& op, const OpCase& op_case, const CaseLayout& layout, size_t i, size_t dst_rank) {
  const CaseOperand& operand = op_case.src[i];
  if (operand.constant || operand.shape.size() < 3) return Format::kRowMajor;
  const bool of_program = op_case.program_begin >= 0 && i >= static_cast<size_t>(op_case.program_begin);
  if (of_program) return operand.shape.size() == dst_rank ? layout.dst : Format::kRowMajor;
  if (op.layout == LayoutRule::kChannelsLast) {
    return (op.image_src >> std::min<size_t>(i, 31) & 1) != 0 ? layout.src : Format::kRowMajor;
  }
  if (op.layout == LayoutRule::kSame) return operand.shape.size() == dst_rank ? layout.src : Format::kRowMajor;
  return layout.src;
}

// Every element times `scale` becomes the nearest bf16.
void RoundToBf16(float scale, CaseMemory* memory) {
  const TensorDesc& desc = memory->desc;
  ForEachIndex(desc, [&](const Index& at) {
    const int64_t offset = OffsetOf(desc, at);
    const float scaled = scale * Load<float>(desc, memory->data(), offset);
    Store<double>(desc, memory->data(), offset, static_cast<double>(static_cast<float>(BFloat16(scaled))) / scale);
  });
}

}  // namespace

CaseOperand Absent() { return {}; }
CaseOperand Fed(Shape shape, DataType type) { return {type, std::move(shape), Fill::kUniform, false, {}}; }
CaseOperand Positive(Shape shape) { return {DataType::kF32, std::move(shape), Fill::kPositive, true, {}}; }
CaseOperand Weight(Shape shape, DataType type) { return {type, std::move(shape), Fill::kUniform, true, {}}; }
CaseOperand Ints(std::initializer_list<int64_t> values) {
  return {DataType::kI64, {static_cast<int64_t>(values.size())}, Fill::kGiven, true, {values.begin(), values.end()}};
}
CaseOperand Given(Shape shape, std::vector<double> values, DataType type) {
  return {type, std::move(shape), Fill::kGiven, false, std::move(values)};
}
CaseOperand Constant(CaseOperand operand) {
  operand.constant = true;
  return operand;
}

Attributes Attrs(AttributeList list) {
  Attributes attrs;
  for (const auto& [name, value] : list) attrs.Set(name, value);
  return attrs;
}
std::vector<int64_t> List(std::initializer_list<int64_t> values) { return values; }

MicroProgram OfProgram(uint8_t (*build)(MicroBuilder&)) {
  MicroBuilder builder;
  builder.SetResult(build(builder));
  MicroProgram program;
  return builder.Finish(&program) ? program : MicroProgram{};
}

PaddingLanes LanesOf(const TensorDesc& desc, int alignment) {
  PaddingLanes lanes;
  if (alignment <= 1) return lanes;
  int inner = -1;
  for (int i = 0; i < desc.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (desc.strides[k] == 1 && (inner < 0 || desc.dims[k] > 1)) inner = i;
  }
  if (inner < 0) return lanes;
  lanes.dim = inner;
  const int64_t size = desc.dims[static_cast<size_t>(inner)];
  lanes.strict = desc.rank > 1;
  for (int i = 0; i < desc.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (i == inner || desc.strides[k] % alignment == 0) continue;
    if (desc.dims[k] > 1) return lanes;
    lanes.strict = false;
  }
  lanes.count = (size + alignment - 1) / alignment * alignment - size;
  return lanes;
}

Status CaseData::Infer(const OpCase& op_case) {
  std::vector<SymbolicTensor> tensors(op_case.src.size());
  std::vector<const SymbolicTensor*> pointers;
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].type = op_case.src[i].type;
    tensors[i].dims.assign(op_case.src[i].shape.begin(), op_case.src[i].shape.end());
    tensors[i].constant = constant_pointers_[i];
    const bool of_program = op_case.op != "moka.Elementwise" && op_case.program_begin >= 0 &&
                            i >= static_cast<size_t>(op_case.program_begin);
    if (!of_program) pointers.push_back(&tensors[i]);
  }
  InferContext context;
  SymbolTable symbols;
  context.attrs = &op_case.attrs;
  context.src = pointers;
  context.symbols = &symbols;
  context.dst.resize(static_cast<size_t>(op_case.num_dst));
  const int own = static_cast<int>(pointers.size());
  if (own < call_.op->min_src || (call_.op->max_src >= 0 && own > call_.op->max_src)) {
    return InvalidModel("inputs: ", own, ", expected ", call_.op->min_src, " to ", call_.op->max_src);
  }
  MOKA_RETURN_IF_ERROR(call_.op->infer(context));
  for (const DimConstraint& constraint : context.constraints) return Internal("constraint left: ", constraint.what);
  for (const SymbolicTensor& result : context.dst) {
    Shape shape;
    for (const Dim& dim : result.dims) {
      if (!dim.is_constant() || dim.constant() < 0) return Internal("a result has no size");
      shape.push_back(dim.constant());
    }
    results_.emplace_back(result.type, std::move(shape));
  }
  return Status();
}

void CaseData::MakeSources(const OpCase& op_case, const CaseLayout& layout) {
  const size_t dst_rank = results_[0].second.size();
  for (size_t i = 0; i < op_case.src.size(); ++i) {
    const CaseOperand& operand = op_case.src[i];
    TensorDesc desc;
    if (operand.type != DataType::kNone) {
      const Format format = SourceFormat(*call_.op, op_case, layout, i, dst_rank);
      // Constants are dense: they come from the file.
      CaseLayout own = layout;
      if (operand.constant) own.gap = own.shift = 0;
      desc = DescOf(operand.type, operand.shape, format, own);
      src_.push_back(Allocate(desc, own, std::byte{0xFF}));  // NaN; -1
      ZeroLanes(layout.alignment, &src_.back());
    } else {
      src_.emplace_back();
    }
    int64_t position = 0;
    const uint64_t seed = Seed(op_case.name, i);
    ForEachIndex(desc, [&](const Index& at) {
      if (desc.present()) Store<double>(desc, src_[i].data(), OffsetOf(desc, at), ElementOf(operand, seed, position++));
    });
    src_descs_.push_back(desc);
  }
}

Result<std::unique_ptr<CaseData>> CaseData::Make(const OpCase& op_case, const CaseLayout& layout) {
  std::unique_ptr<CaseData> data(new CaseData());
  data->case_ = op_case;
  const OpCase& own = data->case_;
  OpCall& call = data->call_;
  call.op = SchemaOf(own);
  if (call.op == nullptr) return NotFound("operator ", own.op);
  const size_t count = own.src.size();
  data->constant_bytes_.resize(count);
  data->constants_.resize(count);
  data->constant_pointers_.assign(count, nullptr);
  for (size_t i = 0; i < count; ++i) {
    if (!own.src[i].constant) continue;
    HostTensor& tensor = data->constants_[i];
    tensor.desc = MakeDense(own.src[i].type, own.src[i].shape);
    // Weights in a file have no alignment.
    data->constant_bytes_[i].resize(static_cast<size_t>(tensor.desc.ExtentBytes()) + 1);
    tensor.data = data->constant_bytes_[i].data() + 1;
    const uint64_t seed = Seed(own.name, i);
    for (int64_t k = 0; k < tensor.desc.NumElements(); ++k) {
      Store<double>(tensor.desc, data->constant_bytes_[i].data() + 1, k, ElementOf(own.src[i], seed, k));
    }
    data->constant_pointers_[i] = &tensor;
  }
  MOKA_RETURN_IF_ERROR(data->Infer(own));
  data->MakeSources(own, layout);
  for (const auto& [type, shape] : data->results_) {
    data->dst_descs_.push_back(DescOf(type, shape, layout.dst, layout));
    data->dst_.push_back(Allocate(data->dst_descs_.back(), layout, kCanary));
  }
  call.attrs = &own.attrs;
  call.name = own.name;
  if (own.program_begin >= 0) {
    call.program = &own.program;
    call.program_begin = own.program_begin;
  }
  call.src = data->src_descs_;
  call.dst = data->dst_descs_;
  call.constants = data->constant_pointers_;
  return data;
}

Result<std::vector<CaseMemory>> CaseData::Reference(bool oracle, Precision precision) const {
  std::vector<CaseMemory> results = dst_, rounded;
  std::vector<const void*> src;
  std::vector<void*> dst;
  for (const CaseMemory& memory : src_) src.push_back(memory.desc.present() ? memory.data() : nullptr);
  for (CaseMemory& memory : results) dst.push_back(memory.data());
  if (precision == Precision::kBF16) {
    // Those of products: two factors, or queries, keys and values.
    const std::ptrdiff_t factors = case_.op == "Attention" ? 3 : 2;
    rounded.assign(src_.begin(), src_.begin() + factors);
    MOKA_ASSIGN_OR_RETURN(const float alpha, case_.attrs.Float("alpha", 1));
    for (size_t i = 0; i < rounded.size(); ++i) {
      RoundToBf16(i == 1 ? alpha : 1, &rounded[i]);
      src[i] = rounded[i].data();
    }
  }
  MOKA_RETURN_IF_ERROR(RunReference({call_, src, dst}, oracle));
  return results;
}

std::vector<CaseVariant> VariantsOf(const OpCase& op_case, int alignment) {
  const OpSchema* op = SchemaOf(op_case);
  const LayoutRule rule = op == nullptr ? LayoutRule::kSame : op->layout;
  const auto rank_of = [&](size_t i) { return i < op_case.src.size() ? op_case.src[i].shape.size() : 0; };
  const bool image = rank_of(0) >= 3;
  const Format row = Format::kRowMajor, last = Format::kChannelsLast;
  // One more vector a row; where any element may start a view, an odd number of elements.
  const bool any_start = alignment == 1 || op_case.op == "moka.Copy";
  const int64_t gap = any_start ? 5 : alignment, shift = any_start ? 3 : alignment;
  const auto variant = [&](const char* name, Format src, Format dst, bool strided, bool own) {
    return CaseVariant{{name, src, dst, strided ? gap : 0, strided ? shift : 0, alignment}, own};
  };
  std::vector<CaseVariant> variants;
  const bool wants_last = rule == LayoutRule::kChannelsLast;
  variants.push_back(variant("row_major", row, row, false, !wants_last));
  if (!wants_last) variants.push_back(variant("row_major_strided", row, row, true, true));
  if (!image || rule == LayoutRule::kRowMajor) return variants;
  variants.push_back(variant("channels_last", last, last, false, true));
  variants.push_back(variant("channels_last_strided", last, last, true, true));
  if (rule == LayoutRule::kStrided) {
    variants.push_back(variant("to_row_major", last, row, false, true));
    variants.push_back(variant("to_channels_last", row, last, false, true));
  }
  return variants;
}

}  // namespace moka
