#include "ops/col2im.h"

#include <limits>

#include "base/status.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

}  // namespace

Status Col2ImParams::ReadList(const Attributes& attrs, std::string_view name, int64_t smallest,
                              std::array<int64_t, kMaxImageRank>* values) const {
  IntList list;
  MOKA_RETURN_IF_ERROR(ReadInts(attrs, name, &list));
  if (list.present && list.size != rank) {
    return InvalidModel("attribute '", name, "' has ", list.size, " elements, expected ", rank);
  }
  for (int i = 0; i < rank; ++i) {
    const int64_t value = list.present ? list[i] : 1;
    if (value < smallest || value > kLargest) return InvalidModel("attribute '", name, "' has an element of ", value);
    (*values)[static_cast<size_t>(i)] = value;
  }
  return Status();
}

Status Col2ImParams::Read(const Attributes& attrs, const IntList& block_shape) {
  rank = block_shape.size;
  if (rank < 1 || rank > kMaxImageRank) return Unsupported("src 2 (block_shape) has ", rank, " elements");
  for (int i = 0; i < rank; ++i) {
    if (block_shape[i] < 1 || block_shape[i] > kLargest) {
      return InvalidModel("src 2 (block_shape) has an element of ", block_shape[i]);
    }
    block[static_cast<size_t>(i)] = block_shape[i];
  }
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "strides", 1, &strides));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "dilations", 1, &dilations));
  IntList pads;
  MOKA_RETURN_IF_ERROR(ReadInts(attrs, "pads", &pads));
  if (pads.present && pads.size != 2 * rank) {
    return InvalidModel("attribute 'pads' has ", pads.size, " elements, expected ", 2 * rank);
  }
  for (int i = 0; pads.present && i < rank; ++i) {
    if (std::min(pads[i], pads[rank + i]) < 0 || std::max(pads[i], pads[rank + i]) > kLargest) {
      return InvalidModel("attribute 'pads' has an element of ", std::min(pads[i], pads[rank + i]));
    }
    pads_begin[static_cast<size_t>(i)] = pads[i];
    pads_end[static_cast<size_t>(i)] = pads[rank + i];
  }
  return Status();
}

int64_t Col2ImParams::Points() const {
  int64_t points = 1;
  for (int i = 0; i < rank; ++i) points *= block[static_cast<size_t>(i)];
  return points;
}

namespace {

Status InferCol2Im(InferContext& ctx) {
  const SymbolicTensor& x = *ctx.src[0];
  MOKA_RETURN_IF_ERROR(CheckRank(ctx, 0, 3, 3));
  MOKA_RETURN_IF_ERROR(WithAccumulator<float>(x.type, [](auto) { return Status(); }));
  for (size_t i = 1; i < 3; ++i) {
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, {DataType::kI64}));
    MOKA_RETURN_IF_ERROR(CheckRank(ctx, i, 1, 1));
  }
  MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> image, ctx.Elements(1));
  IntList block_shape;
  MOKA_RETURN_IF_ERROR(ReadInts(ctx, 2, "block_shape", &block_shape));
  Col2ImParams params;
  MOKA_RETURN_IF_ERROR(params.Read(*ctx.attrs, block_shape));
  if (image.size() != static_cast<size_t>(params.rank)) {
    return InvalidModel("src 1 (image_shape) has ", image.size(), " elements, src 2 (block_shape) ", params.rank);
  }
  Dim points = 1, blocks = 1;
  for (size_t i = 0; i < image.size(); ++i) {
    if (image[i].is_constant() && image[i].constant() < 0) {
      return InvalidModel("src 1 (image_shape): dimension of ", image[i].constant());
    }
    const Dim along = params.Blocks(image[i], i);
    if (along.is_constant() && along.constant() < 1) return InvalidModel("no block fits along dimension ", i);
    points = points * Dim(params.block[i]);
    blocks = blocks * along;
  }
  if (!points.is_constant()) return InvalidModel("src 2 (block_shape): too many points");
  MOKA_RETURN_IF_ERROR(RequireEqual(ctx, x.dims[2], blocks, "dimension 2 of src 0 and the number of blocks"));
  const Dim channels = Dim::FloorDiv(x.dims[1], points);
  MOKA_RETURN_IF_ERROR(
      RequireEqual(ctx, x.dims[1], channels * points, "dimension 1 of src 0 as a multiple of the block's points"));
  ctx.dst[0].type = x.type;
  ctx.dst[0].dims = {x.dims[0], channels};
  ctx.dst[0].dims.insert(ctx.dst[0].dims.end(), image.begin(), image.end());
  return Status();
}

// The number of the block whose point `at_point` is pixel `o`, or -1.
int64_t BlockOf(const Col2ImParams& p, const TensorDesc& y, const Index& o, int64_t at_point) {
  std::array<int64_t, kMaxImageRank> point{};
  for (size_t i = static_cast<size_t>(p.rank); i-- > 0;) {
    point[i] = at_point % p.block[i];
    at_point /= p.block[i];
  }
  int64_t number = 0;
  for (size_t i = 0; i < static_cast<size_t>(p.rank); ++i) {
    const int64_t first = o[i + 2] + p.pads_begin[i] - point[i] * p.dilations[i];
    const int64_t blocks = p.Blocks(y.dims[i + 2], i).constant();
    if (first < 0 || first % p.strides[i] != 0 || first / p.strides[i] >= blocks) return -1;
    number = number * blocks + first / p.strides[i];
  }
  return number;
}

template <class Float>
Status Col2ImReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  IntList block_shape;
  MOKA_RETURN_IF_ERROR(ReadInts(call, 2, "block_shape", &block_shape));
  Col2ImParams params;
  MOKA_RETURN_IF_ERROR(params.Read(*call.attrs, block_shape));
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  const int64_t points = params.Points();
  return WithAccumulator<Float>(x.type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    ForEachIndex(y, [&](const Index& o) {
      Acc sum{};
      for (int64_t k = 0; k < points; ++k) {
        const int64_t block = BlockOf(params, y, o, k);
        if (block < 0) continue;
        const int64_t at = o[0] * x.strides[0] + (o[1] * points + k) * x.strides[1] + block * x.strides[2];
        sum += Load<Acc>(x, reference.src[0], at);
      }
      Store<Acc>(y, reference.dst[0], OffsetOf(y, o), sum);
    });
    return Status();
  });
}

}  // namespace

const OpSchema* Col2ImSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Col2Im",
      .min_src = 3,
      .max_src = 3,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kStrided,
      .infer = InferCol2Im,
      MOKA_REFERENCES(Col2ImReference)  //
  };
  return &kSchema;
}

}  // namespace moka
