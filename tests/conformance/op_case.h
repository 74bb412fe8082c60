// One case of one operator as data, and the memory that it runs on.
#ifndef MOKA_TESTS_CONFORMANCE_OP_CASE_H_
#define MOKA_TESTS_CONFORMANCE_OP_CASE_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moka/session.h"
#include "ops/micro_builder.h"
#include "ops/op.h"

namespace moka {

// How the elements of an operand are made. They depend on the case's name, the operand and the element's position
// only, so every memory layout of a case holds the same values.
enum class Fill : uint8_t {
  kUniform,   // floats in [-2, 2), integers in [-8, 8), bools
  kPositive,  // floats in [0.25, 2.25)
  kBytes,     // of u8 and i8: all values, many of them the lowest and the highest
  kGiven,     // CaseOperand::given
};

struct CaseOperand {
  DataType type = DataType::kNone;  // kNone: an absent optional
  Shape shape;
  Fill fill = Fill::kUniform;
  bool constant = false;      // contents known when a kernel is chosen: weights, shape-like integers
  std::vector<double> given;  // row-major
};

CaseOperand Absent();
CaseOperand Fed(Shape shape, DataType type = DataType::kF32);
CaseOperand Positive(Shape shape);  // a constant
CaseOperand Weight(Shape shape, DataType type = DataType::kF32);
CaseOperand Ints(std::initializer_list<int64_t> values);                                     // constant i64, rank 1
CaseOperand Given(Shape shape, std::vector<double> values, DataType type = DataType::kF32);  // fed
CaseOperand Constant(CaseOperand operand);

using AttributeList = std::initializer_list<std::pair<std::string_view, AttributeValue>>;
Attributes Attrs(AttributeList list);
std::vector<int64_t> List(std::initializer_list<int64_t> values);

struct OpCase {
  std::string name;  // "Conv/3x3_pad1": unique
  std::string op;    // "Conv", "moka.Elementwise"
  Attributes attrs;
  std::vector<CaseOperand> src;  // the program's sources last
  int num_dst = 1;
  // The epilogue, or the program of moka.Elementwise; its sources are src[program_begin ...].
  MicroProgram program{};
  int program_begin = -1;
  // Whether a device of the kind must run the case with a kernel of its own.
  bool own_on_cpu = true, own_on_gpu = true;
};

// A program from a few lines: OfProgram([](MicroBuilder& b) { return b.Emit(MicroOp::kMax, 0, b.Constant(0)); }).
MicroProgram OfProgram(uint8_t (*build)(MicroBuilder&));

// Memory order of a case's operands.
struct CaseLayout {
  const char* name = "row_major";
  Format src = Format::kRowMajor, dst = Format::kRowMajor;
  // Operands are parts of larger tensors: rows are longer and do not start where the memory does. `gap` more elements
  // a row, `shift` elements before the first; 0: dense.
  int64_t gap = 0, shift = 0;
  int alignment = 1;  // Limits::channel_alignment
};

// Elements beyond the innermost dimension that a kernel for whole vectors of `alignment` may load, and must store as
// zeros (ops/device.h). `strict`: no reading of that rule sees none here.
struct PaddingLanes {
  int dim = -1;  // the innermost
  int64_t count = 0;
  bool strict = false;
};
PaddingLanes LanesOf(const TensorDesc& desc, int alignment);

// Memory of one operand. Elements that belong to no one are NaN in sources and `kCanary` bytes in results.
struct CaseMemory {
  TensorDesc desc;
  std::vector<std::byte> bytes;
  int64_t start = 0;  // of the desc's first element, in bytes

  void* data() { return bytes.data() + start; }
  const void* data() const { return bytes.data() + start; }
};
inline constexpr std::byte kCanary{0xCB};

// A case with its shapes inferred and its operands in memory.
class CaseData {
 public:
  // The Status of inference, where that fails.
  static Result<std::unique_ptr<CaseData>> Make(const OpCase& op_case, const CaseLayout& layout);
  CaseData(const CaseData&) = delete;
  CaseData& operator=(const CaseData&) = delete;

  const OpCall& call() const { return call_; }
  const std::vector<CaseMemory>& src() const { return src_; }
  const std::vector<CaseMemory>& dst() const { return dst_; }  // canaries
  // Runs the reference (accumulating in float) or the oracle into copies of dst(). kBF16: of a product, with both
  // factors rounded (the second one times alpha, where there is one).
  Result<std::vector<CaseMemory>> Reference(bool oracle, Precision precision = Precision::kF32) const;

 private:
  CaseData() = default;
  Status Infer(const OpCase& op_case);
  void MakeSources(const OpCase& op_case, const CaseLayout& layout);

  std::vector<CaseMemory> src_, dst_;
  std::vector<std::vector<std::byte>> constant_bytes_;
  std::vector<HostTensor> constants_;
  std::vector<const HostTensor*> constant_pointers_;
  std::vector<TensorDesc> src_descs_, dst_descs_;
  std::vector<std::pair<DataType, Shape>> results_;
  OpCase case_;
  OpCall call_;
};

// The layouts in which a device with this alignment must be able to run the case. `own`: by a kernel of its own; the
// other ones are allowed to fall back.
struct CaseVariant {
  CaseLayout layout;
  bool own = true;
};
std::vector<CaseVariant> VariantsOf(const OpCase& op_case, int alignment);

}  // namespace moka

#endif  // MOKA_TESTS_CONFORMANCE_OP_CASE_H_
