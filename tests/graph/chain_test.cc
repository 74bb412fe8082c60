// Chains: what the planner makes of random convolutions verifies, and what the verifier accepts computes the right
// rows.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "graph/bind.h"
#include "graph/verifier.h"
#include "tests/graph/fake_device.h"
#include "tests/graph/graph_builder.h"

namespace moka {
namespace {

constexpr uint64_t kNothing = 0;

uint64_t Mix(uint64_t a, uint64_t b) {
  return (a ^ (b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9;
}

// Stands for the execution of a chain: a row is a number made from the numbers of the rows that it needs.
class RowMachine {
 public:
  RowMachine(const Plan& plan, int first) : plan_(plan), first_(first), chain_(step(0).step.chain) {
    for (int i = 0; i < chain_.steps; ++i) {
      std::vector<uint64_t>& rows = whole_.emplace_back();
      for (int64_t row = 0; row < Height(i); ++row) {
        rows.push_back(Row(i, row, [&](int from, int64_t y) { return whole_[static_cast<size_t>(from)][Index(y)]; }));
      }
    }
  }

  // Runs the strips [begin, end) as a worker with rings full of garbage; true where all rows come out right.
  bool Run(int64_t begin, int64_t end) {
    rings_.assign(static_cast<size_t>(chain_.steps), {});
    for (int i = 0; i + 1 < chain_.steps; ++i) rings_[Index(i)].assign(Places(i), kNothing);
    for (int64_t strip = begin; strip < end; ++strip) {
      for (int i = 0; i + 1 < chain_.steps && strip > begin; ++i) Slide(strip, i);
      for (int i = 0; i < chain_.steps; ++i) {
        const RingRows& rows = chain_.At(strip, i);
        const int64_t start = strip == begin ? rows.begin : std::max(rows.begin, chain_.At(strip - 1, i).end);
        for (int64_t row = start; row < rows.end; ++row) {
          const uint64_t made = Row(i, row, [&](int from, int64_t y) { return Get(strip, from, y); });
          if (i + 1 == chain_.steps && made != whole_[Index(i)][Index(row)]) return false;
          if (i + 1 < chain_.steps && !Put(i, row - rows.begin, made)) return false;
        }
      }
    }
    return true;
  }
  int64_t strips() const { return chain_.strips; }

 private:
  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  const PlanStep& step(int i) const { return plan_.steps[Index(first_ + i)]; }
  const PlanValue& value(int i) const { return plan_.values[Index(step(i).writes[0])]; }
  int64_t Height(int i) const { return value(i).desc.dims[2]; }
  size_t Places(int i) const { return value(i).bytes / (Index(value(i).desc.strides[2]) * sizeof(float)); }

  template <class Get>
  uint64_t Row(int i, int64_t row, const Get& get) const {
    uint64_t made = Mix(static_cast<uint64_t>(i) + 1, static_cast<uint64_t>(row) + 1);
    for (size_t k = 0; k < step(i).reads.size(); ++k) {
      const int read = step(i).reads[k];
      const RowMap& map = step(i).rows[k];
      for (int from = 0; from < i; ++from) {
        if (step(from).writes[0] != read) continue;
        const int64_t first = map.stride * row - map.pad;
        for (int64_t y = std::max<int64_t>(first, 0); y < std::min(first + map.taps, Height(from)); ++y) {
          made = Mix(made, get(from, y));
        }
      }
    }
    return made;
  }
  uint64_t Get(int64_t strip, int from, int64_t y) const {
    const int64_t place = y - chain_.At(strip, from).begin;
    const std::vector<uint64_t>& ring = rings_[Index(from)];
    return place >= 0 && Index(place) < ring.size() ? ring[Index(place)] : kNothing;
  }
  bool Put(int i, int64_t place, uint64_t made) {
    std::vector<uint64_t>& ring = rings_[Index(i)];
    if (place < 0 || Index(place) >= ring.size()) return false;
    ring[Index(place)] = made;
    return true;
  }
  void Slide(int64_t strip, int i) {
    const RingRows &before = chain_.At(strip - 1, i), &now = chain_.At(strip, i);
    if (before.begin == now.begin) return;
    const std::vector<uint64_t> old = rings_[Index(i)];
    for (int64_t row = now.begin; row < before.end; ++row) {
      const int64_t from = row - before.begin;
      Put(i, row - now.begin, from >= 0 && Index(from) < old.size() ? old[Index(from)] : kNothing);
    }
  }

  const Plan& plan_;
  const int first_;
  const Chain& chain_;
  std::vector<std::vector<uint64_t>> whole_, rings_;
};

// Convolutions of all kinds behind each other, some with a shortcut around them, channels-last.
Graph RandomChain(unsigned seed) {
  std::mt19937 rng(seed);
  const auto pick = [&rng](int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint64_t>(n)); };
  GraphBuilder b;
  int64_t channels = 1 + pick(8), height = 30 + pick(60), width = 20 + pick(20);
  ValueId x = b.Input("x", {1 + pick(2), channels, height, width});
  for (int64_t layers = 2 + pick(6); layers > 0; --layers) {
    const int64_t kernel = 1 + pick(5), dilation = kernel > 1 ? 1 + pick(2) : 1, stride = 1 + pick(4) / 3 * 2;
    const int64_t outputs = 1 + pick(24), top = pick(kernel + 1), reach = (kernel - 1) * dilation;
    if (height + 2 * top - reach < 16 * stride || pick(5) == 0) {
      x = b.Node("Relu", {x});
      continue;
    }
    const bool shortcut = stride == 1 && 2 * top == reach && pick(2) == 0;
    const int64_t made = shortcut ? channels : outputs;
    const ValueId y = b.Node("Conv", {x, b.Weights({made, channels, kernel, 1})},
                             {{"strides", std::vector<int64_t>{stride, 1}},
                              {"dilations", std::vector<int64_t>{dilation, 1}},
                              {"pads", std::vector<int64_t>{top, 0, top, 0}}});
    x = shortcut ? b.Node("Add", {y, x}) : y;
    channels = made;
    height = (height + 2 * top - reach - 1) / stride + 1;
  }
  Graph graph = b.Finish({b.Node("Sigmoid", {x})});
  for (Value& value : graph.values) {
    if (value.constant == nullptr) value.format = Format::kChannelsLast;
  }
  graph.value(graph.inputs[0]).format = Format::kRowMajor;
  graph.value(graph.outputs[0]).format = Format::kRowMajor;
  return graph;
}

class ChainTest : public testing::Test {
 protected:
  Result<Plan> MakePlan(const Graph& graph, uint64_t cache, int workers) {
    FakeBehaviour behaviour;
    behaviour.chain_cache = cache;
    host_ = std::make_unique<FakeDevice>("cpu", behaviour);
    limits_ = host_->limits();
    Device* devices[] = {host_.get()};
    Shape shape;
    for (const Dim& dim : graph.value(graph.inputs[0]).declared_dims) shape.push_back(dim.constant());
    const Shape shapes[] = {shape};
    BindRequest request;
    request.graph = &graph;
    request.inputs = shapes;
    request.devices = devices;
    request.workers = {&workers, 1};
    return Bind(request);
  }
  Status Verify(const Plan& plan) const { return VerifyPlan(plan, {&limits_, 1}, 0); }

  std::unique_ptr<FakeDevice> host_;
  Limits limits_;
};

std::vector<int> ChainsOf(const Plan& plan) {
  std::vector<int> firsts;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    if (plan.steps[s].step.chain.steps > 0) firsts.push_back(static_cast<int>(s));
  }
  return firsts;
}

TEST_F(ChainTest, PlansOfRandomChainsVerifyAndComputeTheRightRows) {
  int chains = 0, longest = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    const Graph graph = RandomChain(seed);
    const Result<Plan> plan = MakePlan(graph, 4000 << seed % 5, 1 + static_cast<int>(seed % 3));
    ASSERT_TRUE(plan.ok()) << "seed " << seed << ": " << plan.status().message();
    const Status verified = Verify(*plan);
    ASSERT_TRUE(verified.ok()) << "seed " << seed << ": " << verified.message();
    for (int first : ChainsOf(*plan)) {
      ++chains;
      longest = std::max(longest, plan->steps[static_cast<size_t>(first)].step.chain.steps);
      RowMachine machine(*plan, first);
      const int64_t half = machine.strips() / 2;
      EXPECT_TRUE(machine.Run(0, machine.strips())) << "seed " << seed;
      EXPECT_TRUE(machine.Run(0, half) && machine.Run(half, machine.strips())) << "seed " << seed;
    }
  }
  EXPECT_GT(chains, 100);
  EXPECT_GT(longest, 3);
}

// Whatever is wrong with the rows of a chain: where the verifier accepts it, the rows still come out right. Harmless is
// only a row that is made sooner than it is needed, where its ring and those that it reads have room: two of these.
TEST_F(ChainTest, DamagedChainsAreRefusedOrHarmless) {
  int damaged = 0, harmless = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    const Graph graph = RandomChain(seed % 300);
    Result<Plan> plan = MakePlan(graph, 4000 << seed % 5, 1);
    ASSERT_TRUE(plan.ok());
    const std::vector<int> firsts = ChainsOf(*plan);
    if (firsts.empty()) continue;
    std::mt19937 rng(seed);
    const int first = firsts[rng() % firsts.size()];
    PlanStep& head = plan->steps[static_cast<size_t>(first)];
    Chain& chain = head.step.chain;
    RingRows& rows = chain.rows[rng() % chain.rows.size()];
    const auto inner = static_cast<size_t>(first) + rng() % static_cast<size_t>(chain.steps - 1);
    PlanValue& ring = plan->values[static_cast<size_t>(plan->steps[inner].writes[0])];
    const int64_t by = rng() % 2 == 0 ? 1 : -1;
    const auto kind = rng() % 6;
    ++damaged;
    switch (kind) {
      case 0:
      case 1:
        rows.begin += by;
        break;
      case 2:
        rows.end += by;
        break;
      case 3:
        ring.bytes -= static_cast<uint64_t>(ring.desc.strides[2]) * sizeof(float);
        break;
      case 4:
        for (RowMap& map : plan->steps[inner + 1].rows) map.taps += map.taps > 0 ? 1 : 0;
        break;
      default:
        for (RowMap& map : plan->steps[inner + 1].rows) map.pad += map.taps > 0 ? by : 0;
        break;
    }
    if (!Verify(*plan).ok()) continue;
    ++harmless;
    EXPECT_TRUE(kind <= 1 && by < 0) << "seed " << seed;
    RowMachine machine(*plan, first);
    for (int64_t begin = 0; begin < machine.strips(); ++begin) {
      ASSERT_TRUE(machine.Run(begin, machine.strips())) << "seed " << seed << ", from strip " << begin;
    }
  }
  EXPECT_GT(damaged, 1000);
  EXPECT_EQ(harmless, 2);
}

// x -> Conv 3x3 -> Conv 3x3 -> Sigmoid, the value between them 40 x 40 x 8.
Graph TwoConvolutions(bool tapped) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4, 40, 40});
  const ValueId inner = b.Conv(x, 4, 8, 3), last = b.Conv(inner, 8, 4, 3);
  std::vector<ValueId> outputs = {b.Node("Sigmoid", {last})};
  if (tapped) outputs.push_back(inner);
  Graph graph = b.Finish(outputs);
  for (ValueId v : {inner, last}) graph.value(v).format = Format::kChannelsLast;
  return graph;
}

TEST_F(ChainTest, InnerValuesAreRingsAndTakeLessMemory) {
  const Graph graph = TwoConvolutions(false);
  const Result<Plan> chained = MakePlan(graph, 64 << 10, 2), whole = MakePlan(graph, 0, 2);
  ASSERT_TRUE(chained.ok() && whole.ok());
  EXPECT_EQ(ChainsOf(*chained), std::vector<int>({0}));
  EXPECT_TRUE(ChainsOf(*whole).empty());
  EXPECT_LT(chained->arena_bytes[0], whole->arena_bytes[0]);
  const Chain& chain = chained->steps[0].step.chain;
  EXPECT_EQ(chain.strips, 20);  // two rows high: four would take more memory than is wanted
  EXPECT_EQ(chain.At(1, 0).begin, 1);
  EXPECT_EQ(chain.At(1, 0).end, 5);
}

TEST_F(ChainTest, NoChainWhereItCannotPayOrIsWatched) {
  EXPECT_TRUE(ChainsOf(*MakePlan(TwoConvolutions(true), 64 << 10, 1)).empty());    // the inner value is an output
  EXPECT_TRUE(ChainsOf(*MakePlan(TwoConvolutions(false), 1 << 20, 1)).empty());    // it stays in the cache anyway
  EXPECT_TRUE(ChainsOf(*MakePlan(TwoConvolutions(false), 8 << 10, 1)).empty());    // not even its rings do
  EXPECT_TRUE(ChainsOf(*MakePlan(TwoConvolutions(false), 64 << 10, 64)).empty());  // too few rows for 64 workers
}

TEST_F(ChainTest, VerifierRefusesRingsOutsideOfTheirChain) {
  const Graph graph = TwoConvolutions(false);
  Plan plan = *MakePlan(graph, 64 << 10, 1);
  ASSERT_TRUE(Verify(plan).ok());
  plan.steps[2].reads[0] = plan.steps[0].writes[0];
  plan.steps[2].step.src[0] = plan.steps[0].step.dst[0];
  EXPECT_FALSE(Verify(plan).ok());

  plan = *MakePlan(graph, 64 << 10, 1);
  plan.steps[0].step.chain = {};
  EXPECT_FALSE(Verify(plan).ok());

  plan = *MakePlan(graph, 64 << 10, 1);
  plan.steps[0].step.scratch.desc.dims[0] = 64;
  EXPECT_FALSE(Verify(plan).ok());

  plan = *MakePlan(graph, 64 << 10, 1);
  plan.steps[0].step.chain.rows.pop_back();
  EXPECT_FALSE(Verify(plan).ok());
}

}  // namespace
}  // namespace moka
