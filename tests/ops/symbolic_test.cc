// Inference over symbols: right for every value of them, and in a form that later nodes can use.
#include <gtest/gtest.h>

#include "ops/infer.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

// One inference with the dims of source 0 as text symbols: "N" or numbers.
class Symbolic {
 public:
  Dim operator[](const char* name) { return Dim::Symbol(symbols_.Intern(name)); }

  SymbolicTensor Tensor(std::vector<Dim> dims, DataType type = DataType::kF32) const {
    SymbolicTensor tensor;
    tensor.type = type;
    tensor.dims = std::move(dims);
    return tensor;
  }
  // A rank-1 i64 tensor with known elements.
  SymbolicTensor Elements(std::vector<Dim> elements) const {
    SymbolicTensor tensor = Tensor({Dim(static_cast<int64_t>(elements.size()))}, DataType::kI64);
    tensor.elements = std::move(elements);
    return tensor;
  }

  Status Infer(const char* op, const Attributes& attrs, const std::vector<SymbolicTensor>& src, size_t num_dst = 1) {
    std::vector<const SymbolicTensor*> pointers;
    for (const SymbolicTensor& tensor : src) pointers.push_back(&tensor);
    context = {};
    context.attrs = &attrs;
    context.src = pointers;
    context.symbols = &symbols_;
    context.dst.resize(num_dst);
    return FindOp("", op)->infer(context);
  }
  std::string Text(const std::vector<Dim>& dims) const {
    std::string text;
    for (const Dim& dim : dims) text += (text.empty() ? "" : ", ") + dim.ToString(symbols_);
    return "[" + text + "]";
  }
  std::string Shape(size_t i = 0) const { return Text(context.dst[i].dims); }
  SymbolTable& symbols() { return symbols_; }

  InferContext context;

 private:
  SymbolTable symbols_;
};

#define EXPECT_OK(expression)                               \
  do {                                                      \
    const Status moka_status = (expression);                \
    EXPECT_TRUE(moka_status.ok()) << moka_status.message(); \
  } while (false)

TEST(SymbolicShapes, ConvKeepsBatchAndDividesSpace) {
  Symbolic s;
  const Attributes attrs = Attrs({{"pads", List({1, 1, 1, 1})}, {"strides", List({2, 2})}});
  EXPECT_OK(s.Infer("Conv", attrs, {s.Tensor({s["N"], 3, s["H"], s["W"]}), s.Tensor({64, 3, 3, 3})}));
  EXPECT_EQ(s.context.dst[0].dims[2], Dim::FloorDiv(s["H"] + 1, 2));
  EXPECT_EQ(s.context.dst[0].dims[0], s["N"]);
  const Attributes same = Attrs({{"auto_pad", std::string("SAME_UPPER")}, {"strides", List({2, 2})}});
  EXPECT_OK(s.Infer("Conv", same, {s.Tensor({s["N"], 3, s["H"], s["W"]}), s.Tensor({64, 3, 3, 3})}));
  EXPECT_EQ(s.context.dst[0].dims[2], Dim::CeilDiv(s["H"], 2));
  EXPECT_TRUE(s.context.constraints.empty());
}

TEST(SymbolicShapes, UndecidedChannelsBecomeAConstraint) {
  Symbolic s;
  EXPECT_OK(s.Infer("Conv", {}, {s.Tensor({1, s["C"], 5, 5}), s.Tensor({4, 3, 3, 3})}));
  ASSERT_EQ(s.context.constraints.size(), 1u);
  EXPECT_EQ(s.context.constraints[0].a, s["C"]);
  EXPECT_EQ(s.context.constraints[0].b, Dim(3));
}

TEST(SymbolicShapes, ReshapeCancelsWhatBothSidesHave) {
  Symbolic s;
  const SymbolicTensor x = s.Tensor({s["N"], 116, s["H"], s["W"]});
  EXPECT_OK(s.Infer("Reshape", {}, {x, s.Elements({s["N"], 2, 58, s["H"], s["W"]})}));
  EXPECT_EQ(s.Shape(), s.Text({s["N"], 2, 58, s["H"], s["W"]}));
  EXPECT_TRUE(s.context.constraints.empty());
  EXPECT_OK(s.Infer("Reshape", {}, {x, s.Elements({0, 2, -1, s["H"], s["W"]})}));
  EXPECT_EQ(s.Shape(), s.Text({s["N"], 2, 58, s["H"], s["W"]}));
  EXPECT_TRUE(s.context.constraints.empty());
  EXPECT_OK(s.Infer("Reshape", {}, {x, s.Elements({0, -1})}));
  EXPECT_EQ(s.context.dst[0].dims[1], Dim(116) * s["H"] * s["W"]);
  EXPECT_OK(s.Infer("Reshape", {}, {x, s.Elements({-1, 116})}));
  EXPECT_EQ(s.context.dst[0].dims[0], s["N"] * s["H"] * s["W"]);
}

TEST(SymbolicShapes, UnknownContentsNameTheSource) {
  Symbolic s;
  EXPECT_FALSE(s.Infer("Reshape", {}, {s.Tensor({2, 3}), s.Tensor({2}, DataType::kI64)}).ok());
  EXPECT_EQ(s.context.needed_source, 1);
  const SymbolicTensor unknown = s.Tensor({1}, DataType::kI64);
  EXPECT_FALSE(s.Infer("Slice", {}, {s.Tensor({9}), s.Elements({0}), unknown}).ok());
  EXPECT_EQ(s.context.needed_source, 2);
  EXPECT_FALSE(s.Infer("ReduceMean", {}, {s.Tensor({9}), unknown}).ok());
  EXPECT_EQ(s.context.needed_source, 1);
}

TEST(SymbolicShapes, SlicesStaySimpleWhereSignsAreKnown) {
  Symbolic s;
  const auto slice = [&](const Dim& start, const Dim& end) {
    EXPECT_OK(s.Infer("Slice", {}, {s.Tensor({s["H"]}), s.Elements({start}), s.Elements({end})}));
    return s.context.dst[0].dims[0];
  };
  EXPECT_EQ(slice(0, INT64_MAX), s["H"]);
  EXPECT_EQ(slice(0, s["H"]), s["H"]);
  EXPECT_EQ(slice(1, INT64_MAX), Dim::Max(0, s["H"] - 1));
  EXPECT_EQ(slice(0, -2), Dim::Max(0, s["H"] - 2));
  EXPECT_EQ(slice(0, 5), Dim::Min(5, s["H"]));
}

TEST(SymbolicShapes, SliceOfASymbolicStartIsExactForEverySign) {
  Symbolic s;
  const Dim start = s["a"] - Dim(6), end = s["b"] - Dim(6), size = s["H"];
  for (const int64_t step : {1, 2, -1, -3}) {
    const SymbolicTensor x = s.Tensor({size});
    EXPECT_OK(s.Infer("Slice", {}, {x, s.Elements({start}), s.Elements({end}), s.Elements({0}), s.Elements({step})}));
    const Dim length = s.context.dst[0].dims[0];
    for (int64_t a = 0; a < 13; ++a) {
      for (int64_t b = 0; b < 13; ++b) {
        for (const int64_t h : {0, 1, 5}) {
          const auto got = length.Evaluate({a, b, h});
          const OpCase concrete =
              MakeCase("Slice/", {}, {Fed({h}), Ints({a - 6}), Ints({b - 6}), Ints({0}), Ints({step})});
          const auto data = CaseData::Make(concrete, CaseLayout{});
          ASSERT_TRUE(data.ok()) << data.status().message();
          ASSERT_EQ(*got, (*data)->call().dst[0].dims[0]) << a - 6 << ":" << b - 6 << ":" << step << " of " << h;
        }
      }
    }
  }
}

TEST(SymbolicShapes, ShapeChainsKeepTheirElements) {
  Symbolic s;
  EXPECT_OK(s.Infer("Shape", {}, {s.Tensor({s["N"], 24, s["H"], s["W"]})}));
  const SymbolicTensor shape = s.context.dst[0];
  EXPECT_OK(s.Infer("Gather", {}, {shape, s.Elements({-2})}));
  const SymbolicTensor height = s.context.dst[0];
  EXPECT_EQ(*height.elements, std::vector<Dim>{s["H"]});
  EXPECT_OK(s.Infer("Slice", {}, {shape, s.Elements({2}), s.Elements({INT64_MAX})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[H, W]");
  const SymbolicTensor space = s.context.dst[0];
  EXPECT_OK(s.Infer("Concat", Attrs({{"axis", int64_t{0}}}), {height, s.Elements({-1}), space}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[H, -1, H, W]");
  EXPECT_OK(s.Infer("Split", {}, {shape}, 2));
  EXPECT_EQ(s.Text(*s.context.dst[1].elements), "[H, W]");
  EXPECT_OK(s.Infer("Unsqueeze", {}, {space, s.Elements({0})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[H, W]");
}

// torch exports an Expand to a shape with "as it is" (-1) as Where(Equal(wanted, -1), ones, wanted).
TEST(SymbolicShapes, ConditionsOnShapesAreDecided) {
  Symbolic s;
  const SymbolicTensor sizes = s.Elements({s["N"], -1, s["H"] + 1}), minus_one = s.Elements({-1});
  EXPECT_OK(s.Infer("Equal", {}, {sizes, minus_one}));
  const SymbolicTensor equal = s.context.dst[0];
  EXPECT_EQ(equal.type, DataType::kBool);
  EXPECT_EQ(s.Text(*equal.elements), "[0, 1, 0]");
  EXPECT_OK(s.Infer("Where", {}, {equal, s.Elements({1, 1, 1}), sizes}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), s.Text({s["N"], 1, s["H"] + 1}));
  EXPECT_OK(s.Infer("Not", {}, {equal}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[1, 0, 1]");
  EXPECT_OK(s.Infer("Greater", {}, {sizes, s.Elements({0})}));
  EXPECT_FALSE(s.context.dst[0].elements) << "N may be 0";
  EXPECT_OK(s.Infer("GreaterOrEqual", {}, {s.Elements({s["N"], s["H"] + 1}), s.Elements({0})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[1, 1]");
  EXPECT_OK(s.Infer("Less", {}, {s.Elements({s["N"]}), s.Elements({s["N"] + 1})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[1]");
  EXPECT_OK(s.Infer("Equal", {}, {s.Elements({s["N"]}), s.Elements({s["H"]})}));
  EXPECT_FALSE(s.context.dst[0].elements) << "they may be equal";
}

TEST(SymbolicShapes, ArithmeticOnShapesIsKept) {
  Symbolic s;
  const SymbolicTensor sizes = s.Elements({s["N"], s["H"] + 2});
  EXPECT_OK(s.Infer("Mod", {}, {sizes, s.Elements({2})}));
  EXPECT_EQ(*s.context.dst[0].elements, (std::vector<Dim>{Dim::Mod(s["N"], 2), Dim::Mod(s["H"] + 2, 2)}));
  EXPECT_OK(s.Infer("Neg", {}, {sizes}));
  const SymbolicTensor negative = s.context.dst[0];
  EXPECT_OK(s.Infer("Abs", {}, {negative}));
  EXPECT_EQ(*s.context.dst[0].elements, *sizes.elements);
  EXPECT_OK(s.Infer("Sign", {}, {s.Elements({s["H"] + 2, 0, -3})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[1, 0, -1]");
  EXPECT_OK(s.Infer("Cast", Attrs({{"to", int64_t{9}}}), {s.Elements({s["H"] + 2, 0})}));
  EXPECT_EQ(s.Text(*s.context.dst[0].elements), "[1, 0]");
  EXPECT_OK(s.Infer("Cast", Attrs({{"to", int64_t{9}}}), {s.Elements({s["H"]})}));
  EXPECT_FALSE(s.context.dst[0].elements);
}

// Every case of the tables again, its dimensions hidden behind symbols: what inference says must evaluate to what it
// said for the numbers.
class CasesWithSymbols : public ::testing::Test {
 protected:
  // Inference with the dims of fed source `which` replaced by symbols; their values go to values_.
  Status Infer(const OpCase& op_case, const CaseData& data) {
    symbols_ = {};
    values_.clear();
    const OpCall& call = data.call();
    std::vector<SymbolicTensor> tensors(op_case.src.size());
    std::vector<const SymbolicTensor*> pointers;
    const bool alone = op_case.op == "moka.Elementwise" || op_case.program_begin < 0;
    for (size_t i = 0; i < tensors.size() && (alone || i < static_cast<size_t>(op_case.program_begin)); ++i) {
      tensors[i].type = op_case.src[i].type;
      tensors[i].constant = call.constants[i];
      for (const int64_t dim : op_case.src[i].shape) tensors[i].dims.push_back(i == 0 ? Hide(dim) : Dim(dim));
      pointers.push_back(&tensors[i]);
    }
    context_ = {};
    context_.attrs = &op_case.attrs;
    context_.src = pointers;
    context_.symbols = &symbols_;
    context_.dst.resize(static_cast<size_t>(op_case.num_dst));
    return call.op->infer(context_);
  }

  Dim Hide(int64_t value) {
    values_.push_back(value);
    return Dim::Symbol(symbols_.Fresh("d"));
  }

  InferContext context_;
  SymbolTable symbols_;
  std::vector<int64_t> values_;
};

TEST_F(CasesWithSymbols, EvaluateToTheSameShapes) {
  int checked = 0, refused = 0;
  for (const CaseFamily& family : CaseFamilies()) {
    for (const OpCase& op_case : family.cases()) {
      SCOPED_TRACE(op_case.name);
      if (op_case.src[0].constant) continue;
      const auto data = CaseData::Make(op_case, CaseLayout{});
      ASSERT_TRUE(data.ok());
      // Squeeze without axes has no rank before sizes are known.
      if (const Status status = Infer(op_case, **data); !status.ok()) {
        EXPECT_EQ(op_case.name, "Squeeze/all") << status.message();
        ++refused;
        continue;
      }
      for (size_t i = 0; i < context_.dst.size(); ++i) {
        const TensorDesc& want = (*data)->call().dst[i];
        ASSERT_EQ(context_.dst[i].rank(), want.rank);
        for (size_t d = 0; d < context_.dst[i].dims.size(); ++d) {
          const auto got = context_.dst[i].dims[d].Evaluate(values_);
          ASSERT_TRUE(got.ok()) << got.status().message();
          EXPECT_EQ(*got, want.dims[d]) << "dimension " << d;
        }
      }
      for (const DimConstraint& constraint : context_.constraints) {
        const auto a = constraint.a.Evaluate(values_), b = constraint.b.Evaluate(values_);
        EXPECT_TRUE(*a == *b || (constraint.broadcast && *a == 1)) << constraint.what;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 500);
  EXPECT_EQ(refused, 1);
}

}  // namespace
}  // namespace moka
