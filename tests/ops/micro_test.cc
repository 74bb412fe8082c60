#include "ops/micro.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "ops/micro_builder.h"

namespace moka {
namespace {

MicroProgram Finished(const MicroBuilder& builder) {
  MicroProgram program;
  EXPECT_TRUE(builder.Finish(&program));
  return program;
}

TEST(Micro, NanInAnyOperandOfExtremaIsTheResult) {
  const double nan = std::nan("");
  EXPECT_TRUE(std::isnan(MicroMin(nan, 1)));
  EXPECT_TRUE(std::isnan(MicroMin(1, nan)));
  EXPECT_TRUE(std::isnan(MicroMax(nan, 1)));
  EXPECT_TRUE(std::isnan(MicroMax(1, nan)));
  EXPECT_TRUE(std::isnan(MicroApply(MicroOp::kClip, nan, 0, 6)));
  EXPECT_TRUE(std::isnan(MicroApply(MicroOp::kHardSigmoid, nan, 1, 0)));
  EXPECT_TRUE(std::isnan(MicroApply(MicroOp::kLeakyRelu, nan, 0.1, 0)));
  EXPECT_EQ(MicroApply(MicroOp::kClip, 7, 0, 6), 6);
}

TEST(Micro, PackedWordOfNothingIsZero) {
  EXPECT_EQ(PackMicro({MicroOp::kMov, 0, 0, 0, 0, {}}), 0u);
  EXPECT_EQ(PackMicro({MicroOp::kClip, 7, 23, 8, 16, {}}), 8u | 7u << 8 | 23u << 11 | 8u << 16 | 16u << 21);
}

TEST(MicroBuilder, FusedFormsAreFound) {
  MicroBuilder batch_norm;
  batch_norm.SetResult(batch_norm.Emit(
      MicroOp::kMax,
      batch_norm.Emit(MicroOp::kAdd, batch_norm.Emit(MicroOp::kMul, 0, batch_norm.AddSource()), batch_norm.AddSource()),
      batch_norm.Constant(0)));
  MicroProgram program = Finished(batch_norm);
  ASSERT_EQ(program.num_ops, 2);
  EXPECT_EQ(program.ops[0].op, MicroOp::kMulAdd);
  EXPECT_EQ(program.ops[1].op, MicroOp::kMax);
  EXPECT_EQ(program.num_sources, 2);
  EXPECT_EQ(program.num_constants, 1);

  MicroBuilder relu6;
  relu6.SetResult(relu6.Emit(MicroOp::kMin, relu6.Emit(MicroOp::kMax, 0, relu6.Constant(0)), relu6.Constant(6)));
  program = Finished(relu6);
  ASSERT_EQ(program.num_ops, 1);
  EXPECT_EQ(program.ops[0].op, MicroOp::kClip);

  MicroBuilder silu;
  silu.SetResult(silu.Emit(MicroOp::kMul, silu.Emit(MicroOp::kSigmoid, 0), 0));
  program = Finished(silu);
  ASSERT_EQ(program.num_ops, 1);
  EXPECT_EQ(program.ops[0].op, MicroOp::kSilu);
}

TEST(MicroBuilder, HardSwishIsFoundInAllItsExports) {
  for (int form = 0; form < 3; ++form) {
    MicroBuilder b;
    const uint8_t clip = b.Emit(MicroOp::kClip, b.Emit(MicroOp::kAdd, 0, b.Constant(3)), b.Constant(0), b.Constant(6));
    if (form == 0) b.SetResult(b.Emit(MicroOp::kMul, 0, b.Emit(MicroOp::kDiv, clip, b.Constant(6))));
    if (form == 1) b.SetResult(b.Emit(MicroOp::kDiv, b.Emit(MicroOp::kMul, 0, clip), b.Constant(6)));
    if (form == 2) b.SetResult(b.Emit(MicroOp::kMul, b.Constant(1.0f / 6), b.Emit(MicroOp::kMul, clip, 0)));
    const MicroProgram program = Finished(b);
    ASSERT_EQ(program.num_ops, 1) << form;
    EXPECT_EQ(program.ops[0].op, MicroOp::kHardSwish) << form;
    EXPECT_EQ(program.num_constants, 0) << form;
  }
}

TEST(MicroBuilder, GeluIsFoundInAnyAssociation) {
  for (int form = 0; form < 6; ++form) {
    MicroBuilder b;
    const uint8_t scaled = form % 2 ? b.Emit(MicroOp::kDiv, 0, b.Constant(1.41421356f))
                                    : b.Emit(MicroOp::kMul, b.Constant(0.70710678f), 0);
    const uint8_t gate = b.Emit(MicroOp::kAdd, b.Emit(MicroOp::kErf, scaled), b.Constant(1));
    const uint8_t half = b.Constant(0.5f);
    if (form / 2 == 0) b.SetResult(b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, 0, gate), half));
    if (form / 2 == 1) b.SetResult(b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, half, 0), gate));
    if (form / 2 == 2) b.SetResult(b.Emit(MicroOp::kMul, 0, b.Emit(MicroOp::kMul, half, gate)));
    const MicroProgram program = Finished(b);
    ASSERT_EQ(program.num_ops, 1) << form;
    EXPECT_EQ(program.ops[0].op, MicroOp::kGelu) << form;
  }
}

TEST(MicroBuilder, TanhGeluIsFoundInItsExports) {
  constexpr float kScale = 0.7978845608f, kCubic = 0.044715f;
  for (int form = 0; form < 4; ++form) {
    MicroBuilder b;
    const uint8_t square = b.Emit(MicroOp::kMul, 0, 0), half = b.Constant(0.5f);
    uint8_t argument = 0;
    if (form < 3) {
      const uint8_t cube = form == 0 ? b.Emit(MicroOp::kMul, square, 0) : b.Emit(MicroOp::kMul, 0, square);
      const uint8_t sum = form == 1 ? b.Emit(MicroOp::kMulAdd, cube, b.Constant(kCubic), 0)
                                    : b.Emit(MicroOp::kAdd, 0, b.Emit(MicroOp::kMul, b.Constant(kCubic), cube));
      argument = b.Emit(MicroOp::kMul, b.Constant(kScale), sum);
    } else {
      const uint8_t scaled = b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, b.Constant(kCubic), 0), 0);
      argument = b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, 0, b.Constant(kScale)),
                        b.Emit(MicroOp::kAdd, b.Constant(1), scaled));
    }
    const uint8_t gate = b.Emit(MicroOp::kAdd, b.Emit(MicroOp::kTanh, argument), b.Constant(1));
    b.SetResult(form == 2 ? b.Emit(MicroOp::kMul, 0, b.Emit(MicroOp::kMul, half, gate))
                          : b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, half, 0), gate));
    const MicroProgram program = Finished(b);
    ASSERT_EQ(program.num_ops, 1) << form;
    EXPECT_EQ(program.ops[0].op, MicroOp::kGeluTanh) << form;
  }
}

TEST(MicroBuilder, NearlyAGeluStaysAsItIs) {
  MicroBuilder b;
  const uint8_t other = b.AddSource(), cube = b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, 0, 0), other);
  const uint8_t sum = b.Emit(MicroOp::kAdd, 0, b.Emit(MicroOp::kMul, b.Constant(0.044715f), cube));
  const uint8_t tanh = b.Emit(MicroOp::kTanh, b.Emit(MicroOp::kMul, b.Constant(0.7978845608f), sum));
  const uint8_t gate = b.Emit(MicroOp::kAdd, tanh, b.Constant(1));
  b.SetResult(b.Emit(MicroOp::kMul, b.Emit(MicroOp::kMul, b.Constant(0.5f), 0), gate));
  const MicroProgram program = Finished(b);
  EXPECT_GT(program.num_ops, 1);
  const double source = 1.5, x = 0.75;
  EXPECT_NEAR(MicroRun(program, x, &source), 0.5 * x * (1 + std::tanh(0.7978845608 * (x + 0.044715 * x * x * source))),
              1e-7);
}

TEST(MicroBuilder, ExponentialsBecomeSoftplusSigmoidSiluAndMish) {
  struct Form {
    MicroOp want;
    uint8_t (*build)(MicroBuilder&);
  };
  const Form forms[] = {
      {MicroOp::kSoftplus,
       [](MicroBuilder& b) {
         return b.Emit(MicroOp::kLog, b.Emit(MicroOp::kAdd, b.Constant(1), b.Emit(MicroOp::kExp, 0)));
       }},
      {MicroOp::kSigmoid,
       [](MicroBuilder& b) {
         const uint8_t e = b.Emit(MicroOp::kExp, b.Emit(MicroOp::kMul, 0, b.Constant(-1)));
         return b.Emit(MicroOp::kDiv, b.Constant(1), b.Emit(MicroOp::kAdd, e, b.Constant(1)));
       }},
      {MicroOp::kSilu,
       [](MicroBuilder& b) {
         const uint8_t e = b.Emit(MicroOp::kExp, b.Emit(MicroOp::kMul, 0, b.Constant(-1)));
         return b.Emit(MicroOp::kDiv, 0, b.Emit(MicroOp::kAdd, b.Constant(1), e));
       }},
      {MicroOp::kMish,
       [](MicroBuilder& b) { return b.Emit(MicroOp::kMul, b.Emit(MicroOp::kTanh, b.Emit(MicroOp::kSoftplus, 0)), 0); }},
  };
  for (const Form& form : forms) {
    MicroBuilder b;
    b.SetResult(form.build(b));
    const MicroProgram program = Finished(b);
    ASSERT_EQ(program.num_ops, 1) << NameOf(form.want);
    EXPECT_EQ(program.ops[0].op, form.want);
  }
}

TEST(MicroBuilder, ConstantsFoldAndSourcesPassThrough) {
  MicroBuilder b;
  EXPECT_EQ(b.Emit(MicroOp::kAdd, b.Constant(1), b.Constant(2)), b.Constant(3));
  b.SetResult(b.AddSource());
  const MicroProgram program = Finished(b);
  ASSERT_EQ(program.num_ops, 1);
  EXPECT_EQ(program.ops[0].op, MicroOp::kMov);
  EXPECT_EQ(program.num_constants, 0);
  const double source = 5;
  EXPECT_EQ(MicroRun(program, 1, &source), 5);
  EXPECT_TRUE(Finished(MicroBuilder()).empty());
}

TEST(MicroBuilder, RefusesWhatDoesNotFit) {
  MicroBuilder sources;
  for (int i = 0; i < kMicroMaxSources; ++i) sources.AddSource();
  EXPECT_TRUE(sources.ok());
  sources.AddSource();
  EXPECT_FALSE(sources.ok());

  MicroProgram program;
  MicroBuilder longer;
  for (int i = 0; i < kMicroMaxOps; ++i) longer.SetResult(longer.Emit(MicroOp::kTanh, longer.result()));
  EXPECT_TRUE(longer.Finish(&program));
  longer.SetResult(longer.Emit(MicroOp::kTanh, longer.result()));
  EXPECT_FALSE(longer.Finish(&program));

  MicroBuilder constants;
  for (int i = 0; i <= kMicroMaxConstants; ++i) {
    constants.SetResult(constants.Emit(MicroOp::kDiv, constants.result(), constants.Constant(static_cast<float>(i))));
  }
  EXPECT_FALSE(constants.Finish(&program));

  MicroBuilder wide;  // nine values alive at once
  std::vector<uint8_t> alive;
  for (int i = 0; i <= kMicroRegisters; ++i) {
    alive.push_back(
        wide.Emit(MicroOp::kDiv, wide.Emit(MicroOp::kExp, 0), wide.Constant(static_cast<float>(i % 5 + 2))));
  }
  uint8_t sum = alive[0];
  for (size_t i = 1; i < alive.size(); ++i) sum = wide.Emit(MicroOp::kMax, sum, alive[i]);
  wide.SetResult(sum);
  EXPECT_FALSE(wide.Finish(&program));
}

// Where a step of the function makes rounding errors as large as its values.
bool Jumps(MicroOp op) {
  constexpr MicroOp kJumping[] = {MicroOp::kMod,  MicroOp::kFloorMod, MicroOp::kSign, MicroOp::kFloor,
                                  MicroOp::kCeil, MicroOp::kRound,    MicroOp::kLess, MicroOp::kSelect};
  return std::find(std::begin(kJumping), std::end(kJumping), op) != std::end(kJumping);
}

// Grows a random program by the builder and, beside it, its value for given r0 and sources.
struct RandomProgram {
  MicroBuilder builder;
  std::vector<std::pair<uint8_t, double>> operands;

  RandomProgram(std::mt19937& rng, double r0, const double* sources, int num_sources, int length) {
    operands.push_back({0, r0});
    for (int k = 0; k < num_sources; ++k) operands.push_back({builder.AddSource(), sources[k]});
    for (float c : {0.0f, 0.5f, 6.0f, 0.70710678f}) operands.push_back({builder.Constant(c), c});
    for (int i = 0; i < length; ++i) {
      auto op = static_cast<MicroOp>(rng() % static_cast<unsigned>(kNumMicroOps));
      while (Jumps(op)) op = static_cast<MicroOp>(rng() % static_cast<unsigned>(kNumMicroOps));
      // The newest value takes part, so that programs are chains rather than dead branches.
      const auto& a = i == 0 ? operands[0] : operands.back();
      const auto& b = operands[rng() % operands.size()];
      const auto& c = operands[rng() % operands.size()];
      const auto& first = rng() % 2 && Arity(op) > 1 ? b : a;
      const auto& second = &first == &a ? b : a;
      const uint8_t code = builder.Emit(op, first.first, second.first, c.first);
      const double value = MicroApply(op, first.second, second.second, c.second);
      operands.push_back({code, value});
    }
    builder.SetResult(operands.back().first);
  }
};

TEST(MicroBuilder, RandomProgramsComputeWhatWasEmitted) {
  std::mt19937 rng(3);
  std::uniform_real_distribution<double> number(-2, 2);
  int finished = 0;
  for (int i = 0; i < 20000; ++i) {
    const double sources[] = {number(rng), number(rng), number(rng)};
    const double r0 = number(rng);
    const RandomProgram random(rng, r0, sources, static_cast<int>(rng() % 4), 1 + static_cast<int>(rng() % 12));
    MicroProgram program;
    if (!random.builder.Finish(&program)) continue;
    const double want = random.operands.back().second, got = MicroRun(program, r0, sources);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got));
      continue;
    }
    if (std::abs(want) > 1e6) continue;  // constants are folded in float
    ++finished;
    ASSERT_NEAR(got, want, 1e-4 * (1 + std::abs(want))) << "program " << i;
  }
  EXPECT_GT(finished, 12000);
}

TEST(MicroBuilder, AppendInlinesAFinishedProgram) {
  std::mt19937 rng(4);
  for (int i = 0; i < 2000; ++i) {
    const double sources[] = {0.3, -0.8};
    RandomProgram first(rng, 0.7, sources, 2, 5);
    MicroProgram one;
    if (!first.builder.Finish(&one)) continue;
    MicroBuilder both;
    both.SetResult(both.Emit(MicroOp::kTanh, 0));
    const uint8_t codes[] = {both.AddSource(), both.result()};
    both.Append(one, both.result(), codes);
    both.SetResult(both.Emit(MicroOp::kSigmoid, both.result()));
    MicroProgram program;
    if (!both.Finish(&program)) continue;
    const double start = std::tanh(0.7), inner[] = {0.3, start};
    const double want = MicroApply(MicroOp::kSigmoid, MicroRun(one, start, inner), 0, 0);
    const double got = MicroRun(program, 0.7, sources);
    if (std::isnan(want)) continue;
    ASSERT_NEAR(got, want, 1e-5);
  }
}

}  // namespace
}  // namespace moka
