// Elementwise steps over one arena, small enough to know every number: what the tests of the GPU devices run.
#ifndef MOKA_TESTS_GPU_CHAIN_H_
#define MOKA_TESTS_GPU_CHAIN_H_

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gpu/launch.h"
#include "ops/device.h"

namespace moka::test {

// Values of `elements` floats in a row in slot 0; value 0 is uploaded, the last one downloaded. Step i computes value
// i + 1 = 2 * value reads[i] + weight, with one weight in slot 1.
class Chain {
 public:
  struct Link {
    int reads = 0;
    bool barrier = false;
  };

  Chain(Device& device, int64_t elements, const std::vector<Link>& links)
      : device_(device), elements_(elements), links_(links) {
    desc_ = MakeDense(DataType::kF32, {elements});
    weight_desc_ = MakeDense(DataType::kF32, {1});
    program_.num_ops = 2;
    program_.num_sources = 2;
    program_.num_constants = 1;
    program_.constants[0] = 2.0f;
    program_.ops[0] = {MicroOp::kMul, 0, MicroSource(0), MicroConstant(0), 0, {}};
    program_.ops[1] = {MicroOp::kAdd, 0, MicroRegister(0), MicroSource(1), 0, {}};
  }

  uint64_t stride() const { return (static_cast<uint64_t>(elements_) * 4 + 255) / 256 * 256; }
  uint64_t arena_bytes() const { return stride() * (links_.size() + 1); }

  // Chooses kernels and links. Fails the test where the device has none.
  Result<std::shared_ptr<const Program>> MakeProgram() {
    descs_ = {desc_, weight_desc_};
    const std::vector<const HostTensor*> constants(2, nullptr);
    OpCall call;
    call.op = FindOp("moka", "Elementwise");
    call.attrs = &attrs_;
    call.name = "link";
    call.program = &program_;
    call.src = descs_;
    call.dst = {&desc_, 1};
    call.constants = constants;
    const Offer offer = device_.Choose(call, ChoosePolicy{true, false});
    EXPECT_FALSE(offer.choices.empty()) << (offer.refusals.empty() ? "" : offer.refusals[0].reason);
    if (offer.choices.empty()) return Status(StatusCode::kUnsupported, "no kernel");
    const Choice& choice = offer.choices[0];
    EXPECT_EQ(choice.scratch, 0u);
    EXPECT_TRUE(choice.packs.empty());
    steps_.clear();
    for (size_t i = 0; i < links_.size(); ++i) {
      Step step;
      step.call = call;
      step.kernel = choice.kernel;
      step.barrier = links_[i].barrier;
      step.src = {{0, stride() * static_cast<uint64_t>(links_[i].reads), desc_}, {1, 0, weight_desc_}};
      step.dst = {{0, stride() * (i + 1), desc_}};
      step.launch = choice.launch;
      steps_.push_back(std::move(step));
    }
    return device_.Link(Request());
  }

  LinkRequest Request() {
    slots_ = {{SlotInfo::kBuffer, arena_bytes()}, {SlotInfo::kBuffer, 4}};
    upload_ = {0, 0, static_cast<uint64_t>(elements_) * 4};
    download_ = {0, stride() * links_.size(), static_cast<uint64_t>(elements_) * 4};
    return {steps_, slots_, {&upload_, 1}, {&download_, 1}};
  }
  std::vector<Step>& steps() { return steps_; }

  std::vector<float> Input() const {
    std::vector<float> values(static_cast<size_t>(elements_));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) - 3.0f;
    return values;
  }
  // What value `last` holds, computed here.
  std::vector<float> Expected(float weight) const {
    std::vector<std::vector<float>> values{Input()};
    for (const Link& link : links_) {
      values.push_back(values[static_cast<size_t>(link.reads)]);
      for (float& x : values.back()) x = 2.0f * x + weight;
    }
    return values.back();
  }

 private:
  Device& device_;
  int64_t elements_;
  std::vector<Link> links_;
  Attributes attrs_;
  MicroProgram program_;
  TensorDesc desc_, weight_desc_;
  std::vector<TensorDesc> descs_;
  std::vector<Step> steps_;
  std::vector<SlotInfo> slots_;
  HostCopy upload_, download_;
};

// n steps, each reading the one before.
inline std::vector<Chain::Link> Line(int n) {
  std::vector<Chain::Link> links;
  for (int i = 0; i < n; ++i) links.push_back({i, i > 0});
  return links;
}

// Everything that one run needs, on one device.
struct Bench {
  std::unique_ptr<Buffer> arena, weight;
  std::unique_ptr<Queue> queue;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Replay> replay;

  static Status SetWeight(Device& device, Buffer& buffer, float weight) {
    return device.Write(buffer, 0, std::as_bytes(std::span<const float>(&weight, 1)));
  }
  static Result<Bench> Make(Device& device, Chain& chain, float weight, bool profile = false) {
    Bench bench;
    MOKA_ASSIGN_OR_RETURN(bench.program, chain.MakeProgram());
    MOKA_ASSIGN_OR_RETURN(bench.arena, device.Allocate(chain.arena_bytes(), MemoryKind::kArena));
    MOKA_ASSIGN_OR_RETURN(bench.weight, device.Allocate(4, MemoryKind::kWeights));
    MOKA_RETURN_IF_ERROR(SetWeight(device, *bench.weight, weight));
    QueueOptions options;
    options.profile = profile;
    MOKA_ASSIGN_OR_RETURN(bench.queue, device.MakeQueue(options));
    MOKA_ASSIGN_OR_RETURN(bench.replay, bench.program->Instantiate(*bench.queue));
    MOKA_RETURN_IF_ERROR(bench.replay->Bind(0, bench.arena.get(), 0));
    MOKA_RETURN_IF_ERROR(bench.replay->Bind(1, bench.weight.get(), 0));
    return bench;
  }
  Result<std::vector<float>> Run(const std::vector<float>& input) {
    std::vector<float> output(input.size(), -1.0f);
    const void* src = input.data();
    void* dst = output.data();
    MOKA_RETURN_IF_ERROR(replay->Run(*queue, {&src, 1}, {&dst, 1}));
    return output;
  }
};

inline void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status.message(); }

#define MOKA_ASSERT_OK(result) ASSERT_TRUE((result).ok()) << (result).status().message()

}  // namespace moka::test

#endif  // MOKA_TESTS_GPU_CHAIN_H_
