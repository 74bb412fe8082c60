#include <random>

#include "cpu/epilogue.h"
#include "tests/cpu/run_op.h"

namespace moka {
namespace {

class Gemm : public OnEveryTarget {};

MicroProgram Program(std::initializer_list<MicroInstruction> ops, std::initializer_list<float> constants, int sources) {
  MicroProgram program;
  for (const MicroInstruction& op : ops) program.ops[program.num_ops++] = op;
  for (const float c : constants) program.constants[program.num_constants++] = c;
  program.num_sources = sources;
  return program;
}

int64_t Pick(std::mt19937& random, std::initializer_list<int64_t> values) {
  return *(values.begin() + static_cast<ptrdiff_t>(random() % values.size()));
}

TEST_P(Gemm, RandomShapesWithTails) {
  std::mt19937 random(1);
  for (int i = 0; i < 120; ++i) {
    const int64_t m = Pick(random, {1, 2, 3, 5, 6, 7, 11, 12, 13, 24, 25, 49, 100, 250});
    const int64_t n = Pick(random, {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 130});
    const int64_t k = Pick(random, {1, 2, 3, 4, 5, 7, 16, 31, 64, 129});
    const bool trans_a = random() % 4 == 0, trans_b = random() % 2 == 0;
    OpTest test;
    test.op = "Gemm";
    test.attrs.Set("transA", int64_t{trans_a});
    test.attrs.Set("transB", int64_t{trans_b});
    if (random() % 3 == 0) test.attrs.Set("alpha", 0.75f);
    if (random() % 3 == 0) test.attrs.Set("beta", 1.5f);
    test.AddFloats(MakeDense(DataType::kF32, trans_a ? Shape{k, m} : Shape{m, k}), random);
    test.AddFloats(MakeDense(DataType::kF32, trans_b ? Shape{n, k} : Shape{k, n}), random);
    switch (random() % 6) {
      case 0:
        test.AddFloats(MakeDense(DataType::kF32, {n}), random);
        break;
      case 1:
        test.AddFloats(MakeDense(DataType::kF32, {1, n}), random);
        break;
      case 2:
        test.AddFloats(MakeDense(DataType::kF32, {m, 1}), random);
        break;
      case 3:
        test.AddFloats(MakeDense(DataType::kF32, {m, n}), random);
        break;
      case 4:
        test.AddFloats(MakeDense(DataType::kF32, {}), random);
        break;
      default:
        break;
    }
    test.constant = {false, random() % 3 != 0};
    test.dst = {MakeDense(DataType::kF32, {m, n})};
    CheckOp(device(), test, Kernel("gemm"), 1e-5 * (1 + static_cast<double>(k) / 16),
            "gemm " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n));
  }
}

TEST_P(Gemm, LargeShapesUseManyUnits) {
  std::mt19937 random(2);
  for (const auto& [m, k, n] : {std::array<int64_t, 3>{300, 190, 260}, {1, 600, 1000}, {64, 1152, 128}}) {
    OpTest test;
    test.op = "Gemm";
    test.AddFloats(MakeDense(DataType::kF32, {m, k}), random);
    test.AddFloats(MakeDense(DataType::kF32, {k, n}), random);
    test.constant = {false, true};
    test.dst = {MakeDense(DataType::kF32, {m, n})};
    const OpRun run = CheckOp(device(), test, Kernel("gemm"), 1e-4, "large gemm");
    EXPECT_GT(run.units, 1);
  }
}

TEST_P(Gemm, CompiledAndInterpretedEpilogues) {
  std::mt19937 random(3);
  const auto r0 = MicroRegister(0), s0 = MicroSource(0), c0 = MicroConstant(0), c1 = MicroConstant(1);
  const MicroProgram programs[] = {
      Program({{MicroOp::kMax, 0, r0, c0, 0, {}}}, {0.0f}, 0),
      Program({{MicroOp::kClip, 0, r0, c0, c1, {}}}, {0.0f, 6.0f}, 0),
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kMax, 0, r0, c0, 0, {}}}, {0.0f}, 1),
      Program({{MicroOp::kAdd, 1, s0, r0, 0, {}}, {MicroOp::kClip, 0, MicroRegister(1), c0, c1, {}}}, {-1.0f, 1.0f}, 1),
      Program({{MicroOp::kSilu, 0, r0, 0, 0, {}}}, {}, 0),
      Program({{MicroOp::kMul, 0, r0, s0, 0, {}},
               {MicroOp::kTanh, 1, r0, 0, 0, {}},
               {MicroOp::kSub, 0, c0, MicroRegister(1), 0, {}}},
              {2.0f}, 1),
      Program({{MicroOp::kAdd, 1, r0, s0, 0, {}}, {MicroOp::kGelu, 0, MicroRegister(1), 0, 0, {}}}, {}, 1),
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kMulAdd, 0, c0, s0, r0, {}}}, {0.5f}, 1),
      Program(
          {{MicroOp::kClip, 0, r0, c0, c1, {}}, {MicroOp::kMul, 0, c1, r0, 0, {}}, {MicroOp::kSub, 0, r0, s0, 0, {}}},
          {-0.5f, 2.0f}, 1),
      Program({{MicroOp::kSigmoid, 1, r0, 0, 0, {}}, {MicroOp::kMul, 0, r0, MicroRegister(1), 0, {}}}, {}, 0),
      Program({{MicroOp::kMulAdd, 0, r0, r0, c0, {}}, {MicroOp::kDiv, 0, c0, r0, 0, {}}}, {2.0f}, 0),
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kAdd, 0, s0, r0, 0, {}}}, {}, 1),
  };
  const Shape sources[] = {{37, 70}, {70}, {37, 1}, {}};
  for (const MicroProgram& program : programs) {
    for (const Shape& shape : sources) {
      OpTest test;
      test.op = "Gemm";
      test.AddFloats(MakeDense(DataType::kF32, {37, 19}), random);
      test.AddFloats(MakeDense(DataType::kF32, {19, 70}), random);
      test.AddFloats(MakeDense(DataType::kF32, {70}), random);
      test.constant = {false, true};
      test.program = program;
      test.program_begin = 3;
      if (program.num_sources > 0) test.AddFloats(MakeDense(DataType::kF32, shape), random);
      test.dst = {MakeDense(DataType::kF32, {37, 70})};
      CheckOp(device(), test, Kernel("gemm"), 2e-5, "epilogue");
    }
  }
}

// K is multiplied in chunks where there are rows to share them.
TEST_P(Gemm, DeepProducts) {
  std::mt19937 random(8);
  const auto r0 = MicroRegister(0), s0 = MicroSource(0), c0 = MicroConstant(0);
  const MicroProgram programs[] = {
      {},
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kMax, 0, r0, c0, 0, {}}}, {0.0f}, 1),
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kTanh, 0, r0, 0, 0, {}}}, {}, 1),
  };
  for (const int64_t m : {1, 23, 24, 50}) {
    for (const int64_t k : {768, 769, 2305}) {
      for (const MicroProgram& program : programs) {
        OpTest test;
        test.op = "Gemm";
        test.AddFloats(MakeDense(DataType::kF32, {m, k}), random);
        test.AddFloats(MakeDense(DataType::kF32, {k, 70}), random);
        test.AddFloats(MakeDense(DataType::kF32, {70}), random);
        test.constant = {false, true};
        if (!program.empty()) {
          test.program = program;
          test.program_begin = 3;
          test.AddFloats(MakeDense(DataType::kF32, {m, 70}), random);
        }
        test.dst = {MakeDense(DataType::kF32, {m, 70})};
        CheckOp(device(), test, Kernel("gemm"), 1e-3, "deep " + std::to_string(m) + "x" + std::to_string(k));
      }
    }
  }
}

TEST_P(Gemm, ResidualInPlace) {
  std::mt19937 random(4);
  OpTest test;
  test.op = "Gemm";
  test.AddFloats(MakeDense(DataType::kF32, {37, 19}), random);
  test.AddFloats(MakeDense(DataType::kF32, {19, 70}), random);
  test.constant = {false, true};
  test.AddFloats(MakeDense(DataType::kF32, {37, 70}), random);
  test.program = Program({{MicroOp::kAdd, 0, MicroRegister(0), MicroSource(0), 0, {}}}, {}, 1);
  test.program_begin = 2;
  test.dst = {MakeDense(DataType::kF32, {37, 70})};
  test.in_place = 2;
  CheckOp(device(), test, Kernel("gemm"), 2e-5, "in place");
}

TEST_P(Gemm, MatMulBroadcastsBatches) {
  std::mt19937 random(5);
  const std::array<Shape, 3> cases[] = {
      {Shape{5, 7}, Shape{7, 9}, Shape{5, 9}},
      {Shape{2, 3, 5, 7}, Shape{7, 9}, Shape{2, 3, 5, 9}},
      {Shape{2, 3, 5, 7}, Shape{2, 3, 7, 9}, Shape{2, 3, 5, 9}},
      {Shape{2, 1, 5, 7}, Shape{1, 3, 7, 9}, Shape{2, 3, 5, 9}},
      {Shape{5, 7}, Shape{4, 7, 33}, Shape{4, 5, 33}},
      {Shape{7}, Shape{7, 9}, Shape{9}},
      {Shape{5, 7}, Shape{7}, Shape{5}},
      {Shape{7}, Shape{7}, Shape{}},
      {Shape{3, 5, 7}, Shape{7}, Shape{3, 5}},
      {Shape{7}, Shape{3, 7, 6}, Shape{3, 6}},
  };
  for (const auto& shapes : cases) {
    for (const bool constant : {false, true}) {
      OpTest test;
      test.op = "MatMul";
      test.AddFloats(MakeDense(DataType::kF32, shapes[0]), random);
      test.AddFloats(MakeDense(DataType::kF32, shapes[1]), random);
      test.constant = {false, constant};
      test.dst = {MakeDense(DataType::kF32, shapes[2])};
      CheckOp(device(), test, Kernel("matmul"), 1e-5, ToString(shapes[0]) + ToString(shapes[1]));
    }
  }
}

// A number for each row of the result, which one of its dimensions says (and, last, two of them: no tail's case).
TEST_P(Gemm, NumbersOfRows) {
  std::mt19937 random(15);
  const auto r0 = MicroRegister(0), s0 = MicroSource(0);
  const MicroProgram programs[] = {
      Program({{MicroOp::kAdd, 0, r0, s0, 0, {}}, {MicroOp::kGelu, 0, r0, 0, 0, {}}}, {}, 1),
      Program({{MicroOp::kSub, 0, s0, r0, 0, {}}}, {}, 1),
      Program({{MicroOp::kMulAdd, 0, r0, s0, s0, {}}}, {}, 1),
  };
  const TensorDesc dense = MakeDense(DataType::kF32, {2, 3, 5, 70});
  TensorDesc other_order = dense, wide = dense;
  other_order.strides[1] = 70;
  other_order.strides[2] = 3 * 70;
  wide.strides[0] = 2 * dense.strides[0] + 1;
  for (const TensorDesc& dst : {dense, other_order, wide}) {
    for (const Shape& shape : {Shape{5, 1}, Shape{3, 1, 1}, Shape{2, 1, 1, 1}, Shape{3, 5, 1}}) {
      for (const MicroProgram& program : programs) {
        OpTest test;
        test.op = "MatMul";
        test.AddFloats(MakeDense(DataType::kF32, {5, 4}), random);
        test.AddFloats(MakeDense(DataType::kF32, {2, 3, 4, 70}), random);
        test.AddFloats(MakeDense(DataType::kF32, shape), random);
        test.program = program;
        test.program_begin = 2;
        test.dst = {dst};
        CheckOp(device(), test, Kernel("matmul"), 2e-5, ToString(shape));
      }
    }
  }
}

TEST(Tail, FindsNumbersOfRows) {
  cpu::MicroLaunch launch{};
  launch.row_rank = 2;
  launch.row_dims[0] = 3, launch.row_dims[1] = 5;
  launch.cols = 70;
  launch.dst = {{350, 70}, 1, true, 70};
  launch.src[0] = {{0, 1}, 0, false, 0};
  launch.src[1] = {{2, 0}, 0, false, 0};
  launch.src[2] = {{5, 1}, 0, true, 1};
  const cpu::TailRows inner = cpu::TailRowsOf(launch, 0), outer = cpu::TailRowsOf(launch, 1);
  const float numbers[5] = {};
  EXPECT_EQ(inner.At(numbers, 2 * 350 + 4 * 70) - numbers, 4);
  EXPECT_EQ(outer.At(numbers, 2 * 350 + 4 * 70) - numbers, 4);
  EXPECT_EQ(cpu::TailSourceOf(launch, 0), cpu::TailSource::kRows);
  EXPECT_EQ(cpu::TailSourceOf(launch, 2), cpu::TailSource::kOther);
  launch.dst.row_strides[0] = 351;  // the offset alone does not say which of the five rows it is
  EXPECT_EQ(cpu::TailSourceOf(launch, 0), cpu::TailSource::kOther);
}

TEST_P(Gemm, BitIdenticalForAnyNumberOfThreads) {
  std::mt19937 random(6);
  OpTest test;
  test.op = "Gemm";
  test.AddFloats(MakeDense(DataType::kF32, {700, 300}), random);
  test.AddFloats(MakeDense(DataType::kF32, {300, 190}), random);
  test.constant = {false, true};
  test.dst = {MakeDense(DataType::kF32, {700, 190})};
  const OpRun one = RunOp(device(), test, 1);
  ASSERT_GT(one.units, 7);
  for (const int threads : {2, 3, 7}) {
    const OpRun many = RunOp(device(), test, threads);
    EXPECT_EQ(std::memcmp(one.dst[0].data(), many.dst[0].data(), one.dst[0].desc().ExtentBytes()), 0) << threads;
  }
}

TEST_P(Gemm, RefusesWhatItDoesNotCompute) {
  std::mt19937 random(7);
  OpTest test;
  test.op = "Gemm";
  test.src.emplace_back(MakeDense(DataType::kF64, {2, 3}));
  test.src.emplace_back(MakeDense(DataType::kF64, {3, 2}));
  test.dst = {MakeDense(DataType::kF64, {2, 2})};
  for (Memory& memory : test.src) std::memset(memory.data(), 0, memory.desc().ExtentBytes());
  const OpRun run = RunOp(device(), test);
  EXPECT_TRUE(run.status.ok());
  EXPECT_EQ(run.kernel, "reference/Gemm");
  EXPECT_TRUE(run.reference);
  EXPECT_NE(run.refusals.find("not f32"), std::string::npos) << run.refusals;
}

MOKA_ON_EVERY_TARGET(Gemm);

}  // namespace
}  // namespace moka
