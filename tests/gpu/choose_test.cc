// What gpu::Choose promises about every launch, without any GPU: counts, limits, folding of grids, reasons.
#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

#include "gpu/epilogue.h"
#include "gpu/launch.h"
#include "gpu/launcher.h"
#include "gpu/loops.h"
#include "gpu/params.h"
#include "tests/conformance/cases.h"

namespace moka::gpu {
namespace {

Profile CpuDriver() {
  Profile profile;
  profile.api = "vulkan";
  profile.cpu_driver = true;
  return profile;
}

// Everything that a device relies on when it records the launch.
void CheckLaunch(const Choice& choice, const OpCall& call, const Profile& profile, const std::string& where) {
  ASSERT_EQ(choice.launch.bytes().size(), sizeof(Launch)) << where;
  const Launch launch = choice.launch.As<Launch>();
  ASSERT_GE(launch.kernel, 0) << where;
  ASSERT_LT(static_cast<size_t>(launch.kernel), Kernels().size()) << where;
  const KernelSource& kernel = Kernels()[static_cast<size_t>(launch.kernel)];
  EXPECT_EQ(choice.kernel, std::string("gpu/") + kernel.name) << where;
  EXPECT_EQ(launch.num_bindings, kernel.buffers) << where;
  EXPECT_EQ(static_cast<size_t>(launch.num_spec), kernel.spec_names.size()) << where;
  EXPECT_LE(launch.param_bytes, kMaxParamBytes) << where;
  int64_t invocations = 1;
  for (size_t i = 0; i < 3; ++i) {
    invocations *= launch.group_size[i];
    EXPECT_LE(launch.groups[i], profile.max_groups[i]) << where;
    EXPECT_GE(launch.groups[i], 0) << where;
  }
  EXPECT_LE(invocations, profile.max_group_invocations) << where;
  EXPECT_GT(choice.cost_us, 0) << where;
  uint32_t written_dst = 0;
  for (int b = 0; b < launch.num_bindings; ++b) {
    const Launch::Binding& binding = launch.bindings[static_cast<size_t>(b)];
    EXPECT_LT(binding.offset_param, launch.param_bytes / 4) << where;
    if (binding.kind == Launch::Binding::kSrc) {
      ASSERT_LT(static_cast<size_t>(binding.index), call.src.size()) << where;
      EXPECT_TRUE(call.src[static_cast<size_t>(binding.index)].present()) << where << " binding " << b;
      EXPECT_EQ(kernel.written >> b & 1, 0u) << where << ": writes source " << binding.index;
    } else if (binding.kind == Launch::Binding::kDst) {
      ASSERT_LT(static_cast<size_t>(binding.index), call.dst.size()) << where;
      if ((kernel.written >> b & 1) != 0) written_dst |= uint32_t{1} << binding.index;
    } else {
      ASSERT_EQ(binding.kind, Launch::Binding::kPack) << where;
      ASSERT_LT(static_cast<size_t>(binding.index), choice.packs.size()) << where;
    }
  }
  EXPECT_EQ(written_dst, (uint32_t{1} << call.dst.size()) - 1) << where << ": a result is not written";
  for (const PackSpec& pack : choice.packs) {
    EXPECT_NE(call.constants[static_cast<size_t>(pack.src)], nullptr) << where << ": packs what is not constant";
    EXPECT_LE(pack.bytes, profile.max_binding) << where;
  }
}

TEST(GpuChoose, EveryLaunchFitsItsKernelAndTheDevice) {
  Profile small = CpuDriver();
  small.max_group_invocations = 64;
  small.max_groups = {7, 1 << 20, 1};
  Profile gpu;
  gpu.api = "opencl";
  int launches = 0;
  for (const CaseFamily& family : CaseFamilies()) {
    for (const OpCase& op_case : family.cases()) {
      for (const CaseVariant& variant : VariantsOf(op_case, kVectorLanes)) {
        const auto data = CaseData::Make(op_case, variant.layout);
        if (!data.ok()) continue;
        for (const Profile& profile : {small, gpu}) {
          const OpCall& call = (*data)->call();
          const Offer offer = Choose(profile, call, {});
          EXPECT_FALSE(offer.choices.empty() && offer.refusals.empty()) << op_case.name << ": no word why";
          for (const Choice& choice : offer.choices) {
            CheckLaunch(choice, call, profile, op_case.name + " " + variant.layout.name);
            ++launches;
          }
        }
      }
    }
  }
  EXPECT_GT(launches, 1000);
}

TEST(GpuChoose, FoldsLongGridsAndCoversEveryItem) {
  Profile profile;
  profile.max_groups = {1000, 1000, 1};
  Launcher launcher("copy");
  launcher.Grid(profile, 64 * 2500 + 1, 64);
  const Launch& launch = launcher.launch();
  EXPECT_EQ(launch.groups[0], 1000);
  EXPECT_EQ(launch.groups[1], 3);
  Launcher nothing("copy");
  nothing.Grid(profile, 0, 64);
  EXPECT_EQ(nothing.launch().groups[0] * nothing.launch().groups[1], 0);
}

// A call of one operator over descs that live as long as this.
struct Call {
  Attributes attrs;
  std::vector<TensorDesc> src, dst;
  std::vector<const HostTensor*> constants;
  MicroProgram program;

  Offer Ask(const char* op, const Profile& profile, bool alone = false) {
    constants.resize(src.size(), nullptr);
    OpCall call;
    call.op = FindOp(alone || std::string_view(op) == "Copy" ? "moka" : "", op);
    call.attrs = &attrs;
    call.src = src;
    call.dst = dst;
    call.constants = constants;
    if (alone) call.program = &program;
    return Choose(profile, call, {});
  }
};

std::string Reasons(const Offer& offer) {
  std::string text;
  for (const Refusal& refusal : offer.refusals) text += refusal.reason + "; ";
  return text;
}

TEST(GpuChoose, SaysWhyItRefuses) {
  Profile profile = CpuDriver();
  Call bools;
  bools.src = bools.dst = {MakeDense(DataType::kBool, {4})};
  EXPECT_NE(Reasons(bools.Ask("Copy", profile)).find("bool"), std::string::npos);

  profile.max_binding = 1 << 10;
  Call large;
  large.src = large.dst = {MakeDense(DataType::kF32, {1 << 10})};
  const Offer offer = large.Ask("Copy", profile);
  EXPECT_TRUE(offer.choices.empty());
  EXPECT_NE(Reasons(offer).find("a binding holds 1024"), std::string::npos) << Reasons(offer);
}

TEST(GpuChoose, GpusGetTheSharedMemoryTileAndCpuDriversDoNot) {
  Call gemm;
  gemm.src = {MakeDense(DataType::kF32, {64, 64}), MakeDense(DataType::kF32, {64, 64})};
  gemm.dst = {MakeDense(DataType::kF32, {64, 64})};
  Profile gpu;
  ASSERT_FALSE(gemm.Ask("Gemm", gpu).choices.empty());
  EXPECT_EQ(gemm.Ask("Gemm", gpu).choices[0].kernel, "gpu/gemm_tile");
  EXPECT_EQ(gemm.Ask("Gemm", CpuDriver()).choices[0].kernel, "gpu/gemm");
}

TEST(GpuChoose, ConvolutionsOfOnePointAreProducts) {
  // The bias runs along the channels, not, as numpy would have it, along the width.
  Call conv;
  conv.src = {MakeDense(DataType::kF32, {2, 8, 3, 12}, Format::kChannelsLast, 4),
              MakeDense(DataType::kF32, {12, 8, 1, 1}), MakeDense(DataType::kF32, {12})};
  conv.dst = {MakeDense(DataType::kF32, {2, 12, 3, 12}, Format::kChannelsLast, 4)};
  HostTensor weight;
  weight.desc = conv.src[1];
  conv.constants = {nullptr, &weight, nullptr};
  const Offer offer = conv.Ask("Conv", CpuDriver());
  ASSERT_FALSE(offer.choices.empty()) << Reasons(offer);
  EXPECT_EQ(offer.choices[0].kernel, "gpu/gemm");
  const Launch launch = offer.choices[0].launch.As<Launch>();
  const auto params = std::bit_cast<GemmKernelParams>(launch.params);
  EXPECT_EQ(params.m, 2 * 3 * 12);
  EXPECT_EQ(params.e[1], 1);  // along channels
  EXPECT_EQ(params.e[2], 0);  // along rows
}

TEST(GpuChoose, RecognisesClipsWithoutAnInterpretedProgram) {
  Call relu;
  relu.src = relu.dst = {MakeDense(DataType::kF32, {2, 8})};
  relu.program = OfProgram([](MicroBuilder& b) { return b.Emit(MicroOp::kMax, MicroSource(0), b.Constant(0)); });
  EXPECT_EQ(relu.Ask("Elementwise", CpuDriver(), true).choices[0].kernel, "gpu/micro");
  relu.program = OfProgram([](MicroBuilder& b) { return b.Emit(MicroOp::kSilu, MicroSource(0)); });
  EXPECT_EQ(relu.Ask("Elementwise", CpuDriver(), true).choices[0].kernel, "gpu/micro_e4");
}

TEST(GpuLoops, MergesWhatLiesOneAfterTheOther) {
  const TensorDesc nhwc = MakeDense(DataType::kF32, {2, 8, 5, 7}, Format::kChannelsLast, 4);
  RowLoops rows;
  ASSERT_TRUE(MakeRowLoops(nhwc, {{nhwc.strides}, {nhwc.strides}}, 0, &rows));
  EXPECT_EQ(rows.loops.dims, 1);
  EXPECT_EQ(rows.inner, 2 * 8 * 5 * 7);

  const TensorDesc padded = MakeDense(DataType::kF32, {2, 3, 5, 7}, Format::kChannelsLast, 4);
  const TensorDesc nchw = MakeDense(DataType::kF32, {2, 3, 5, 7});
  ASSERT_TRUE(MakeRowLoops(padded, {{padded.strides}, {nchw.strides}}, 0, &rows));
  EXPECT_EQ(rows.inner, 3);
  EXPECT_EQ(rows.lanes, 4);
  EXPECT_EQ(rows.loops.dims, 3);  // C, (H, W), N: in nchw N does not follow H
  EXPECT_EQ(rows.items, 2 * 5 * 7);
}

TEST(GpuLoops, FindsPaddingLanes) {
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {2, 3, 5, 7}, Format::kChannelsLast, 4)), 1);
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {2, 4, 5, 7}, Format::kChannelsLast, 4)), -1);
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {2, 3, 5, 7})), -1);
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {6, 10}, Format::kRowMajor, 4)), 1);
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {6, 10})), -1);
  EXPECT_EQ(PaddedAxis(MakeDense(DataType::kF32, {10})), -1);
}

TEST(GpuPack, LaysWeightsOutInPaddedRows) {
  // Two outputs of three inputs, one tap: OI in the file, I O in the pack.
  const float weights[] = {1, 2, 3, 4, 5, 6};
  HostTensor tensor;
  tensor.desc = MakeDense(DataType::kF32, {2, 3, 1, 1});
  tensor.data = weights;
  Attributes attrs;
  std::vector<TensorDesc> src{MakeDense(DataType::kF32, {1, 3, 2, 2}, Format::kChannelsLast, 4), tensor.desc};
  std::vector<TensorDesc> dst{MakeDense(DataType::kF32, {1, 2, 2, 2}, Format::kChannelsLast, 4)};
  const HostTensor* constants[] = {nullptr, &tensor};
  OpCall call;
  call.op = FindOp("", "Conv");
  call.attrs = &attrs;
  call.src = src;
  call.dst = dst;
  call.constants = constants;
  const Offer offer = Choose(CpuDriver(), call, {});
  ASSERT_FALSE(offer.choices.empty()) << Reasons(offer);
  ASSERT_EQ(offer.choices[0].packs.size(), 1u);
  const PackSpec& spec = offer.choices[0].packs[0];
  ASSERT_EQ(spec.bytes, 4 * 4 * sizeof(float));
  std::vector<float> packed(16, -1);
  ASSERT_TRUE(Pack(spec, tensor, std::as_writable_bytes(std::span(packed))).ok());
  EXPECT_EQ(packed, (std::vector<float>{1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(Pack(spec, tensor, std::as_writable_bytes(std::span(packed)).first(8)).ok());
}

TEST(GpuKernels, AreCompleteAndNumbered) {
  std::set<std::string> names;
  for (const KernelSource& kernel : Kernels()) {
    EXPECT_TRUE(names.insert(kernel.name).second) << kernel.name;
    ASSERT_GT(kernel.spirv.size(), 5u) << kernel.name;
    EXPECT_EQ(kernel.spirv[0], 0x07230203u) << kernel.name;
    EXPECT_NE(std::string(kernel.opencl).find(std::string("#define KERNEL_NAME ") + kernel.name), std::string::npos);
    EXPECT_LE(kernel.buffers, kMaxBuffers) << kernel.name;
    EXPECT_LE(kernel.spec_names.size(), static_cast<size_t>(kMaxSpec)) << kernel.name;
    EXPECT_NE(kernel.written, 0u) << kernel.name;
    const int index = FindKernel(kernel.name);
    ASSERT_GE(index, 0);
    EXPECT_EQ(FullName(index), std::string("gpu/") + kernel.name);
  }
  EXPECT_EQ(FindKernel("no_such_kernel"), -1);
}

}  // namespace
}  // namespace moka::gpu
