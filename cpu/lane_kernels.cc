// Elementwise operators on other types than f32, comparisons, Where and casts: each source is brought to contiguous
// lanes, tile by tile where it does not lie so.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "cpu/kernel.h"
#include "cpu/lanes.h"
#include "cpu/nest.h"

namespace moka::cpu {
namespace {

constexpr int64_t kUnitElements = 16384;
constexpr int64_t kTile = 1024;                 // elements
constexpr int64_t kTileBytes = kTile * 8 + 64;  // so that tiles do not start at the same cache set
constexpr size_t kOperands = 4;                 // the result, then at most three sources

enum class LaneKind : int8_t { kBinary, kTest, kUnary, kWhere, kCast };

struct LaneLaunch {
  LaneKind kind;
  int8_t row, column;  // of the table's array
  int8_t num_src;
  int8_t src[kOperands - 1];  // which source of the step is source k of the loop
  int64_t size[kOperands];    // bytes of an element
  Nest<kOperands> rows;
  int64_t count, run;             // rows, elements of one
  int64_t step[kOperands];        // between them
  int64_t rows_per_unit, pieces;  // long rows are cut
  int64_t run_per_piece;
};

LaneFn FunctionOf(const LaneTable& table, const LaneLaunch& launch) {
  const auto row = static_cast<size_t>(launch.row), column = static_cast<size_t>(launch.column);
  switch (launch.kind) {
    case LaneKind::kBinary:
      return table.binary[row][column];
    case LaneKind::kTest:
      return table.test[row][column];
    case LaneKind::kUnary:
      return table.unary[row][column];
    case LaneKind::kWhere:
      return table.where[row];
    case LaneKind::kCast:
      return table.cast[row][column];
  }
  return nullptr;
}

// ---- Which loop -----------------------------------------------------------------------------------------------------

// The lane that a type is computed in; `bits`: the operation does not see the sign.
int LaneOf(DataType type, bool bits) {
  switch (type) {
    case DataType::kU8:
    case DataType::kBool:
      return static_cast<int>(Lane::kU8);
    case DataType::kI8:
      return bits ? static_cast<int>(Lane::kU8) : -1;
    case DataType::kI32:
      return static_cast<int>(Lane::kI32);
    case DataType::kU32:
      return bits ? static_cast<int>(Lane::kI32) : -1;
    case DataType::kI64:
      return static_cast<int>(Lane::kI64);
    case DataType::kU64:
      return bits ? static_cast<int>(Lane::kI64) : -1;
    case DataType::kF32:
      return static_cast<int>(Lane::kF32);
    case DataType::kF64:
      return static_cast<int>(Lane::kF64);
    default:
      return -1;
  }
}

int CastLaneOf(DataType type) {
  constexpr DataType kTypes[kNumCastLanes] = {DataType::kBool, DataType::kU8,  DataType::kI8,
                                              DataType::kI32,  DataType::kI64, DataType::kF16,
                                              DataType::kBF16, DataType::kF32, DataType::kF64};
  const auto* at = std::find(std::begin(kTypes), std::end(kTypes), type);
  return at == std::end(kTypes) ? -1 : static_cast<int>(at - std::begin(kTypes));
}

struct OpRow {
  std::string_view op;
  LaneKind kind;
  int row;
  bool bits = false;  // the same for signed and unsigned integers
  bool swap = false;
};
constexpr int Row(LaneOp op) { return static_cast<int>(op); }
constexpr int Row(LaneTest test) { return static_cast<int>(test); }
constexpr int Row(LaneUnary unary) { return static_cast<int>(unary); }
constexpr OpRow kOps[] = {
    {"Abs", LaneKind::kUnary, Row(LaneUnary::kAbs)},
    {"Add", LaneKind::kBinary, Row(LaneOp::kAdd), true},
    {"And", LaneKind::kBinary, Row(LaneOp::kAnd), true},
    {"BitwiseAnd", LaneKind::kBinary, Row(LaneOp::kAnd), true},
    {"BitwiseNot", LaneKind::kUnary, Row(LaneUnary::kBitwiseNot), true},
    {"BitwiseOr", LaneKind::kBinary, Row(LaneOp::kOr), true},
    {"BitwiseXor", LaneKind::kBinary, Row(LaneOp::kXor), true},
    {"Cast", LaneKind::kCast, 0},
    {"CastLike", LaneKind::kCast, 0},
    {"Div", LaneKind::kBinary, Row(LaneOp::kDiv)},
    {"Equal", LaneKind::kTest, Row(LaneTest::kEqual), true},
    {"Greater", LaneKind::kTest, Row(LaneTest::kLess), false, true},
    {"GreaterOrEqual", LaneKind::kTest, Row(LaneTest::kLessOrEqual), false, true},
    {"IsInf", LaneKind::kUnary, Row(LaneUnary::kIsInf)},
    {"IsNaN", LaneKind::kUnary, Row(LaneUnary::kIsNan)},
    {"Less", LaneKind::kTest, Row(LaneTest::kLess)},
    {"LessOrEqual", LaneKind::kTest, Row(LaneTest::kLessOrEqual)},
    {"Max", LaneKind::kBinary, Row(LaneOp::kMax)},
    {"Min", LaneKind::kBinary, Row(LaneOp::kMin)},
    {"Mod", LaneKind::kBinary, Row(LaneOp::kFloorMod)},
    {"Mul", LaneKind::kBinary, Row(LaneOp::kMul), true},
    {"Neg", LaneKind::kUnary, Row(LaneUnary::kNeg), true},
    {"Not", LaneKind::kUnary, Row(LaneUnary::kNot)},
    {"Or", LaneKind::kBinary, Row(LaneOp::kOr), true},
    {"Sub", LaneKind::kBinary, Row(LaneOp::kSub), true},
    {"Where", LaneKind::kWhere, 0},
    {"Xor", LaneKind::kBinary, Row(LaneOp::kXor), true},
};

// Which infinities IsInf asks for.
Status PickInfinities(const Attributes& attrs, int* row) {
  MOKA_ASSIGN_OR_RETURN(const int64_t negative, attrs.Int("detect_negative", 1));
  MOKA_ASSIGN_OR_RETURN(const int64_t positive, attrs.Int("detect_positive", 1));
  if (negative == 0 && positive == 0) return Unsupported("attributes 'detect_negative', 'detect_positive' are 0");
  if (negative == 0) *row = Row(LaneUnary::kIsPositiveInf);
  if (positive == 0) *row = Row(LaneUnary::kIsNegativeInf);
  return Status();
}

Status PickLoop(const OpCall& call, const LaneTable& table, LaneLaunch* launch) {
  const auto* op =
      std::find_if(std::begin(kOps), std::end(kOps), [&](const OpRow& r) { return r.op == call.op->name; });
  if (op == std::end(kOps)) return Internal("no loop for ", call.op->name);
  int row = op->row, column = 0;
  launch->kind = op->kind;
  launch->num_src = op->kind == LaneKind::kWhere                                  ? 3
                    : op->kind == LaneKind::kCast || op->kind == LaneKind::kUnary ? 1
                                                                                  : 2;
  for (int8_t k = 0; k < launch->num_src; ++k) launch->src[k] = k;
  if (op->swap) std::swap(launch->src[0], launch->src[1]);
  const DataType type = call.src[0].type;
  if (op->kind == LaneKind::kWhere) {
    const size_t bytes = SizeOf(call.dst[0].type);
    row = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  } else if (op->kind == LaneKind::kCast) {
    row = CastLaneOf(type);
    column = CastLaneOf(call.dst[0].type);
  } else {
    column = LaneOf(type, op->bits);
    if (op->op == std::string_view("IsInf")) MOKA_RETURN_IF_ERROR(PickInfinities(*call.attrs, &row));
    MOKA_ASSIGN_OR_RETURN(const int64_t fmod, call.attrs->Int("fmod", 0));
    if (fmod != 0 && op->row == Row(LaneOp::kFloorMod)) row = Row(LaneOp::kMod);
  }
  if (row < 0 || column < 0) return Unsupported("src 0: ", NameOf(type), " to ", NameOf(call.dst[0].type));
  launch->row = static_cast<int8_t>(row);
  launch->column = static_cast<int8_t>(column);
  if (FunctionOf(table, *launch) == nullptr) return Unsupported("src 0: ", NameOf(type));
  return Status();
}

// ---- How it walks ---------------------------------------------------------------------------------------------------

Status MakeLoops(const OpCall& call, LaneLaunch* launch) {
  const TensorDesc& dst = call.dst[0];
  std::array<TensorDesc, kOperands> views;
  views.fill(dst);
  launch->size[0] = static_cast<int64_t>(SizeOf(dst.type));
  for (size_t k = 0; k < static_cast<size_t>(launch->num_src); ++k) {
    const TensorDesc& src = call.src[static_cast<size_t>(launch->src[k])];
    launch->size[k + 1] = static_cast<int64_t>(SizeOf(src.type));
    if (!BroadcastView(src, dst.shape(), &views[k + 1])) return Unsupported("src ", k, ": does not broadcast to dst");
  }
  for (size_t d = 0; d < static_cast<size_t>(dst.rank); ++d) {
    Nest<kOperands>::Strides strides;
    for (size_t o = 0; o < kOperands; ++o) strides[o] = views[o].strides[d];
    launch->rows.Add(dst.dims[d], strides);
  }
  launch->rows.SortBy(0);
  launch->rows.Merge();
  launch->run = 1;
  for (int64_t& step : launch->step) step = 1;
  if (launch->rows.rank > 0) {
    const int64_t last = --launch->rows.rank;
    launch->run = launch->rows.dims[last];
    for (size_t o = 0; o < kOperands; ++o) launch->step[o] = launch->rows.strides[last][o];
  }
  launch->count = launch->rows.Count();
  launch->pieces = std::max<int64_t>(1, CeilDiv(launch->run, kUnitElements));
  launch->run_per_piece = RoundUp(CeilDiv(launch->run, launch->pieces), 64);
  launch->rows_per_unit =
      launch->pieces > 1 ? 1 : std::max<int64_t>(1, kUnitElements / std::max<int64_t>(launch->run, 1));
  return Status();
}

// Bit i: source i lies exactly like the result.
uint32_t InPlace(const OpCall& call) {
  uint32_t mask = 0;
  const TensorDesc& dst = call.dst[0];
  for (size_t i = 0; i < call.src.size() && i < kOperands - 1; ++i) {
    const TensorDesc& src = call.src[i];
    bool same = src.present() && SizeOf(src.type) == SizeOf(dst.type) && SameShape(src, dst);
    for (size_t d = 0; same && d < static_cast<size_t>(dst.rank); ++d) {
      same = dst.dims[d] == 1 || src.strides[d] == dst.strides[d];
    }
    if (same) mask |= 1u << i;
  }
  return mask;
}

Status ChooseLanes(const Kernel& kernel, const OpCall& call, Choice* choice) {
  LaneLaunch launch{};
  if (call.op->max_src < 0 && call.src.size() != 2) return Unsupported(call.src.size(), " sources");
  if (kernel.simd->lanes == nullptr) return Unsupported("this target has no loops over lanes");
  MOKA_RETURN_IF_ERROR(PickLoop(call, *kernel.simd->lanes, &launch));
  MOKA_RETURN_IF_ERROR(MakeLoops(call, &launch));
  choice->units = launch.pieces > 1 ? launch.count * launch.pieces : CeilDiv(launch.count, launch.rows_per_unit);
  double bytes = 0;
  for (size_t o = 0; o <= static_cast<size_t>(launch.num_src); ++o) bytes += static_cast<double>(launch.size[o]);
  choice->cost_us = static_cast<double>(launch.count * launch.run) * bytes / kBytesPerMicrosecond;
  choice->scratch_per_worker = kOperands * kTileBytes;
  choice->in_place = InPlace(call);
  choice->launch = Blob::Of(launch);
  return Status();
}

// Element i * step of `src` for i < n, next to one another.
void Collect(const std::byte* src, int64_t step, int64_t size, int64_t n, std::byte* dst) {
  const auto copy = [&]<class T>(T) {
    for (int64_t i = 0; i < n; ++i) {
      std::memcpy(dst + i * static_cast<int64_t>(sizeof(T)), src + i * step * static_cast<int64_t>(sizeof(T)),
                  sizeof(T));
    }
  };
  if (size == 1) return copy(uint8_t{});
  if (size == 2) return copy(uint16_t{});
  if (size == 4) return copy(uint32_t{});
  copy(uint64_t{});
}

class LaneRun {
 public:
  LaneRun(const KernelArgs& args, int worker)
      : args_(args),
        launch_(args.Launch<LaneLaunch>()),
        function_(FunctionOf(*args.simd->lanes, launch_)),
        scratch_(reinterpret_cast<std::byte*>(args.WorkerScratch(worker))) {}

  // `first`, `last`: elements of the row at `walk`.
  void Piece(const Walk<kOperands>& walk, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += kTile) Tile(walk, i, std::min(kTile, last - i));
  }

 private:
  std::byte* At(const Walk<kOperands>& walk, size_t o, int64_t i) const {
    const void* base = o == 0 ? args_.dst[0] : args_.src[launch_.src[o - 1]];
    return static_cast<std::byte*>(const_cast<void*>(base)) + (walk[o] + i * launch_.step[o]) * launch_.size[o];
  }

  void Tile(const Walk<kOperands>& walk, int64_t i, int64_t n) {
    const void* src[kOperands - 1] = {};
    for (size_t k = 0; k < static_cast<size_t>(launch_.num_src); ++k) {
      const std::byte* from = At(walk, k + 1, i);
      src[k] = from;
      if (launch_.step[k + 1] == 1 || n == 1) continue;
      std::byte* tile = scratch_ + static_cast<int64_t>(k + 1) * kTileBytes;
      Collect(from, launch_.step[k + 1], launch_.size[k + 1], n, tile);
      src[k] = tile;
    }
    std::byte* dst = At(walk, 0, i);
    if (launch_.step[0] == 1 || n == 1) return function_(src, dst, n);
    function_(src, scratch_, n);
    for (int64_t j = 0; j < n; ++j) {
      std::memcpy(dst + j * launch_.step[0] * launch_.size[0], scratch_ + j * launch_.size[0],
                  static_cast<size_t>(launch_.size[0]));
    }
  }

  const KernelArgs& args_;
  const LaneLaunch& launch_;
  LaneFn function_;
  std::byte* scratch_;
};

void RunLanes(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  const auto& launch = args.Launch<LaneLaunch>();
  LaneRun run(args, worker);
  if (launch.pieces == 1) {
    const int64_t last = std::min(end * launch.rows_per_unit, launch.count);
    int64_t row = begin * launch.rows_per_unit;
    for (Walk<kOperands> walk(launch.rows, row); row < last; ++row, walk.Next()) run.Piece(walk, 0, launch.run);
    return;
  }
  for (int64_t unit = begin; unit < end; ++unit) {
    const Walk<kOperands> walk(launch.rows, unit / launch.pieces);
    const int64_t first = unit % launch.pieces * launch.run_per_piece;
    run.Piece(walk, first, std::min(first + launch.run_per_piece, launch.run));
  }
}

constexpr KernelRow LaneRow(const char* op) { return {op, "lanes", &ChooseLanes, &RunLanes}; }

}  // namespace

std::span<const KernelRow> LaneRows() {
  static constexpr auto kRows = [] {
    std::array<KernelRow, std::size(kOps)> rows{};
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = LaneRow(kOps[i].op.data());
    return rows;
  }();
  return kRows;
}

}  // namespace moka::cpu
