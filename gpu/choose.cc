#include "gpu/choose.h"

#include <limits>

namespace moka::gpu {
namespace {

struct Row {
  std::string_view domain, op;
  ChooseFunction choose;
  bool epilogue;  // the family runs micro-programs
};
constexpr Row kRows[] = {
    {"moka", "Copy", ChooseCopy, false},
    {"moka", "Elementwise", ChooseElementwise, true},
    {"", "AveragePool", ChoosePool, false},
    {"", "BatchNormalization", ChooseBatchNorm, false},
    {"", "Cast", ChooseCast, false},
    {"", "Concat", ChooseConcat, false},
    {"", "Conv", ChooseConv, true},
    {"", "Expand", ChooseCopy, false},
    {"", "Flatten", ChooseCopy, false},
    {"", "Gather", ChooseGather, false},
    {"", "Gemm", ChooseGemm, true},
    {"", "GlobalAveragePool", ChooseReduce, false},
    {"", "GlobalMaxPool", ChooseReduce, false},
    {"", "Identity", ChooseCopy, false},
    {"", "LogSoftmax", ChooseSoftmax, false},
    {"", "MatMul", ChooseMatMul, true},
    {"", "MaxPool", ChoosePool, false},
    {"", "Pad", ChoosePad, false},
    {"", "ReduceL1", ChooseReduce, false},
    {"", "ReduceL2", ChooseReduce, false},
    {"", "ReduceMax", ChooseReduce, false},
    {"", "ReduceMean", ChooseReduce, false},
    {"", "ReduceMin", ChooseReduce, false},
    {"", "ReduceProd", ChooseReduce, false},
    {"", "ReduceSum", ChooseReduce, false},
    {"", "ReduceSumSquare", ChooseReduce, false},
    {"", "Reshape", ChooseCopy, false},
    {"", "Slice", ChooseCopy, false},
    {"", "Softmax", ChooseSoftmax, false},
    {"", "Split", ChooseSplit, false},
    {"", "Squeeze", ChooseCopy, false},
    {"", "Transpose", ChooseCopy, false},
    {"", "Unsqueeze", ChooseCopy, false},
};

const Row* FindRow(const OpSchema& op) {
  for (const Row& row : kRows) {
    if (row.domain == op.domain && row.op == op.name) return &row;
  }
  return nullptr;
}

// Kernels count in 32 bits, and an operand must fit one binding.
std::string TooLarge(const Request& request) {
  const auto check = [&](const TensorDesc& desc, const char* kind, size_t i) -> std::string {
    if (!desc.present()) return "";
    if (desc.ExtentBytes() > request.profile.max_binding) {
      return StrCat(kind, " ", i, ": ", desc.ExtentBytes(), " bytes, a binding holds ", request.profile.max_binding);
    }
    if (desc.ExtentBytes() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
      return StrCat(kind, " ", i, ": offsets exceed 32 bits");
    }
    return "";
  };
  for (size_t i = 0; i < request.call.src.size(); ++i) {
    if (std::string reason = check(request.call.src[i], "src", i); !reason.empty()) return reason;
  }
  for (size_t i = 0; i < request.call.dst.size(); ++i) {
    if (std::string reason = check(request.call.dst[i], "dst", i); !reason.empty()) return reason;
  }
  return "";
}

}  // namespace

int WordsOf(DataType type) {
  switch (SizeOf(type)) {
    case 4:
      return 1;
    case 8:
      return 2;
    default:
      return 0;
  }
}

Offer Choose(const Profile& profile, const OpCall& call, const ChoosePolicy&) {
  Offer offer;
  const Row* row = FindRow(*call.op);
  if (row == nullptr) {
    Refuse(&offer, "gpu", "no kernel for ", call.op->name);
    return offer;
  }
  if (call.program != nullptr && !call.program->empty() && !row->epilogue) {
    Refuse(&offer, "gpu", "no kernel for ", call.op->name, " with an epilogue");
    return offer;
  }
  const Request request{profile, call};
  if (const std::string reason = TooLarge(request); !reason.empty()) {
    Refuse(&offer, "gpu", reason);
    return offer;
  }
  row->choose(request, &offer);
  return offer;
}

}  // namespace moka::gpu
