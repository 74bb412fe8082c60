// Everything that only moves elements between strided layouts: Transpose, Expand, Tile, Slice, Split, Concat,
// DepthToSpace, SpaceToDepth, moka.Copy, and the reshapes that no view can express.
#include <algorithm>
#include <cstring>

#include "cpu/byte_vector.h"
#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/vector.h"
#include "ops/concat.h"
#include "ops/depth_to_space.h"
#include "ops/slice.h"
#include "ops/split.h"
#include "ops/transpose.h"

namespace moka::cpu {
namespace {

constexpr int64_t kTaskBytes = 32768;
constexpr int64_t kUnitBytes = 65536;
constexpr int kMaxPieces = 32;
enum : size_t { kSrc, kDst };

// How the last two dimensions of a piece are copied.
enum class CopyForm : int64_t {
  kRuns,       // the last one is contiguous in both
  kTranspose,  // the last one is contiguous in dst, the one before in src
  kStrided,
};

// A block of elements that has one shape in src and in dst. A task is a part of its last two dimensions.
struct Piece {
  CopyForm form;
  int64_t src, dst;              // which operand
  int64_t src_begin, dst_begin;  // element offsets of the first element
  Nest<2> outer;
  int64_t rows, cols, row_part, col_part;  // the last two dimensions, and the size of a task in them
  Nest<2>::Strides row_step, col_step;
  int64_t tasks, tasks_per_unit, units;
};

template <int kCapacity>
struct CopyLaunch {
  int64_t element, count;
  Piece pieces[kCapacity];
};

// Cuts the last two dimensions so that a task has about kTaskBytes; widths of transposed tasks are whole cache lines.
void CutTasks(int64_t element, Piece* piece) {
  const int64_t most = kTaskBytes / element, line = 64;
  piece->col_part = std::min(piece->cols, most);
  piece->row_part = std::min(piece->rows, std::max<int64_t>(most / std::max<int64_t>(piece->cols, 1), 1));
  if (piece->form == CopyForm::kTranspose && piece->rows * piece->cols > most) {
    piece->col_part = std::min(piece->cols, std::max(most / piece->rows, 2 * line) / line * line);
    piece->row_part = std::min(piece->rows, std::max(most / piece->col_part / line, int64_t{1}) * line);
  }
  const int64_t parts = CeilDiv(piece->rows, piece->row_part) * CeilDiv(piece->cols, piece->col_part);
  piece->tasks = piece->outer.Count() * parts;
  piece->tasks_per_unit = std::max<int64_t>(kUnitBytes / (piece->row_part * piece->col_part * element), 1);
  piece->units = CeilDiv(piece->tasks, piece->tasks_per_unit);
}

// Plans the copy of `nest`, sorted so that dst is written forwards.
void PlanPiece(Nest<2> nest, int64_t element, Piece* piece) {
  nest.SortBy(kDst);
  nest.Merge();
  const auto take_last = [&](int64_t at, int64_t* size, Nest<2>::Strides* step) {
    *size = 1;
    *step = {0, 0};
    if (at < 0) return;
    *size = nest.dims[at];
    *step = nest.strides[at];
    nest.Remove(at);
  };
  take_last(nest.rank - 1, &piece->cols, &piece->col_step);
  const bool contiguous = piece->cols == 1 || piece->col_step == Nest<2>::Strides{1, 1};
  int64_t row = nest.rank - 1;
  piece->form = contiguous ? CopyForm::kRuns : CopyForm::kStrided;
  for (int64_t i = 0; i < nest.rank && !contiguous && piece->col_step[kDst] == 1; ++i) {
    if (nest.strides[i][kSrc] != 1) continue;
    row = i;
    piece->form = CopyForm::kTranspose;
  }
  take_last(row, &piece->rows, &piece->row_step);
  piece->outer = nest;
  CutTasks(element, piece);
}

template <class T>
void CopyElementwise(const Piece& piece, const T* src, T* dst, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = src + r * piece.row_step[kSrc];
    T* to = dst + r * piece.row_step[kDst];
    for (int64_t c = 0; c < cols; ++c) to[c * piece.col_step[kDst]] = from[c * piece.col_step[kSrc]];
  }
}

// Blocks of a few cache lines in both directions.
template <class T>
void CopyBlocked(const Piece& piece, const T* src, T* dst, int64_t rows, int64_t cols) {
  constexpr int64_t kBlock = 32;
  for (int64_t r = 0; r < rows; r += kBlock) {
    for (int64_t c = 0; c < cols; c += kBlock) {
      CopyElementwise(piece, src + r * piece.row_step[kSrc] + c * piece.col_step[kSrc],
                      dst + r * piece.row_step[kDst] + c * piece.col_step[kDst], std::min(kBlock, rows - r),
                      std::min(kBlock, cols - c));
    }
  }
}

template <class T>
void CopyRuns(const Piece& piece, const T* src, T* dst, int64_t rows, int64_t cols) {
  constexpr int64_t kShortBytes = 64;
  const int64_t bytes = cols * static_cast<int64_t>(sizeof(T));
  if (bytes < kShortBytes) return CopyElementwise(piece, src, dst, rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(dst + r * piece.row_step[kDst], src + r * piece.row_step[kSrc], static_cast<size_t>(bytes));
  }
}

template <class T>
void CopyTask(const Piece& piece, const Simd& simd, const T* src, T* dst, int64_t rows, int64_t cols) {
  if (piece.form == CopyForm::kRuns) return CopyRuns(piece, src, dst, rows, cols);
  if (piece.form == CopyForm::kStrided) return CopyElementwise(piece, src, dst, rows, cols);
  if constexpr (sizeof(T) == 4) {
    // Rows of the matrix that is transposed are columns of the piece.
    simd.vector->transpose(src, piece.col_step[kSrc], dst, piece.row_step[kDst], cols, rows);
    return;
  }
  if constexpr (sizeof(T) == 1) {
    // Groups of channels that are shuffled.
    const bool interleaves = cols >= 2 && cols <= 4 && piece.row_step[kDst] == cols;
    if (interleaves) return simd.byte_vector->interleave(src, piece.col_step[kSrc], cols, dst, rows);
  }
  CopyBlocked(piece, src, dst, rows, cols);
}

template <class T>
void RunPiece(const KernelArgs& args, const Piece& piece, int64_t begin, int64_t end) {
  const T* src = static_cast<const T*>(args.src[piece.src]) + piece.src_begin;
  T* dst = static_cast<T*>(args.dst[piece.dst]) + piece.dst_begin;
  const int64_t col_parts = CeilDiv(piece.cols, piece.col_part), row_parts = CeilDiv(piece.rows, piece.row_part);
  const int64_t last = std::min(end * piece.tasks_per_unit, piece.tasks);
  int64_t task = begin * piece.tasks_per_unit;
  Walk<2> outer(piece.outer, task / (row_parts * col_parts));
  const int64_t part = task % (row_parts * col_parts);
  int64_t row = part / col_parts * piece.row_part, col = part % col_parts * piece.col_part;
  for (; task < last; ++task) {
    CopyTask(piece, *args.simd, src + outer[kSrc] + row * piece.row_step[kSrc] + col * piece.col_step[kSrc],
             dst + outer[kDst] + row * piece.row_step[kDst] + col * piece.col_step[kDst],
             std::min(piece.row_part, piece.rows - row), std::min(piece.col_part, piece.cols - col));
    col += piece.col_part;
    if (col < piece.cols) continue;
    col = 0;
    row += piece.row_part;
    if (row < piece.rows) continue;
    row = 0;
    outer.Next();
  }
}

// Calls f(T*{}) with an unsigned type of `element` bytes. f32 stands for 4 bytes: vectors move its bits unchanged.
template <class F>
void WithElementSize(int64_t element, F&& f) {
  switch (element) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(float{});
    default:
      return f(uint64_t{});
  }
}

void RunCopy(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<CopyLaunch<1>>();
  const Piece* pieces = launch.pieces;
  for (int64_t i = 0; i < launch.count && begin < end; ++i) {
    const int64_t units = pieces[i].units, stop = std::min(end, units);
    if (begin < stop) {
      WithElementSize(launch.element, [&](auto zero) { RunPiece<decltype(zero)>(args, pieces[i], begin, stop); });
    }
    begin = std::max<int64_t>(begin - units, 0);
    end -= units;
  }
}

// Collects the pieces of a call.
class Pieces {
 public:
  explicit Pieces(int64_t element) { launch_.element = element; }

  Status Add(const TensorDesc& from, int src, int64_t src_begin, const TensorDesc& to, int dst, int64_t dst_begin) {
    Nest<2> nest;
    for (size_t d = 0; d < static_cast<size_t>(from.rank); ++d) {
      nest.Add(from.dims[d], {from.strides[d], to.strides[d]});
    }
    return Add(nest, src, src_begin, dst, dst_begin);
  }
  Status Add(const Nest<2>& nest, int src, int64_t src_begin, int dst, int64_t dst_begin) {
    const int64_t elements = nest.Count();
    if (elements == 0) return Status();
    if (launch_.count == kMaxPieces) return Unsupported("more than ", kMaxPieces, " pieces");
    Piece& piece = launch_.pieces[launch_.count++];
    piece.src = src;
    piece.dst = dst;
    piece.src_begin = src_begin;
    piece.dst_begin = dst_begin;
    PlanPiece(nest, launch_.element, &piece);
    units_ += piece.units;
    bytes_ += static_cast<double>(2 * elements * launch_.element);
    return Status();
  }
  void Fill(Choice* choice) const {
    choice->units = units_;
    choice->cost_us = bytes_ / kBytesPerMicrosecond;
    if (launch_.count > 1) {
      choice->launch = Blob::Of(launch_);
      return;
    }
    choice->launch = Blob::Of(CopyLaunch<1>{launch_.element, launch_.count, {launch_.pieces[0]}});
  }

 private:
  CopyLaunch<kMaxPieces> launch_{};
  int64_t units_ = 0;
  double bytes_ = 0;
};

Status RequireElements(const OpCall& call) {
  if (SizeOf(call.src[0].type) == 0) return Unsupported("src 0: type ", NameOf(call.src[0].type), " has no size");
  for (const TensorDesc& dst : call.dst) {
    if (dst.present() && dst.type != call.src[0].type) return Unsupported("dst: another type than src 0");
  }
  return Status();
}

Status AddSame(const OpCall& call, Pieces* pieces) {
  if (!SameShape(call.src[0], call.dst[0])) return Unsupported("src 0 and dst 0 differ in shape");
  return pieces->Add(call.src[0], 0, 0, call.dst[0], 0, 0);
}

Status AddTranspose(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const TransposeParams params, TransposeParams::From(call));
  TensorDesc view;
  TransposeView(call.src[0], params.perm.data(), &view);
  return pieces->Add(view, 0, 0, call.dst[0], 0, 0);
}

Status AddExpand(const OpCall& call, Pieces* pieces) {
  TensorDesc view;
  if (!BroadcastView(call.src[0], call.dst[0].shape(), &view)) return Unsupported("src 0 does not broadcast to dst 0");
  return pieces->Add(view, 0, 0, call.dst[0], 0, 0);
}

Status AddSlice(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const SliceParams params, SliceParams::From(call));
  TensorDesc part;
  int64_t offset = 0;
  params.Part(call, &part, &offset);
  return pieces->Add(part, 0, offset, call.dst[0], 0, 0);
}

Status AddSplit(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const SplitParams params, SplitParams::From(call));
  for (int i = 0; i < static_cast<int>(call.dst.size()); ++i) {
    const TensorDesc& dst = call.dst[static_cast<size_t>(i)];
    if (!dst.present()) return Unsupported("dst ", i, " is absent");
    TensorDesc part;
    int64_t offset = 0;
    params.Part(call, i, &part, &offset);
    MOKA_RETURN_IF_ERROR(pieces->Add(part, 0, offset, dst, i, 0));
  }
  return Status();
}

Status AddConcat(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const ConcatParams params, ConcatParams::From(call));
  for (int i = 0; i < call.num_src(); ++i) {
    TensorDesc part;
    int64_t offset = 0;
    params.Part(call, i, &part, &offset);
    MOKA_RETURN_IF_ERROR(pieces->Add(call.src[static_cast<size_t>(i)], i, 0, part, 0, offset));
  }
  return Status();
}

// The common refinement of two shapes: each dimension of either is a product of neighbours in it. None where a
// dimension of one straddles two of the other without dividing them.
bool Refine(const TensorDesc& src, const TensorDesc& dst, Nest<2>* nest) {
  int64_t rank = 0, dims[2 * kMaxRank];
  Nest<2>::Strides steps[2 * kMaxRank];
  int s = src.rank - 1, d = dst.rank - 1;
  int64_t s_left = s >= 0 ? src.dims[static_cast<size_t>(s)] : 1,
          d_left = d >= 0 ? dst.dims[static_cast<size_t>(d)] : 1;
  while (s >= 0 && d >= 0) {
    const int64_t size = std::min(s_left, d_left);
    if (size == 0 || s_left % size != 0 || d_left % size != 0) return false;
    const size_t si = static_cast<size_t>(s), di = static_cast<size_t>(d);
    if (size > 1) {
      steps[rank] = {src.strides[si] * (src.dims[si] / s_left), dst.strides[di] * (dst.dims[di] / d_left)};
      dims[rank++] = size;
    }
    s_left /= size;
    d_left /= size;
    if (s_left == 1) s_left = --s >= 0 ? src.dims[static_cast<size_t>(s)] : 1;
    if (d_left == 1) d_left = --d >= 0 ? dst.dims[static_cast<size_t>(d)] : 1;
  }
  if (rank > kMaxRank) return false;
  while (rank-- > 0) nest->Add(dims[rank], steps[rank]);
  return true;
}

Status AddReshape(const OpCall& call, Pieces* pieces) {
  if (call.src[0].NumElements() != call.dst[0].NumElements()) return Unsupported("src 0 and dst 0 differ in size");
  Nest<2> nest;
  if (!Refine(call.src[0], call.dst[0], &nest)) return Unsupported("the shapes have no common refinement");
  return pieces->Add(nest, 0, 0, 0, 0);
}

// Each dimension becomes two: how often it repeats, and itself.
Status AddTile(const OpCall& call, Pieces* pieces) {
  const TensorDesc &x = call.src[0], &y = call.dst[0];
  Nest<2> nest;
  for (size_t d = 0; d < static_cast<size_t>(x.rank); ++d) {
    const int64_t repeats = x.dims[d] == 0 ? 0 : y.dims[d] / x.dims[d];
    if (nest.rank + 2 > kMaxRank) return Unsupported("more than ", kMaxRank, " dimensions and repetitions");
    nest.Add(repeats, {0, y.strides[d] * x.dims[d]});
    nest.Add(x.dims[d], {x.strides[d], y.strides[d]});
  }
  return pieces->Add(nest, 0, 0, 0, 0);
}

Status AddDepthToSpace(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*call.attrs));
  TensorDesc from, to;
  params.Blocks(call.src[0], call.dst[0], &from, &to);
  return pieces->Add(from, 0, 0, to, 0, 0);
}

Status AddSpaceToDepth(const OpCall& call, Pieces* pieces) {
  MOKA_ASSIGN_OR_RETURN(const DepthToSpaceParams params, DepthToSpaceParams::From(*call.attrs));
  TensorDesc from, to;
  params.Blocks(call.dst[0], call.src[0], &to, &from);
  return pieces->Add(from, 0, 0, to, 0, 0);
}

template <Status (*kAdd)(const OpCall&, Pieces*)>
Status ChooseCopy(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireElements(call));
  Pieces pieces(static_cast<int64_t>(SizeOf(call.src[0].type)));
  MOKA_RETURN_IF_ERROR(kAdd(call, &pieces));
  pieces.Fill(choice);
  return Status();
}

// A copy of images, which a chain may want by rows: what comes first is the launch data of RunCopy.
struct ImageCopyLaunch {
  CopyLaunch<1> whole;
  Piece row;  // of one image
  int64_t src_image, src_row, dst_image, dst_row;
};

Status ChooseCopyOfImages(const Kernel& kernel, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(ChooseCopy<AddSame>(kernel, call, choice));
  const TensorDesc &src = call.src[0], &dst = call.dst[0];
  if (dst.rank != 4 || dst.NumElements() == 0) return {};
  ImageCopyLaunch launch{};
  launch.whole = choice->launch.As<CopyLaunch<1>>();
  Nest<2> row;
  for (const size_t d : {1, 3}) row.Add(dst.dims[d], {src.strides[d], dst.strides[d]});
  PlanPiece(row, launch.whole.element, &launch.row);
  launch.src_image = src.strides[0];
  launch.src_row = src.strides[2];
  launch.dst_image = dst.strides[0];
  launch.dst_row = dst.strides[2];
  choice->rows = {{1, 0, 1}};
  choice->launch = Blob::Of(launch);
  return {};
}

void RunCopyRows(const KernelArgs& args, int64_t image, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ImageCopyLaunch>();
  WithElementSize(launch.whole.element, [&](auto zero) {
    Piece piece = launch.row;
    for (int64_t y = begin; y < end; ++y) {
      piece.src_begin = image * launch.src_image + y * launch.src_row;
      piece.dst_begin = image * launch.dst_image + y * launch.dst_row;
      RunPiece<decltype(zero)>(args, piece, 0, piece.units);
    }
  });
}

// Any two shapes: both are walked in row-major order, in runs that end where a row of either ends.
struct ReorderLaunch {
  int64_t element, count, per_unit;
  Nest<1> src, dst;
};

Status ChooseReorder(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireElements(call));
  const TensorDesc &src = call.src[0], &dst = call.dst[0];
  ReorderLaunch launch{};
  launch.element = static_cast<int64_t>(SizeOf(src.type));
  launch.count = dst.NumElements();
  if (src.NumElements() != launch.count) return Unsupported("src 0 and dst 0 differ in size");
  launch.per_unit = kUnitBytes / launch.element;
  for (size_t d = 0; d < static_cast<size_t>(src.rank); ++d) launch.src.Add(src.dims[d], {src.strides[d]});
  for (size_t d = 0; d < static_cast<size_t>(dst.rank); ++d) launch.dst.Add(dst.dims[d], {dst.strides[d]});
  launch.src.Merge();
  launch.dst.Merge();
  choice->units = CeilDiv(launch.count, launch.per_unit);
  choice->cost_us = static_cast<double>(4 * launch.count * launch.element) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

// The innermost dimension of a nest, walked run by run.
class RunWalk {
 public:
  RunWalk(const Nest<1>& nest, int64_t first)
      : size_(nest.rank > 0 ? nest.dims[nest.rank - 1] : 1),
        step_(nest.rank > 0 ? nest.strides[nest.rank - 1][0] : 0),
        outer_(WithoutLast(nest)),
        walk_(outer_, first / size_),
        at_(first % size_) {}
  int64_t left() const { return size_ - at_; }
  int64_t step() const { return step_; }
  int64_t offset() const { return walk_[0] + at_ * step_; }
  void Advance(int64_t n) {
    at_ += n;
    if (at_ < size_) return;
    at_ = 0;
    walk_.Next();
  }

 private:
  static Nest<1> WithoutLast(Nest<1> nest) {
    if (nest.rank > 0) --nest.rank;
    return nest;
  }
  int64_t size_, step_;
  Nest<1> outer_;
  Walk<1> walk_;
  int64_t at_;
};

void RunReorder(const KernelArgs& args, int64_t begin, int64_t end, int) {
  const auto& launch = args.Launch<ReorderLaunch>();
  WithElementSize(launch.element, [&](auto zero) {
    using T = decltype(zero);
    const T* src = static_cast<const T*>(args.src[0]);
    T* dst = static_cast<T*>(args.dst[0]);
    const int64_t first = begin * launch.per_unit, last = std::min(end * launch.per_unit, launch.count);
    RunWalk from(launch.src, first), to(launch.dst, first);
    for (int64_t i = first; i < last;) {
      const int64_t n = std::min({from.left(), to.left(), last - i});
      const T* p = src + from.offset();
      T* q = dst + to.offset();
      for (int64_t k = 0; k < n; ++k) q[k * to.step()] = p[k * from.step()];
      from.Advance(n);
      to.Advance(n);
      i += n;
    }
  });
}

}  // namespace

std::span<const KernelRow> CopyRows() {
  static constexpr KernelRow kRows[] = {
      {"moka.Copy", "copy", &ChooseCopyOfImages, &RunCopy, false, false, &RunCopyRows},
      {"Identity", "copy", &ChooseCopy<AddSame>, &RunCopy},
      {"Transpose", "copy", &ChooseCopy<AddTranspose>, &RunCopy},
      {"Expand", "copy", &ChooseCopy<AddExpand>, &RunCopy},
      {"Slice", "copy", &ChooseCopy<AddSlice>, &RunCopy},
      {"Split", "copy", &ChooseCopy<AddSplit>, &RunCopy},
      {"Concat", "copy", &ChooseCopy<AddConcat>, &RunCopy},
      {"Tile", "copy", &ChooseCopy<AddTile>, &RunCopy},
      {"DepthToSpace", "copy", &ChooseCopy<AddDepthToSpace>, &RunCopy},
      {"SpaceToDepth", "copy", &ChooseCopy<AddSpaceToDepth>, &RunCopy},
      {"Reshape", "copy", &ChooseCopy<AddReshape>, &RunCopy},
      {"Flatten", "copy", &ChooseCopy<AddReshape>, &RunCopy},
      {"Squeeze", "copy", &ChooseCopy<AddReshape>, &RunCopy},
      {"Unsqueeze", "copy", &ChooseCopy<AddReshape>, &RunCopy},
      {"Reshape", "reorder", &ChooseReorder, &RunReorder},
      {"Flatten", "reorder", &ChooseReorder, &RunReorder},
  };
  return kRows;
}

}  // namespace moka::cpu
