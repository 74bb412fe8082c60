#include "ops/micro.h"

#include <limits>
#include <random>

#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class Micro : public OnEveryTarget {};

// A program that reads only what was written before. Values stay moderate: no Exp of large sums.
MicroProgram RandomProgram(std::mt19937& random, int sources) {
  constexpr MicroOp kOps[] = {MicroOp::kMov,  MicroOp::kAdd,     MicroOp::kSub,         MicroOp::kMul,
                              MicroOp::kMin,  MicroOp::kMax,     MicroOp::kMulAdd,      MicroOp::kClip,
                              MicroOp::kTanh, MicroOp::kSigmoid, MicroOp::kHardSigmoid, MicroOp::kHardSwish,
                              MicroOp::kErf,  MicroOp::kSilu,    MicroOp::kGelu,        MicroOp::kLeakyRelu};
  MicroProgram program;
  program.num_sources = sources;
  program.num_constants = 3;
  for (int i = 0; i < 3; ++i) program.constants[i] = static_cast<float>(random() % 64) / 32.0f - 1.0f;
  const int ops = 1 + static_cast<int>(random() % 8);
  uint32_t written = 1;  // register 0 starts as 0
  for (int i = 0; i < ops; ++i) {
    const auto operand = [&]() -> uint8_t {
      for (;;) {
        const auto r = static_cast<int>(random() % kMicroRegisters);
        switch (random() % 3) {
          case 0:
            if (written >> r & 1) return MicroRegister(r);
            break;
          case 1:
            if (sources > 0) return MicroSource(r % sources);
            break;
          default:
            return MicroConstant(r % 3);
        }
      }
    };
    const MicroOp op = kOps[random() % std::size(kOps)];
    const int dst = i + 1 == ops ? 0 : static_cast<int>(random() % 4);
    program.ops[program.num_ops++] = {op, static_cast<uint8_t>(dst), operand(), operand(), operand(), {}};
    written |= 1u << dst;
  }
  return program;
}

// A desc of `shape` in one of several memory orders.
TensorDesc RandomLayout(std::mt19937& random, const Shape& shape) {
  TensorDesc desc = MakeDense(DataType::kF32, shape, random() % 2 == 0 ? Format::kRowMajor : Format::kChannelsLast);
  if (random() % 4 == 0 && desc.rank > 0) {  // rows with a gap, as parts of a Concat have
    desc = MakeDense(DataType::kF32, shape);
    int64_t stride = 1;
    for (int i = desc.rank - 1; i >= 0; --i) {
      desc.strides[static_cast<size_t>(i)] = stride;
      stride *= desc.dims[static_cast<size_t>(i)] + (i == desc.rank - 1 ? 3 : 0);
    }
  }
  return desc;
}

TEST_P(Micro, RandomProgramsShapesAndLayouts) {
  std::mt19937 random(21);
  const Shape shapes[] = {{},
                          {1},
                          {5},
                          {1023},
                          {5000},
                          {3, 7},
                          {300, 17},
                          {2, 40000},
                          {2, 5, 6, 7},
                          {1, 24, 10, 9},
                          {3, 1, 4, 1, 5},
                          {2, 3, 2, 3, 2, 3},
                          {1, 1100, 3, 2}};
  for (int i = 0; i < 300; ++i) {
    const Shape& shape = shapes[random() % std::size(shapes)];
    const int sources = static_cast<int>(random() % 5);
    OpTest test;
    test.op = "moka.Elementwise";
    test.program = RandomProgram(random, sources);
    test.program_begin = 0;
    for (int k = 0; k < sources; ++k) {
      Shape source = shape;
      switch (random() % 4) {
        case 0:  // one dimension is repeated
          if (!source.empty()) source[random() % source.size()] = 1;
          break;
        case 1:  // leading dimensions are missing
          if (!source.empty())
            source.erase(source.begin(), source.begin() + static_cast<ptrdiff_t>(random() % (source.size() + 1)));
          break;
        default:
          break;
      }
      test.AddFloats(RandomLayout(random, source), random);
    }
    test.dst = {RandomLayout(random, shape)};
    CheckOp(device(), test, Kernel("micro"), 2e-5, "program " + std::to_string(i) + " " + ToString(shape));
  }
}

TEST_P(Micro, EveryOperationAgainstTheOracle) {
  std::mt19937 random(22);
  for (int op = 0; op < kNumMicroOps; ++op) {
    for (const int64_t n : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129}) {
      for (int scalars = 0; scalars < 8; ++scalars) {  // bit o: operand o is one number for all
        OpTest test;
        test.op = "moka.Elementwise";
        test.program.num_ops = 1;
        test.program.num_sources = 3;
        test.program.ops[0] = {static_cast<MicroOp>(op), 0, MicroSource(0), MicroSource(1), MicroSource(2), {}};
        test.program_begin = 0;
        for (int k = 0; k < 3; ++k) {
          test.AddFloats(MakeDense(DataType::kF32, scalars >> k & 1 ? Shape{1} : Shape{n}), random);
        }
        test.dst = {MakeDense(DataType::kF32, {n})};
        CheckOp(device(), test, Kernel("micro"), 1e-5,
                std::string(NameOf(static_cast<MicroOp>(op))) + " " + std::to_string(n));
      }
    }
  }
}

TEST_P(Micro, NanInAnyOperandStays) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const MicroOp op : {MicroOp::kMin, MicroOp::kMax, MicroOp::kClip, MicroOp::kAdd, MicroOp::kLeakyRelu,
                           MicroOp::kHardSwish, MicroOp::kGelu, MicroOp::kSilu}) {
    for (int nan = 0; nan < Arity(op); ++nan) {
      if (op == MicroOp::kLeakyRelu && nan == 1) continue;  // the slope does not count where a >= 0
      OpTest test;
      test.op = "moka.Elementwise";
      test.program.num_ops = 1;
      test.program.num_sources = 3;
      test.program.ops[0] = {op, 0, MicroSource(0), MicroSource(1), MicroSource(2), {}};
      test.program_begin = 0;
      for (int k = 0; k < 3; ++k) {
        test.src.emplace_back(MakeDense(DataType::kF32, {37}));
        for (int64_t i = 0; i < 37; ++i)
          StoreRaw<float>(test.src.back().data(), i, k == nan ? kNan : static_cast<float>(k));
      }
      test.dst = {MakeDense(DataType::kF32, {37})};
      const OpRun run = RunOp(device(), test);
      for (int64_t i = 0; i < 37; ++i)
        EXPECT_TRUE(std::isnan(LoadRaw<float>(run.dst[0].data(), i))) << NameOf(op) << nan;
    }
  }
}

TEST_P(Micro, OverwritesASourceInPlace) {
  std::mt19937 random(23);
  for (int i = 0; i < 60; ++i) {
    OpTest test;
    test.op = "moka.Elementwise";
    test.program = RandomProgram(random, 2);
    test.program_begin = 0;
    const TensorDesc desc = MakeDense(DataType::kF32, {2, 19, 30, 5}, Format::kChannelsLast);
    test.AddFloats(desc, random);
    test.AddFloats(random() % 2 == 0 ? desc : MakeDense(DataType::kF32, {1, 19, 1, 1}), random);
    test.dst = {desc};
    test.in_place = 0;
    CheckOp(device(), test, Kernel("micro"), 2e-5, "in place " + std::to_string(i));
  }
}

TEST_P(Micro, OffersInPlaceOnlyForEqualLayouts) {
  OpTest test;
  test.op = "moka.Elementwise";
  test.program.num_ops = 1;
  test.program.num_sources = 3;
  test.program.ops[0] = {MicroOp::kMulAdd, 0, MicroSource(0), MicroSource(1), MicroSource(2), {}};
  test.program_begin = 0;
  test.src.emplace_back(MakeDense(DataType::kF32, {1, 4, 5, 6}));
  test.src.emplace_back(MakeDense(DataType::kF32, {1, 4, 5, 6}, Format::kChannelsLast));
  test.src.emplace_back(MakeDense(DataType::kF32, {1, 4, 1, 1}));
  test.dst = {MakeDense(DataType::kF32, {1, 4, 5, 6}, Format::kChannelsLast)};
  const CallParts parts(test);
  const Offer offer = device().Choose(parts.call, {});
  ASSERT_EQ(offer.choices.size(), 1u);
  EXPECT_EQ(offer.choices[0].in_place, 2u);
}

MOKA_ON_EVERY_TARGET(Micro);

}  // namespace
}  // namespace moka
