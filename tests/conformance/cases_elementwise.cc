#include <limits>

#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

OpCase Program(const std::string& name, MicroProgram program, std::vector<CaseOperand> src) {
  OpCase op_case = MakeCase("moka.Elementwise/" + name, {}, std::move(src));
  op_case.program = program;
  op_case.program_begin = 0;
  return op_case;
}

// One instruction with a source for every operand.
MicroProgram Single(MicroOp op) {
  MicroProgram program;
  program.num_ops = 1;
  program.num_sources = Arity(op);
  program.ops[0].op = op;
  uint8_t* const operands[] = {&program.ops[0].a, &program.ops[0].b, &program.ops[0].c};
  for (int i = 0; i < program.num_sources; ++i) *operands[i] = MicroSource(i);
  return program;
}

// The first source is `whole`, the others broadcast to it.
std::vector<CaseOperand> Sources(const Shape& whole, const Shape& other, int count) {
  std::vector<CaseOperand> src{Fed(whole)};
  while (static_cast<int>(src.size()) < count) src.push_back(Fed(other));
  return src;
}

void AddEveryOperation(std::vector<OpCase>& cases) {
  for (int i = 0; i < kNumMicroOps; ++i) {
    const auto op = static_cast<MicroOp>(i);
    const int arity = Arity(op);
    const MicroProgram program = Single(op);
    for (const int64_t n : kLengths) {
      cases.push_back(Program(StrCat(NameOf(op), "_", n), program, Sources({n}, {n}, arity)));
    }
    cases.push_back(Program(StrCat(NameOf(op), "_image"), program, Sources({2, 17, 3, 5}, {2, 17, 3, 5}, arity)));
    if (arity == 1) continue;
    cases.push_back(Program(StrCat(NameOf(op), "_channel"), program, Sources({2, 17, 3, 5}, {17, 1, 1}, arity)));
  }
}

struct Broadcast {
  const char* name;
  Shape a, b;
};

void AddBroadcasts(std::vector<OpCase>& cases) {
  const Broadcast broadcasts[] = {
      {"scalar", {3, 17}, {}},
      {"one", {2, 5, 3, 4}, {1}},
      {"row", {5, 33}, {33}},
      {"column", {5, 33}, {5, 1}},
      {"outer", {5, 1}, {1, 17}},
      {"channel", {2, 9, 4, 5}, {9, 1, 1}},
      {"channel_full_rank", {2, 9, 4, 5}, {1, 9, 1, 1}},
      {"per_image", {2, 9, 4, 5}, {2, 9, 1, 1}},
      {"spatial", {2, 9, 4, 5}, {4, 5}},
      {"width", {2, 9, 4, 5}, {5}},
      {"height", {2, 9, 4, 5}, {4, 1}},
      {"batch", {3, 4, 2, 5}, {3, 1, 1, 1}},
      {"one_channel", {2, 9, 4, 5}, {2, 1, 4, 5}},
      {"rank5", {2, 3, 4, 2, 5}, {3, 1, 2, 1}},
      {"both", {2, 1, 4, 1}, {1, 3, 1, 5}},
      {"longer_second", {5}, {2, 3, 5}},
  };
  for (const Broadcast& broadcast : broadcasts) {
    const std::string name = StrCat("broadcast_", broadcast.name);
    cases.push_back(Program(name, Single(MicroOp::kSub), {Fed(broadcast.a), Fed(broadcast.b)}));
    cases.push_back(Program(name + "_swapped", Single(MicroOp::kSub), {Fed(broadcast.b), Fed(broadcast.a)}));
  }
}

void AddChains(std::vector<OpCase>& cases) {
  const MicroProgram chain = OfProgram([](MicroBuilder& b) {
    const uint8_t x = b.AddSource(), y = b.AddSource(), scale = b.AddSource();
    const uint8_t t = b.Emit(MicroOp::kTanh, b.Emit(MicroOp::kMul, x, scale));
    const uint8_t u = b.Emit(MicroOp::kMax, b.Emit(MicroOp::kSub, y, t), b.Constant(-0.25f));
    return b.Emit(MicroOp::kAdd, b.Emit(MicroOp::kMul, t, u), b.Emit(MicroOp::kMin, x, b.Constant(0.75f)));
  });
  cases.push_back(Program("chain", chain, {Fed({2, 17, 3, 5}), Fed({2, 17, 3, 5}), Fed({17, 1, 1})}));
  cases.push_back(Program("chain_rank2", chain, {Fed({7, 33}), Fed({7, 33}), Fed({33})}));
  // As many instructions as fit: an alternating sum that a dropped or doubled one would change.
  const MicroProgram longest = OfProgram([](MicroBuilder& b) {
    const uint8_t x = b.AddSource(), y = b.AddSource();
    uint8_t value = x;
    for (int i = 0; i < kMicroMaxOps; ++i) value = b.Emit(i % 2 == 0 ? MicroOp::kSub : MicroOp::kMax, value, y);
    return value;
  });
  cases.push_back(Program("longest", longest, {Fed({3, 67}), Fed({3, 67})}));
  // Where approximations end: denormals, overflow; then what is no number.
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const CaseOperand finite = Given({21}, {0,     -0.0, 1e-40, -1e-40, 87.5, 88.5, -87.5, -104, 1e4, -1e4, 3e38,
                                          -3e38, 9,    -9,    0.5,    -0.5, 1,    -1,    6,    -6,  3});
  for (const MicroOp op : {MicroOp::kTanh, MicroOp::kErf, MicroOp::kSigmoid, MicroOp::kHardSwish, MicroOp::kGelu}) {
    cases.push_back(Program(StrCat(NameOf(op), "_edges"), Single(op), {finite}));
  }
  cases.push_back(Program("Exp_edges", Single(MicroOp::kExp), {Given({8}, {0, -87.3, -88, -104, -1e4, 88.5, 1, -1})}));
  for (const MicroOp op : {MicroOp::kExp, MicroOp::kTanh, MicroOp::kErf, MicroOp::kSigmoid}) {
    cases.push_back(Program(StrCat(NameOf(op), "_infinite"), Single(op), {Given({4}, {inf, -inf, 89, 1})}));
    cases.push_back(Program(StrCat(NameOf(op), "_nan"), Single(op), {Given({2}, {nan, 1})}));
  }
  for (const MicroOp op : {MicroOp::kMin, MicroOp::kMax}) {
    cases.push_back(
        Program(StrCat(NameOf(op), "_nan"), Single(op), {Given({4}, {nan, 1, nan, 2}), Given({4}, {0, nan, nan, 3})}));
  }
}

}  // namespace

std::vector<OpCase> ElementwiseCases() {
  std::vector<OpCase> cases;
  AddEveryOperation(cases);
  AddBroadcasts(cases);
  AddChains(cases);
  return cases;
}

}  // namespace moka
