// Convolution with groups narrower than a vector, channels-last (cpu/grouped_line-inl.h).
#include <algorithm>
#include <cstring>

#include "cpu/conv_shape.h"
#include "cpu/depthwise.h"
#include "cpu/epilogue.h"
#include "cpu/kernel.h"
#include "cpu/row_maps.h"
#include "ops/conv.h"

namespace moka::cpu {
namespace {

constexpr int64_t kSlabFloats = 48 << 10;  // of one unit's inputs, which with the weights stay in an L2 cache
constexpr double kUnitWork = 1e6;          // multiply-adds of one unit, wanted
constexpr int64_t kUnits = 16;             // wanted where there is enough work

struct GroupedLaunch {
  Epilogue epilogue;
  // Of chunks: its groups are chunks of channels that are whole vectors but for the last one.
  ConvShape shape;
  int64_t group;          // channels of one
  int64_t total;          // channels
  int64_t chunk_vectors;  // of one chunk
  int64_t has_bias;

  int64_t ChunkChannels(int64_t chunk) const { return std::min(shape.channels, total - chunk * shape.channels); }
  int64_t WeightFloats(int64_t lanes) const { return shape.Points() * group * lanes; }  // of one vector
};

// Floats of one worker. The last vector of a slab is read as a whole.
struct Scratch {
  int64_t slab, indices, micro, floats;

  Scratch(const GroupedLaunch& launch, int64_t lanes) {
    slab = 0;
    indices = RoundUp(launch.shape.SlabElements() + lanes, 16);
    micro = indices + RoundUp(launch.group * lanes, 16);
    const bool program = launch.epilogue.kind == Epilogue::kProgram;
    floats = micro + (program ? static_cast<int64_t>(MicroScratchBytes() / sizeof(float)) : 0);
  }
};

Status CheckForm(const OpCall& call, const ConvParams& params, int lanes) {
  const TensorDesc &x = call.src[0], &w = call.src[1], &y = call.dst[0];
  if (params.rank > 2) return Unsupported(params.rank, " spatial dimensions");
  const int64_t group = w.dims[1];
  if (params.group < 2 || group < 2 || group > lanes || lanes % group != 0) {
    return Unsupported("not groups of 2 to ", lanes, " channels, a power of 2");
  }
  if (w.dims[0] != x.dims[1]) return Unsupported("groups of ", group, " inputs have other numbers of outputs");
  if (x.strides[1] != 1) return Unsupported("src 0: stride of C is ", x.strides[1], ", not 1");
  if (y.strides[1] != 1) return Unsupported("dst: stride of C is ", y.strides[1], ", not 1");
  if (call.constants.size() < 2 || call.constants[1] == nullptr) return Unsupported("src 1: not constant");
  if (call.has_src(2) && call.src[2].strides[0] != 1) return Unsupported("src 2: stride is not 1");
  return {};
}

// As many vectors of channels as a slab holds, then as many lines.
Status ChooseChunks(int lanes, GroupedLaunch* launch) {
  ConvShape& shape = launch->shape;
  shape.in_place = 0;
  shape.lines = 1;
  shape.cols = shape.out.w;
  shape.col_blocks = 1;
  shape.channels = lanes;
  const int64_t vector_slab = shape.SlabElements();
  if (vector_slab > kSlabFloats) return Unsupported("a line of ", shape.in.w, " pixels is too long");
  const int64_t vectors = CeilDiv(launch->total, lanes);
  launch->chunk_vectors = std::min(kSlabFloats / vector_slab, vectors);
  shape.groups = CeilDiv(vectors, launch->chunk_vectors);
  launch->chunk_vectors = CeilDiv(vectors, shape.groups);
  shape.groups = CeilDiv(vectors, launch->chunk_vectors);
  shape.channels = std::min(launch->chunk_vectors * lanes, launch->total);
  shape.outputs = shape.channels;
  const double line_work =
      static_cast<double>(shape.channels * launch->group * shape.Points()) * static_cast<double>(shape.out.w);
  const int64_t by_count = CeilDiv(shape.out.h * shape.batch * shape.groups, kUnits);
  const int64_t by_work = static_cast<int64_t>(kUnitWork / std::max(line_work, 1.0));
  shape.lines = std::clamp<int64_t>(std::max(by_work, by_count), 1, shape.out.h);
  while (shape.lines > 1 && shape.SlabElements() > kSlabFloats) --shape.lines;
  shape.line_blocks = CeilDiv(shape.out.h, shape.lines);
  shape.lines = CeilDiv(shape.out.h, shape.line_blocks);
  shape.panels = shape.panels_per_unit = shape.panel_blocks = 1;
  return {};
}

void RunEpilogue(const KernelArgs& args, const GroupedLaunch& launch, const ConvUnit& unit, float* scratch) {
  const MicroLaunch& micro = launch.epilogue.micro;
  const float* src[kCodeMaxSources];
  for (int k = 0; k < micro.num_sources; ++k) src[k] = args.Src(micro.src_index[k]);
  const int64_t row = OutputRow(launch.shape, unit, 0), first = unit.group * launch.shape.channels;
  args.simd->run_micro(micro, args.Dst(), src, row, row + unit.lines * unit.cols, first,
                       first + launch.ChunkChannels(unit.group), scratch);
}

void RunUnit(const KernelArgs& args, const GroupedLaunch& launch, const ConvUnit& unit, const int32_t* indices,
             float* slab) {
  const DepthwiseTable& table = *args.simd->depthwise;
  ConvShape shape = launch.shape;
  const int64_t first = unit.group * shape.channels;
  shape.channels = launch.ChunkChannels(unit.group);
  const Dims3 slab_dims = shape.SlabDims(unit.lines, unit.cols);
  FillSlab(shape, unit, args.Src(0) + unit.image * shape.src_n + first, slab_dims, 0.0f, slab);
  // The last vector is read as a whole; what is beyond the channels becomes lanes that nobody stores.
  std::fill_n(slab + slab_dims.h * slab_dims.w * shape.channels, table.lanes, 0.0f);
  GroupedLine line{};
  line.pixel = shape.channels;
  line.row = slab_dims.w * line.pixel;
  line.kernel_h = shape.kernel.h;
  line.kernel_w = shape.kernel.w;
  line.stride_w = shape.stride.w;
  line.dilation_h = shape.dilation.h;
  line.dilation_w = shape.dilation.w;
  line.group = launch.group;
  line.indices = indices;
  const int64_t vectors = CeilDiv(shape.channels, table.lanes), weights = launch.WeightFloats(table.lanes);
  for (int64_t y = 0; y < unit.lines; ++y) {
    line.out = OutputOfLines(args, launch.epilogue, launch.has_bias != 0, OutputRow(launch.shape, unit, y), 1,
                             unit.cols, launch.total);
    for (int64_t v = 0; v < vectors; ++v) {
      line.src = slab + y * shape.stride.h * line.row + v * table.lanes;
      line.weight = static_cast<const float*>(args.packs[0]) + (unit.group * launch.chunk_vectors + v) * weights;
      line.channel = first + v * table.lanes;
      table.grouped(line);
    }
  }
}

}  // namespace

Status ChooseGrouped(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  MOKA_ASSIGN_OR_RETURN(const ConvParams params, ConvParams::From(call));
  const int lanes = kernel.simd->depthwise->lanes;
  MOKA_RETURN_IF_ERROR(CheckForm(call, params, lanes));
  GroupedLaunch launch{};
  launch.shape = MakeConvShape(call, params, 1);
  launch.group = call.src[1].dims[1];
  launch.total = call.dst[0].dims[1];
  launch.has_bias = call.has_src(2) ? 1 : 0;
  MOKA_RETURN_IF_ERROR(ChooseChunks(lanes, &launch));
  MOKA_RETURN_IF_ERROR(MakeEpilogue(call, 1, &launch.epilogue));
  const ConvShape& shape = launch.shape;
  const int64_t vectors = CeilDiv(launch.total, lanes);
  PackSpec spec;
  spec.src = 1;
  spec.format = kGroupedWeights;
  spec.params = {launch.total, launch.group, shape.kernel.h, shape.kernel.w, lanes};
  spec.bytes = static_cast<uint64_t>(vectors * launch.WeightFloats(lanes)) * sizeof(float);
  choice->packs.push_back(spec);
  choice->units = shape.Units();
  choice->scratch_per_worker = static_cast<uint64_t>(Scratch(launch, lanes).floats) * sizeof(float);
  choice->in_place = InPlace(call, launch.epilogue);
  choice->rows = ConvRowMaps(call, params, launch.epilogue.micro);
  const auto pixels = static_cast<double>(shape.batch * shape.out.h * shape.out.w);
  choice->cost_us =
      2.0 * pixels * static_cast<double>(vectors * launch.WeightFloats(lanes)) / (kFlopsPerMicrosecond / 2);
  choice->launch = Blob::Of(launch);
  return {};
}

namespace {

void FillIndices(const GroupedLaunch& launch, int64_t lanes, int32_t* indices) {
  for (int64_t k = 0; k < launch.group; ++k) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      indices[k * lanes + lane] = static_cast<int32_t>(lane / launch.group * launch.group + k);
    }
  }
}

// `for_each` calls its argument with each unit.
template <class ForEach>
void RunUnits(const KernelArgs& args, int worker, const ForEach& for_each) {
  const auto& launch = args.Launch<GroupedLaunch>();
  const int64_t lanes = args.simd->depthwise->lanes;
  const Scratch layout(launch, lanes);
  float* scratch = args.WorkerScratch(worker);
  auto* indices = reinterpret_cast<int32_t*>(scratch + layout.indices);
  FillIndices(launch, lanes, indices);
  for_each([&](const ConvUnit& unit) {
    RunUnit(args, launch, unit, indices, scratch + layout.slab);
    if (launch.epilogue.kind == Epilogue::kProgram) RunEpilogue(args, launch, unit, scratch + layout.micro);
  });
}

}  // namespace

void RunGrouped(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const ConvShape& shape = args.Launch<GroupedLaunch>().shape;
  RunUnits(args, worker, [&](const auto& run) {
    for (int64_t index = begin; index < end; ++index) run(ConvUnit(shape, index));
  });
}

void RunGroupedRows(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int worker) {
  const ConvShape& shape = args.Launch<GroupedLaunch>().shape;
  RunUnits(args, worker, [&](const auto& run) {
    for (int64_t line = begin; line < end; line += shape.lines) {
      for (int64_t group = 0; group < shape.groups; ++group) {
        run(ConvUnit(shape, image, line, std::min(shape.lines, end - line), group));
      }
    }
  });
}

Status PackGrouped(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) {
  const int64_t total = spec.params[0], group = spec.params[1], height = spec.params[2], width = spec.params[3];
  const int64_t lanes = spec.params[4], vectors = CeilDiv(total, lanes);
  const int64_t taps = group * height * width;  // of one output
  if (dst.size() != static_cast<uint64_t>(vectors * lanes * taps) * sizeof(float)) {
    return Internal("pack ", kGroupedWeights);
  }
  std::memset(dst.data(), 0, dst.size());
  const auto* from = static_cast<const std::byte*>(src.data);
  for (int64_t c = 0; c < total; ++c) {
    for (int64_t k = 0; k < group; ++k) {
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const int64_t tap = (y * group + k) * width + x;
          const int64_t to = (c / lanes * taps + tap) * lanes + c % lanes;
          std::memcpy(dst.data() + to * 4, from + (c * taps + (k * height + y) * width + x) * 4, 4);
        }
      }
    }
  }
  return {};
}

}  // namespace moka::cpu
