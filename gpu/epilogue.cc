#include "gpu/epilogue.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace moka::gpu {
namespace {

constexpr const char* kWords[] = {"W0", "W1", "W2",  "W3",  "W4",  "W5",  "W6",  "W7",
                                  "W8", "W9", "W10", "W11", "W12", "W13", "W14", "W15"};
constexpr const char* kConstants[] = {"K0", "K1", "K2", "K3", "K4", "K5", "K6", "K7"};
static_assert(std::size(kWords) == kMicroMaxOps && std::size(kConstants) == kMicroMaxConstants);
constexpr int kShortProgram = 4;

}  // namespace

Epilogue::Epilogue(const OpCall& call, bool alone) : call_(call) {
  if (call.program == nullptr || call.program->empty() || MatchClip(alone)) return;
  suffix_ = call.program->num_ops <= kShortProgram ? "_e4" : "_e16";
}

bool Epilogue::MatchClip(bool alone) {
  const MicroProgram& program = *call_.program;
  int current = alone ? -1 : 0;  // register of the value so far
  int added = -1;
  bool clips = false;
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
  for (int i = 0; i < program.num_ops; ++i) {
    MicroInstruction m = program.ops[i];
    const auto is_value = [&](uint8_t code) {
      if (current < 0 && added < 0 && IsMicroSource(code)) {
        added = code - MicroSource(0);
        return true;
      }
      return current >= 0 && code == MicroRegister(current);
    };
    if (!is_value(m.a)) {
      const bool commutes = m.op == MicroOp::kAdd || m.op == MicroOp::kMin || m.op == MicroOp::kMax;
      if (!commutes || !is_value(m.b)) return false;
      std::swap(m.a, m.b);
    }
    const auto constant = [&](uint8_t code) { return program.constants[code - MicroConstant(0)]; };
    if (m.op == MicroOp::kAdd && IsMicroSource(m.b) && added < 0 && !clips) {
      added = m.b - MicroSource(0);
    } else if (m.op == MicroOp::kMax && IsMicroConstant(m.b)) {
      clips = true;
      low = std::max(low, constant(m.b));
      high = std::max(high, constant(m.b));
    } else if (m.op == MicroOp::kMin && IsMicroConstant(m.b)) {
      clips = true;
      low = std::min(low, constant(m.b));
      high = std::min(high, constant(m.b));
    } else if (m.op == MicroOp::kClip && IsMicroConstant(m.b) && IsMicroConstant(m.c)) {
      clips = true;
      low = std::min(std::max(low, constant(m.b)), constant(m.c));
      high = std::min(std::max(high, constant(m.b)), constant(m.c));
    } else if (m.op != MicroOp::kMov) {
      return false;
    }
    current = m.dst;
  }
  if (current != 0 || low != low || high != high) return false;
  added_source_ = added;
  clips_ = clips;
  low_ = low;
  high_ = high;
  return true;
}

bool Epilogue::AddOperand(int src, int binding) {
  const TensorDesc& dst = call_.dst[0];
  Block& block = blocks_[static_cast<size_t>(num_blocks_++)];
  block.used = true;
  block.src = src;
  block.binding = binding;
  if (src < 0) {
    block.view = dst;
    return true;
  }
  return BroadcastView(call_.src[static_cast<size_t>(src)], dst.shape(), &block.view);
}

void Epilogue::AddVector(int src, int binding, int axis) {
  Block& block = blocks_[static_cast<size_t>(num_blocks_++)];
  block.used = true;
  block.src = src;
  block.binding = binding;
  block.view = call_.dst[0];
  block.view.strides = {};
  block.view.strides[static_cast<size_t>(axis)] = call_.src[static_cast<size_t>(src)].strides[0];
}

bool Epilogue::AddSources(int binding) {
  if (call_.program == nullptr || call_.program->empty()) return true;
  if (*suffix_ == 0) return added_source_ < 0 || AddOperand(call_.program_begin + added_source_, binding);
  for (int k = 0; k < call_.program->num_sources; ++k) {
    if (!AddOperand(call_.program_begin + k, binding + k)) return false;
  }
  return true;
}

void Epilogue::Layout(const RowShape* shape) {
  const TensorDesc& dst = call_.dst[0];
  Loops& loops = rows_.loops;
  loops = Loops{};
  const auto add = [&](int axis, bool pinned) {
    Loops::Dim d;
    d.pinned = pinned;
    d.axis = axis;
    if (axis >= 0) {
      const size_t k = static_cast<size_t>(axis);
      d.size = dst.dims[k];
      for (size_t b = 0; b < blocks_.size(); ++b) {
        if (blocks_[b].used) d.stride[b] = blocks_[b].view.strides[k];
      }
    }
    loops.AddOutermost(d);
  };
  const int padded = PaddedAxis(dst);
  if (shape != nullptr) {
    add(shape->channel, true);
    for (int i = shape->count - 1; i >= 0; --i) add(shape->axes[static_cast<size_t>(i)], false);
  } else {
    if (padded >= 0) add(padded, true);
    for (int i = dst.rank - 1; i >= 0; --i) {
      if (i != padded) add(i, false);
    }
    loops.SortByFirst(padded >= 0);
  }
  loops.Merge(shape != nullptr || padded >= 0);
  rows_.inner = rows_.lanes = loops.at(0).size;
  if (padded >= 0) rows_.lanes = RoundUp(rows_.inner, kVectorLanes);
  rows_.groups = CeilDiv(rows_.lanes, kVectorLanes);
  rows_.items = rows_.inner == 0 ? 0 : rows_.groups;
  for (int d = 1; d < loops.dims; ++d) rows_.items *= loops.at(d).size;
}

int Epilogue::ModeOf(int block) const {
  const Block& b = blocks_[static_cast<size_t>(block)];
  if (!b.used) return 3;
  const Loops& loops = rows_.loops;
  const size_t k = static_cast<size_t>(block);
  const bool single = loops.at(0).size == 1;
  if (b.src >= 0 && (single || loops.at(0).stride[k] == 0)) return 2;
  bool aligned = loops.at(0).stride[k] == 1 || single;
  for (int d = 1; d < loops.dims; ++d) aligned = aligned && loops.at(d).stride[k] % kVectorLanes == 0;
  if (b.src < 0) aligned = aligned && rows_.lanes % kVectorLanes == 0;
  return aligned ? 0 : 1;
}

bool Epilogue::whole_vectors() const {
  for (int b = 0; b < num_blocks_; ++b) {
    if (blocks_[static_cast<size_t>(b)].used && blocks_[static_cast<size_t>(b)].src < 0) return ModeOf(b) == 0;
  }
  return false;
}

std::string Epilogue::Finish(Launcher* launcher, std::span<int> e, size_t e_at) const {
  const Loops& loops = rows_.loops;
  const int row_dims = std::max(1, loops.dims - 1);
  const size_t size = static_cast<size_t>(row_dims - 1 + num_blocks_ * (2 + row_dims));
  if (size > e.size()) {
    return StrCat("epilogue: ", num_blocks_, " operands over ", row_dims, " row dimensions take ", size,
                  " parameters of ", e.size());
  }
  int modes = 0;
  for (int b = 0; b < kMaxOperands; ++b) modes |= (b < num_blocks_ ? ModeOf(b) : 3) << (2 * b);
  launcher->Spec("BLOCK_MODES", modes);
  launcher->Spec("ROW_DIMS", row_dims);
  // Row dimension d counts from the outermost, loops from the innermost.
  for (int d = 1; d < row_dims; ++d) e[static_cast<size_t>(d - 1)] = static_cast<int>(loops.at(row_dims - d).size);
  for (int b = 0; b < num_blocks_; ++b) {
    const Block& block = blocks_[static_cast<size_t>(b)];
    if (!block.used) continue;
    const size_t at = static_cast<size_t>(row_dims - 1 + b * (2 + row_dims)), k = static_cast<size_t>(b);
    const int unit = UnitOf(b);
    e[at + 1] = static_cast<int>(loops.at(0).stride[k]);
    for (int d = 0; d < row_dims; ++d) {
      const int64_t stride = row_dims - d < loops.dims ? loops.at(row_dims - d).stride[k] : 0;
      e[at + 2 + static_cast<size_t>(d)] = static_cast<int>(stride / unit);
    }
    if (block.src < 0) {
      launcher->Dst(block.binding, 0, e_at + 4 * at, 4 * unit);
    } else {
      launcher->Src(block.binding, block.src, e_at + 4 * at, 4 * unit);
    }
  }
  if (call_.program == nullptr || call_.program->empty()) return "";
  if (*suffix_ == 0) {
    launcher->Spec("W0", (added_source_ >= 0 ? 1 : 0) | (clips_ ? 2 : 0));
    launcher->SpecFloat("K0", low_);
    launcher->SpecFloat("K1", high_);
    return "";
  }
  for (int i = 0; i < call_.program->num_ops; ++i) launcher->Spec(kWords[i], PackMicro(call_.program->ops[i]));
  for (int i = 0; i < call_.program->num_constants; ++i) {
    launcher->SpecFloat(kConstants[i], call_.program->constants[i]);
  }
  return "";
}

}  // namespace moka::gpu
