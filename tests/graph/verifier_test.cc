// The verifier accepts what the binder makes, and refuses the same plan with one thing broken by hand.
#include "graph/verifier.h"

#include <gtest/gtest.h>

#include <functional>

#include "graph/bind.h"
#include "tests/graph/fake_device.h"
#include "tests/graph/graph_builder.h"

namespace moka {
namespace {

// x -> Gemm -> two branches -> Concat of both -> Gemm, with scratch, packs and a residual in between.
Graph Branches() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {8, 16});
  const ValueId y = b.Node("Gemm", {x, b.Weights({16, 16})});
  const ValueId left = b.Node("Softmax", {b.Node("Gemm", {y, b.Weights({16, 16})})});
  const ValueId right = b.Node("Softmax", {b.Node("Gemm", {y, b.Weights({16, 8})})});
  const ValueId both = b.Node("Concat", {left, right}, {{"axis", int64_t{1}}});
  const ValueId z = b.Node("Gemm", {both, b.Weights({24, 16})});
  return b.Finish({b.Node("Softmax", {b.Node("Softmax", {z})})});
}

class VerifierTest : public testing::TestWithParam<bool> {
 protected:
  VerifierTest() : graph_(Branches()), host_("cpu", Behaviour(false)), gpu_("gpu", Behaviour(true)) {
    if (GetParam()) devices_.push_back(&gpu_);
    devices_.push_back(&host_);
    for (Device* device : devices_) limits_.push_back(device->limits());
  }
  static FakeBehaviour Behaviour(bool gpu) {
    FakeBehaviour behaviour;
    behaviour.gpu = gpu;
    behaviour.scratch = 128;
    return behaviour;
  }

  Plan MakePlan() {
    const std::vector<Shape> shapes = {{8, 16}};
    const std::vector<int> workers(devices_.size(), 1);
    BindRequest request;
    request.graph = &graph_;
    request.inputs = shapes;
    request.devices = devices_;
    request.workers = workers;
    Result<Plan> plan = Bind(request);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    return std::move(plan).value();
  }

  // Breaks a fresh plan; the message must contain `what`.
  void ExpectRefused(const std::function<void(Plan&)>& damage, const std::string& what, uint64_t memory_limit = 0) {
    Plan plan = MakePlan();
    const Status before = VerifyPlan(plan, limits_, 0);
    ASSERT_TRUE(before.ok()) << before.message();
    damage(plan);
    const Status after = VerifyPlan(plan, limits_, memory_limit);
    ASSERT_FALSE(after.ok()) << "accepted; expected: " << what;
    EXPECT_NE(after.message().find(what), std::string::npos) << after.message();
  }

  // The n-th value of its own in the arena that a step writes.
  static int ArenaValue(const Plan& plan, int n) {
    for (size_t v = 0; v < plan.values.size(); ++v) {
      const PlanValue& value = plan.values[v];
      bool written = false;
      for (const PlanStep& step : plan.steps) {
        written |= std::count(step.writes.begin(), step.writes.end(), static_cast<int>(v)) > 0;
      }
      const bool own = value.relation == PlanValue::kOwn && plan.slots[value.slot].kind == PlanSlot::kArena;
      if (written && own && n-- == 0) return static_cast<int>(v);
    }
    ADD_FAILURE() << "no such value";
    return 0;
  }

  // Moves a value with everything that lies in it and every operand that names them.
  static void Move(Plan& plan, int v, uint64_t offset) {
    const uint64_t from = plan.values[static_cast<size_t>(v)].offset;
    for (size_t i = 0; i < plan.values.size(); ++i) {
      int root = static_cast<int>(i);
      while (root != v && plan.values[static_cast<size_t>(root)].alias_of >= 0) {
        root = plan.values[static_cast<size_t>(root)].alias_of;
      }
      if (root == v) plan.values[i].offset += offset - from;
    }
    for (PlanStep& step : plan.steps) {
      for (size_t i = 0; i < step.reads.size(); ++i) {
        if (step.reads[i] >= 0) step.step.src[i].offset = plan.values[static_cast<size_t>(step.reads[i])].offset;
      }
      for (size_t i = 0; i < step.writes.size(); ++i) {
        if (step.writes[i] >= 0) step.step.dst[i].offset = plan.values[static_cast<size_t>(step.writes[i])].offset;
      }
    }
  }

  Graph graph_;
  FakeDevice host_, gpu_;
  std::vector<Device*> devices_;
  std::vector<Limits> limits_;
};

TEST_P(VerifierTest, AcceptsThePlan) {
  Plan plan = MakePlan();
  const Status status = VerifyPlan(plan, limits_, 0);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_P(VerifierTest, RefusesOverlap) {
  // Every pair of values that live at the same time, put into the same place.
  int pairs = 0;
  const Plan shape = MakePlan();
  for (int a = 0; a < 4; ++a) {
    for (int b = 0; b < a; ++b) {
      const PlanValue& first = shape.values[static_cast<size_t>(ArenaValue(shape, a))];
      const PlanValue& second = shape.values[static_cast<size_t>(ArenaValue(shape, b))];
      if (first.last_step < second.first_step || second.last_step < first.first_step) continue;
      ++pairs;
      Plan plan = MakePlan();
      Move(plan, ArenaValue(plan, a), plan.values[static_cast<size_t>(ArenaValue(plan, b))].offset);
      EXPECT_FALSE(VerifyPlan(plan, limits_, 0).ok()) << a << " over " << b;
    }
  }
  EXPECT_GT(pairs, 1);
}

TEST_P(VerifierTest, RefusesMissingWrite) {
  ExpectRefused(
      [](Plan& plan) {
        // The first step writes its result into a value that nobody reads.
        PlanStep& step = plan.steps[0];
        const int old = step.writes[0];
        plan.values.push_back(plan.values[static_cast<size_t>(old)]);
        step.writes[0] = static_cast<int>(plan.values.size()) - 1;
      },
      "before it is written");
}

TEST_P(VerifierTest, RefusesMissingPart) {
  ExpectRefused(
      [](Plan& plan) {
        for (PlanValue& value : plan.values) {
          if (value.relation != PlanValue::kPart) continue;
          value.desc.dims[1] -= 4;
          for (PlanStep& step : plan.steps) {
            for (size_t k = 0; k < step.writes.size(); ++k) {
              if (step.writes[k] >= 0) step.step.dst[k].desc = plan.values[static_cast<size_t>(step.writes[k])].desc;
            }
          }
          return;
        }
      },
      "parts overlap or leave gaps");
}

TEST_P(VerifierTest, RefusesOverlappingParts) {
  ExpectRefused(
      [](Plan& plan) {
        std::vector<PlanValue*> parts;
        for (PlanValue& value : plan.values) {
          if (value.relation == PlanValue::kPart) parts.push_back(&value);
        }
        ASSERT_EQ(parts.size(), 2u);
        parts[1]->offset = parts[0]->offset;
      },
      "parts overlap or leave gaps");
}

TEST_P(VerifierTest, RefusesReorderedSteps) {
  ExpectRefused([](Plan& plan) { std::swap(plan.steps[0], plan.steps[1]); }, "before it is written");
  ExpectRefused([](Plan& plan) { std::swap(plan.steps.back(), plan.steps[plan.steps.size() - 2]); }, "");
}

TEST_P(VerifierTest, RefusesMissingBarrier) {
  if (!GetParam()) GTEST_SKIP() << "steps run one after the other";
  const Plan shape = MakePlan();
  int barriers = 0;
  for (size_t s = 0; s < shape.steps.size(); ++s) {
    if (!shape.steps[s].step.barrier) continue;
    ++barriers;
    Plan plan = MakePlan();
    plan.steps[s].step.barrier = false;
    EXPECT_FALSE(VerifyPlan(plan, limits_, 0).ok()) << "without the barrier before step " << s;
  }
  EXPECT_GT(barriers, 3);
}

TEST_P(VerifierTest, RefusesSharedScratchOfConcurrentSteps) {
  if (!GetParam()) GTEST_SKIP() << "steps run one after the other";
  ExpectRefused(
      [](Plan& plan) {
        for (size_t s = 1; s < plan.steps.size(); ++s) {
          if (plan.steps[s].step.barrier) continue;
          plan.steps[s].step.scratch.offset = plan.steps[s - 1].step.scratch.offset;
          return;
        }
      },
      "scratch of");
}

TEST_P(VerifierTest, RefusesScratchOverLiveValue) {
  ExpectRefused(
      [](Plan& plan) {
        // The last step that reads anything in the arena scribbles over it.
        for (PlanStep& step : plan.steps) {
          for (int v : step.reads) {
            if (v < 0 || plan.slots[plan.values[static_cast<size_t>(v)].slot].kind != PlanSlot::kArena) continue;
            step.step.scratch.offset = plan.values[static_cast<size_t>(v)].offset;
            return;
          }
        }
      },
      "scratch overlaps an operand");
}

TEST_P(VerifierTest, RefusesMisalignedBinding) {
  ExpectRefused([](Plan& plan) { Move(plan, ArenaValue(plan, 0), 16); }, "misaligned binding");
  ExpectRefused([](Plan& plan) { plan.values[static_cast<size_t>(ArenaValue(plan, 0))].offset += 2; }, "misaligned");
}

TEST_P(VerifierTest, RefusesOutOfBounds) {
  ExpectRefused(
      [](Plan& plan) {
        Move(plan, ArenaValue(plan, 0), plan.slots[plan.values[static_cast<size_t>(ArenaValue(plan, 0))].slot].bytes);
      },
      "beyond the");
  ExpectRefused([](Plan& plan) { plan.slots[0].bytes -= 64; }, "beyond the");
}

TEST_P(VerifierTest, RefusesTooLargeBinding) {
  Plan plan = MakePlan();
  for (Limits& limits : limits_) limits.max_binding = 256;
  const Status status = VerifyPlan(plan, limits_, 0);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("largest binding"), std::string::npos) << status.message();
}

TEST_P(VerifierTest, RefusesOperandThatIsNotTheValue) {
  ExpectRefused([](Plan& plan) { plan.steps[0].step.dst[0].desc.strides[0] += 4; }, "differs from");
  ExpectRefused([](Plan& plan) { plan.steps[1].step.src[0].offset += 64; }, "differs from");
}

TEST_P(VerifierTest, RefusesWriteToInput) {
  if (GetParam()) GTEST_SKIP() << "inputs are uploaded";
  ExpectRefused(
      [](Plan& plan) {
        for (PlanSlot& slot : plan.slots) {
          if (slot.kind == PlanSlot::kOutput) slot.kind = PlanSlot::kInput;
        }
      },
      "writes to an input");
}

TEST_P(VerifierTest, RefusesOutputThatNobodyWrites) {
  ExpectRefused(
      [](Plan& plan) {
        plan.segments.back().downloads.clear();
        plan.segments.back().count -= 1;
        plan.steps.pop_back();
      },
      "output 0 is never written");
}

TEST_P(VerifierTest, RefusesPlanBeyondTheLimit) {
  ExpectRefused([](Plan&) {}, "the limit is 100", 100);
}

TEST_P(VerifierTest, RefusesInPlaceOverValueThatIsReadLater) {
  ExpectRefused(
      [](Plan& plan) {
        // The second Gemm "overwrites" the result of the first, which the third still reads.
        int reader = -1, shared = -1;
        std::vector<int> first_reader(plan.values.size(), -1);
        for (size_t s = 0; s < plan.steps.size() && reader < 0; ++s) {
          const int v = plan.steps[s].reads[0];
          if (first_reader[static_cast<size_t>(v)] >= 0) {
            shared = v;
            reader = first_reader[static_cast<size_t>(v)];
          }
          first_reader[static_cast<size_t>(v)] = static_cast<int>(s);
        }
        ASSERT_GE(reader, 0);
        PlanStep& step = plan.steps[static_cast<size_t>(reader)];
        PlanValue& result = plan.values[static_cast<size_t>(step.writes[0])];
        result = plan.values[static_cast<size_t>(shared)];
        result.relation = PlanValue::kInPlace;
        result.alias_of = shared;
        step.step.dst[0] = {result.slot, result.offset, result.desc};
        for (PlanStep& later : plan.steps) {
          for (size_t i = 0; i < later.reads.size(); ++i) {
            if (later.reads[i] == step.writes[0]) later.step.src[i] = {result.slot, result.offset, result.desc};
          }
        }
      },
      GetParam() ? "meet in" : "after");
}

INSTANTIATE_TEST_SUITE_P(Devices, VerifierTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Gpu" : "Cpu"; });

}  // namespace
}  // namespace moka
