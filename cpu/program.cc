// Linked steps and their execution.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/platform.h"
#include "cpu/chain_run.h"
#include "cpu/device.h"
#include "cpu/phase_run.h"
#include "cpu/queue.h"
#include "ops/reference.h"

namespace moka::cpu {
namespace {

constexpr double kInlineMicroseconds = 4;  // shorter steps are not worth waking threads for
constexpr int64_t kPiecesPerWorker = 4;
// The scratch of steps without any: kernels lay out its parts before they know which of them are used, and nothing may
// be added to a null pointer.
alignas(64) std::byte no_scratch[64];

// What a reference needs of its node; a step's own OpCall ends with linking.
struct ReferenceNode {
  Attributes attrs;
  std::string name;
  MicroProgram program;
  std::vector<TensorDesc> src, dst;
  std::vector<HostTensor> constants;
  std::vector<const HostTensor*> constant_pointers;
  OpCall call;

  explicit ReferenceNode(const OpCall& from)
      : name(from.name), src(from.src.begin(), from.src.end()), dst(from.dst.begin(), from.dst.end()), call(from) {
    if (from.attrs != nullptr) attrs = *from.attrs;
    if (from.program != nullptr) program = *from.program;
    for (const HostTensor* constant : from.constants)
      constants.push_back(constant != nullptr ? *constant : HostTensor());
    for (size_t i = 0; i < constants.size(); ++i) {
      constant_pointers.push_back(from.constants[i] != nullptr ? &constants[i] : nullptr);
    }
    call.attrs = &attrs;
    call.name = name;
    call.program = from.program != nullptr ? &program : nullptr;
    call.src = src;
    call.dst = dst;
    call.constants = constant_pointers;
  }
  ReferenceNode(const ReferenceNode&) = delete;
  ReferenceNode& operator=(const ReferenceNode&) = delete;
};

struct Place {
  uint32_t slot;
  uint64_t offset;
  bool present;
};

struct Pass {
  KernelFn run;
  const void* launch;
  int64_t units;  // of each phase
  int64_t phases;
};

// Operands are ranges of CpuProgram::places: sources, results, packs, scratch.
struct LinkedStep {
  std::string name;
  std::unique_ptr<ReferenceNode> reference;  // or:
  std::vector<Pass> passes;
  Blob launch;
  std::vector<TensorDesc> src_desc, dst_desc;
  size_t first_place = 0, num_src = 0, num_dst = 0, num_packs = 0;
  uint64_t scratch_bytes = 0, scratch_per_worker = 0;
  bool spread = false;
  int chain = -1;  // the chain that starts here
};

struct CpuProgram final : Program, std::enable_shared_from_this<CpuProgram> {
  std::vector<LinkedStep> steps;
  std::vector<LinkedChain> chains;
  std::vector<Place> places;
  std::vector<SlotInfo> slots;
  const Simd* simd = nullptr;

  Result<std::unique_ptr<Replay>> Instantiate(Queue& queue) const override;
};

class CpuReplay final : public Replay {
 public:
  CpuReplay(std::shared_ptr<const CpuProgram> owner, CpuQueue& queue)
      : owner_(std::move(owner)),
        program_(*owner_),
        bases_(program_.slots.size()),
        pointers_(program_.places.size()),
        phases_(queue.workers()) {
    if (queue.profile()) step_us_.resize(program_.steps.size());
    for (const LinkedStep& step : program_.steps) {
      void** first = pointers_.data() + step.first_place;
      KernelArgs args;
      args.src = first;
      args.dst = first + step.num_src;
      args.packs = first + step.num_src + step.num_dst;
      args.src_desc = step.src_desc.data();
      args.dst_desc = step.dst_desc.data();
      args.scratch_per_worker = step.scratch_per_worker;
      args.simd = program_.simd;
      args.error = &error_;
      args_.push_back(args);
    }
    for (const LinkedChain& chain : program_.chains) chains_.emplace_back(chain, queue.workers(), queue.profile());
  }

  Status Bind(uint32_t slot, Buffer* buffer, uint64_t offset) override {
    if (slot >= bases_.size() || program_.slots[slot].kind != SlotInfo::kBuffer) return Internal("slot ", slot);
    if (offset > buffer->bytes() || program_.slots[slot].bytes > buffer->bytes() - offset) {
      return Internal("slot ", slot, ": the buffer is too small");
    }
    SetBase(slot, static_cast<std::byte*>(buffer->host()) + offset);
    return {};
  }
  void BindHost(uint32_t slot, void* data) override { SetBase(slot, static_cast<std::byte*>(data)); }

  Status Run(Queue& queue, std::span<const void* const>, std::span<void* const>) override {
    auto& cpu_queue = static_cast<CpuQueue&>(queue);
    if (moved_) Resolve();
    for (size_t i = 0, count = 1; i < program_.steps.size(); i += count) {
      const LinkedStep& step = program_.steps[i];
      const double start = step_us_.empty() ? 0 : NowMicroseconds();
      count = step.chain < 0 ? 1 : ChainOf(step).members.size();
      if (step.chain < 0) {
        MOKA_RETURN_IF_ERROR(RunStep(step, args_[i], cpu_queue.executor()));
      } else {
        Runner(step).Run(cpu_queue.executor(), step.spread);
        if (!error_.ok()) return error_.Take().WithContext(step.name);
      }
      if (step_us_.empty()) continue;
      step_us_[i] = NowMicroseconds() - start;
      if (step.chain >= 0) Runner(step).DivideTime(step_us_[i], {step_us_.data() + i, count});
    }
    return {};
  }
  std::span<const double> step_us() const override { return step_us_; }

 private:
  // The units of a pass, divided into as many shares as there are workers, each into a large piece, 3/4 of it, and then
  // what balances them. Neighbours stay together: base/thread_pool.h gives each worker the pieces of one share.
  class Pieces {
   public:
    Pieces(const KernelArgs& args, const Pass& pass, int64_t workers)
        : args_(args),
          run_(pass.run),
          units_(pass.units),
          workers_(workers),
          each_(std::min(kPiecesPerWorker, CeilDiv(units_, workers))) {}

    int64_t count() const { return workers_ * each_; }
    static void Task(void* context, int64_t i, int worker) {
      const auto& p = *static_cast<const Pieces*>(context);
      const int64_t begin = p.Begin(i), end = p.Begin(i + 1);
      if (begin < end) p.run_(p.args_, begin, end, worker);
    }

   private:
    int64_t Begin(int64_t i) const {
      const int64_t share = i / each_, piece = i % each_, first = PartBegin(units_, share, workers_);
      if (piece == 0) return first;
      const int64_t size = PartBegin(units_, share + 1, workers_) - first, large = std::max<int64_t>(size * 3 / 4, 1);
      return first + large + PartBegin(size - large, piece - 1, each_ - 1);
    }

    const KernelArgs& args_;
    KernelFn run_;
    int64_t units_, workers_, each_;
  };

  void SetBase(uint32_t slot, std::byte* base) {
    moved_ |= bases_[slot] != base;
    bases_[slot] = base;
  }

  void Resolve() {
    for (size_t i = 0; i < pointers_.size(); ++i) {
      const Place& place = program_.places[i];
      pointers_[i] = place.present ? bases_[place.slot] + place.offset : nullptr;
    }
    for (size_t i = 0; i < args_.size(); ++i) {
      const LinkedStep& step = program_.steps[i];
      const size_t scratch = step.first_place + step.num_src + step.num_dst + step.num_packs;
      auto* memory = static_cast<std::byte*>(pointers_[scratch]);
      args_[i].scratch = memory != nullptr ? memory : no_scratch;
    }
    for (size_t i = 0; i < args_.size(); ++i) {
      const LinkedStep& step = program_.steps[i];
      if (step.chain >= 0) Runner(step).Bind({args_.data() + i, ChainOf(step).members.size()}, args_[i].scratch);
    }
    moved_ = false;
  }

  const LinkedChain& ChainOf(const LinkedStep& step) const { return program_.chains[static_cast<size_t>(step.chain)]; }
  ChainRunner& Runner(const LinkedStep& step) { return chains_[static_cast<size_t>(step.chain)]; }

  Status RunStep(const LinkedStep& step, KernelArgs& args, Executor& executor) {
    if (step.reference != nullptr) {
      const ReferenceCall call = {step.reference->call, {args.src, step.num_src}, {args.dst, step.num_dst}};
      return RunReference(call, false);
    }
    for (const Pass& pass : step.passes) {
      args.launch = pass.launch;
      if (!step.spread || pass.units == 1 || executor.workers() == 1) {
        pass.run(args, 0, pass.units * pass.phases, 0);
        continue;
      }
      if (pass.phases > 1) {
        phases_.Run({pass.run, pass.units, pass.phases}, args, executor);
        continue;
      }
      Pieces pieces(args, pass, executor.workers());
      executor.Run(pieces.count(), &Pieces::Task, &pieces);
    }
    return error_.ok() ? Status() : error_.Take().WithContext(step.name);
  }

  std::shared_ptr<const CpuProgram> owner_;
  const CpuProgram& program_;
  std::vector<std::byte*> bases_;  // by slot
  std::vector<void*> pointers_;    // by place
  std::vector<KernelArgs> args_;   // by step
  std::vector<ChainRunner> chains_;
  PhaseRunner phases_;
  std::vector<double> step_us_;
  ErrorSlot error_;
  bool moved_ = true;
};

Result<std::unique_ptr<Replay>> CpuProgram::Instantiate(Queue& queue) const {
  auto& cpu_queue = static_cast<CpuQueue&>(queue);
  for (const LinkedStep& step : steps) {
    const auto workers = static_cast<uint64_t>(queue.workers());
    if (step.scratch_bytes < workers * step.scratch_per_worker) {
      return Internal(step.name, ": scratch of ", step.scratch_bytes, " bytes for ", workers, " workers");
    }
  }
  return std::unique_ptr<Replay>(new CpuReplay(shared_from_this(), cpu_queue));
}

void AddPlaces(std::span<const Operand> operands, std::vector<Place>* places) {
  for (const Operand& operand : operands) places->push_back({operand.slot, operand.offset, operand.desc.present()});
}

Status LinkStep(const Step& step, const Kernel* kernel, CpuProgram* program) {
  LinkedStep linked;
  linked.name = StrCat("node '", step.call.name, "' (", step.call.op->name, ")");
  linked.first_place = program->places.size();
  linked.num_src = step.src.size();
  linked.num_dst = step.dst.size();
  linked.num_packs = step.packs.size();
  AddPlaces(step.src, &program->places);
  AddPlaces(step.dst, &program->places);
  AddPlaces(step.packs, &program->places);
  AddPlaces({&step.scratch, 1}, &program->places);
  for (const Operand& operand : step.src) linked.src_desc.push_back(operand.desc);
  for (const Operand& operand : step.dst) linked.dst_desc.push_back(operand.desc);
  linked.scratch_bytes = step.scratch.desc.ExtentBytes();
  linked.scratch_per_worker = step.scratch_per_worker;
  if (kernel == nullptr) {
    if (!step.kernel.starts_with("reference/")) return Internal("kernel '", step.kernel, "' is not of this device");
    linked.reference = std::make_unique<ReferenceNode>(step.call);
  } else {
    linked.launch = step.launch;
    const std::byte* bytes = linked.launch.bytes().data();
    const auto header = linked.launch.As<LaunchHeader>();
    linked.spread = header.cost_us > kInlineMicroseconds;
    linked.passes.push_back({kernel->run, bytes + kLaunchOffset, step.units, header.phases});
    if (header.program_offset != 0) {
      linked.passes.push_back({&RunProgramPass, bytes + header.program_offset, header.program_units, 1});
    }
  }
  program->steps.push_back(std::move(linked));
  return {};
}

// After all steps, whose launch data then stays where it is.
Status LinkChains(std::span<const Step> steps, std::span<const Kernel* const> kernels, CpuProgram* program) {
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].chain.steps == 0) continue;
    MOKA_ASSIGN_OR_RETURN(LinkedChain linked, LinkChain(steps.subspan(i), kernels.subspan(i)));
    program->steps[i].chain = static_cast<int>(program->chains.size());
    program->steps[i].spread = true;
    for (size_t m = 0; m < linked.members.size(); ++m)
      linked.members[m].launch = program->steps[i + m].passes[0].launch;
    program->chains.push_back(std::move(linked));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Program>> LinkProgram(const LinkRequest& request,
                                                   const Kernel* (*find)(const void*, const Step&), const void* context,
                                                   const Simd* simd) {
  auto program = std::make_shared<CpuProgram>();
  program->slots.assign(request.slots.begin(), request.slots.end());
  program->simd = simd;
  program->steps.reserve(request.steps.size());
  std::vector<const Kernel*> kernels;
  for (const Step& step : request.steps) {
    kernels.push_back(find(context, step));
    MOKA_RETURN_IF_ERROR(LinkStep(step, kernels.back(), program.get()));
  }
  MOKA_RETURN_IF_ERROR(LinkChains(request.steps, kernels, program.get()));
  return std::shared_ptr<const Program>(std::move(program));
}

CpuQueue::CpuQueue(const QueueOptions& options) : executor_(options.executor), profile_(options.profile) {
  if (executor_ != nullptr) return;
  pool_ = std::make_unique<ThreadPool>(options.threads > 0 ? options.threads : HardwareThreads());
  executor_ = pool_.get();
}

Executor& ExecutorOf(Queue& queue) { return static_cast<CpuQueue&>(queue).executor(); }

Result<std::unique_ptr<Queue>> MakeCpuQueue(const QueueOptions& options) {
  if (options.threads < 0 || options.threads > kMaxWorkers) {
    return InvalidArgument("threads: ", options.threads, ", expected 0 (one a core) to ", kMaxWorkers);
  }
  if (options.executor != nullptr && options.executor->workers() < 1)
    return InvalidArgument("executor without workers");
  return std::unique_ptr<Queue>(new CpuQueue(options));
}

}  // namespace moka::cpu
