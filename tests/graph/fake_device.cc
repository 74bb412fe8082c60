#include "tests/graph/fake_device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "base/status.h"
#include "graph/layout_rules.h"
#include "ops/conv.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr std::byte kPackMask{0x5a};

bool AllZero(const std::byte* data, size_t bytes) {
  return std::all_of(data, data + bytes, [](std::byte b) { return b == std::byte{0}; });
}

// Calls f(first lane, lanes) with the element range of each row's padding.
template <class F>
void ForEachPadding(const TensorDesc& desc, int alignment, const F& f) {
  if (!HasPadding(desc, alignment)) return;
  int inner = -1;
  for (int d = 0; d < desc.rank; ++d) {
    if (desc.strides[static_cast<size_t>(d)] == 1 && desc.dims[static_cast<size_t>(d)] > 1) inner = d;
  }
  const int64_t size = inner < 0 ? 1 : desc.dims[static_cast<size_t>(inner)];
  const int64_t lanes = (size + alignment - 1) / alignment * alignment - size;
  std::array<int64_t, kMaxRank> index{};
  for (;;) {
    int64_t row = 0;
    for (size_t d = 0; d < static_cast<size_t>(desc.rank); ++d) row += index[d] * desc.strides[d];
    f(row + size, lanes);
    int d = desc.rank - 1;
    for (; d >= 0; --d) {
      if (d == inner) continue;
      if (++index[static_cast<size_t>(d)] < desc.dims[static_cast<size_t>(d)]) break;
      index[static_cast<size_t>(d)] = 0;
    }
    if (d < 0) return;
  }
}

}  // namespace

class FakeBuffer final : public Buffer {
 public:
  FakeBuffer(FakeDevice* device, uint64_t bytes, bool arena) : device_(device), arena_(arena), bytes_(bytes) {
    memory_.reset(new (std::align_val_t{64}) std::byte[bytes + 1]);
    data_ = memory_.get();
    const std::lock_guard lock(device_->mutex_);
    ++device_->allocations_;
    if (!arena_) return;
    device_->arenas_.insert(this);
    device_->arena_bytes_ += static_cast<int64_t>(bytes);
  }
  FakeBuffer(FakeDevice* device, const void* data, uint64_t bytes)
      : device_(device), bytes_(bytes), data_(static_cast<std::byte*>(const_cast<void*>(data))) {}
  ~FakeBuffer() override {
    const std::lock_guard lock(device_->mutex_);
    if (!arena_) return;
    device_->arenas_.erase(this);
    device_->arena_bytes_ -= static_cast<int64_t>(bytes_);
  }
  uint64_t bytes() const override { return bytes_; }
  void* host() const override { return device_->limits().host_memory ? data_ : nullptr; }
  std::byte* data() const { return data_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  FakeDevice* device_;
  bool arena_ = false;
  uint64_t bytes_;
  std::unique_ptr<std::byte[], Free> memory_;
  std::byte* data_ = nullptr;
};

namespace {

class FakeQueue final : public Queue {
 public:
  explicit FakeQueue(int workers) : workers_(workers) {}
  int workers() const override { return workers_; }

 private:
  int workers_;
};

struct LinkedStep {
  Step step;
  std::vector<TensorDesc> src, dst;
  std::vector<const HostTensor*> constants;
  Attributes attrs;
  MicroProgram program;
  std::string name;
};

class FakeReplay final : public Replay {
 public:
  FakeReplay(const std::vector<LinkedStep>& steps, const std::vector<SlotInfo>& slots,
             const std::vector<HostCopy>& uploads, const std::vector<HostCopy>& downloads, const Limits& limits,
             const std::function<Status(const Step&)>& execute)
      : execute_(execute),
        steps_(steps),
        slots_(slots),
        uploads_(uploads),
        downloads_(downloads),
        limits_(limits),
        base_(slots.size()) {}

  Status Bind(uint32_t slot, Buffer* buffer, uint64_t offset) override {
    auto* fake = dynamic_cast<FakeBuffer*>(buffer);
    if (fake == nullptr || slots_[slot].kind != SlotInfo::kBuffer) return Internal("wrong buffer for slot ", slot);
    if (offset + slots_[slot].bytes > fake->bytes()) return Internal("buffer too short for slot ", slot);
    base_[slot] = fake->data() + offset;
    return {};
  }
  void BindHost(uint32_t slot, void* data) override { base_[slot] = static_cast<std::byte*>(data); }

  Status Run(Queue& queue, std::span<const void* const> upload_src, std::span<void* const> download_dst) override {
    for (size_t i = 0; i < uploads_.size(); ++i) {
      MOKA_RETURN_IF_ERROR(CheckRange(uploads_[i].slot, uploads_[i].offset, uploads_[i].bytes));
      std::memcpy(base_[uploads_[i].slot] + uploads_[i].offset, upload_src[i], uploads_[i].bytes);
      ++queue.counts.uploads;
      queue.counts.upload_bytes += static_cast<int64_t>(uploads_[i].bytes);
    }
    for (size_t first = 0; first < steps_.size();) {
      size_t end = first + 1;
      while (limits_.concurrent_steps && end < steps_.size() && !steps_[end].step.barrier) ++end;
      for (size_t s = end; s-- > first;) {
        if (Status status = RunStep(steps_[s]); !status.ok()) return status.WithContext(steps_[s].name);
      }
      first = end;
    }
    for (size_t i = 0; i < downloads_.size(); ++i) {
      MOKA_RETURN_IF_ERROR(CheckRange(downloads_[i].slot, downloads_[i].offset, downloads_[i].bytes));
      std::memcpy(download_dst[i], base_[downloads_[i].slot] + downloads_[i].offset, downloads_[i].bytes);
      ++queue.counts.downloads;
      queue.counts.download_bytes += static_cast<int64_t>(downloads_[i].bytes);
    }
    step_us_.assign(steps_.size(), 1.0);
    return {};
  }
  std::span<const double> step_us() const override { return step_us_; }

 private:
  Status CheckRange(uint32_t slot, uint64_t offset, uint64_t bytes) const {
    if (base_[slot] == nullptr) return Internal("slot ", slot, " is not bound");
    if (offset + bytes > slots_[slot].bytes) return Internal("beyond the end of slot ", slot);
    return {};
  }

  // alignment: elements that the operand starts at a multiple of; lanes: that its memory extends to.
  Result<std::byte*> Address(const Operand& operand, int alignment, int lanes) const {
    MOKA_RETURN_IF_ERROR(CheckRange(operand.slot, operand.offset, PaddedBytes(operand.desc, lanes)));
    const uint64_t vector = SizeOf(operand.desc.type) * static_cast<uint64_t>(alignment);
    if (operand.offset % vector != 0) return Internal("misaligned operand at ", operand.offset);
    return base_[operand.slot] + operand.offset;
  }

  Status RunStep(const LinkedStep& linked) {
    const Step& step = linked.step;
    MOKA_RETURN_IF_ERROR(execute_(step));
    const bool is_copy = std::string_view(step.call.op->name) == "Copy";
    const int alignment = limits_.channel_alignment, vector = is_copy ? 1 : alignment;
    OpCall call = step.call;
    std::vector<TensorDesc> src_descs = linked.src;
    call.attrs = &linked.attrs;
    call.name = linked.name;
    call.program = step.call.program == nullptr ? nullptr : &linked.program;
    call.dst = linked.dst;
    call.constants = linked.constants;
    std::vector<const void*> src(step.src.size(), nullptr);
    std::vector<void*> dst(step.dst.size(), nullptr);
    for (size_t i = 0; i < step.src.size(); ++i) {
      if (!step.src[i].desc.present()) continue;
      MOKA_ASSIGN_OR_RETURN(std::byte * address, Address(step.src[i], vector, vector));
      src[i] = address;
      Status padding;
      ForEachPadding(step.src[i].desc, vector, [&](int64_t at, int64_t lanes) {
        const size_t element = SizeOf(step.src[i].desc.type);
        if (!AllZero(address + static_cast<size_t>(at) * element, static_cast<size_t>(lanes) * element)) {
          padding = Internal("source ", i, ": padding lanes are not zero");
        }
      });
      MOKA_RETURN_IF_ERROR(padding);
    }
    std::vector<std::vector<std::byte>> unpacked;
    for (size_t p = 0, i = 0; p < step.packs.size(); ++p, ++i) {
      while (step.src[i].desc.present() || !linked.src[i].present()) ++i;
      MOKA_ASSIGN_OR_RETURN(std::byte * address, Address(step.packs[p], 1, 1));
      std::vector<std::byte>& bytes = unpacked.emplace_back(address, address + step.packs[p].desc.ExtentBytes());
      for (std::byte& b : bytes) b ^= kPackMask;
      src_descs[i] = MakeDense(src_descs[i].type, src_descs[i].shape());
      src[i] = bytes.data();
    }
    call.src = src_descs;
    for (size_t i = 0; i < step.dst.size(); ++i) {
      if (!step.dst[i].desc.present()) continue;
      MOKA_ASSIGN_OR_RETURN(std::byte * address, Address(step.dst[i], vector, alignment));
      dst[i] = address;
    }
    if (step.scratch.desc.present()) {
      MOKA_ASSIGN_OR_RETURN(std::byte * scratch, Address(step.scratch, 1, 1));
      std::memset(scratch, 0xff, step.scratch.desc.ExtentBytes());
    }
    ReferenceCall reference;
    reference.call = call;
    reference.src = src;
    reference.dst = dst;
    MOKA_RETURN_IF_ERROR(RunReference(reference, false));
    for (size_t i = 0; i < step.dst.size(); ++i) {
      if (dst[i] == nullptr) continue;
      const size_t element = SizeOf(step.dst[i].desc.type);
      ForEachPadding(step.dst[i].desc, alignment, [&](int64_t at, int64_t lanes) {
        std::memset(static_cast<std::byte*>(dst[i]) + static_cast<size_t>(at) * element, 0,
                    static_cast<size_t>(lanes) * element);
      });
    }
    return {};
  }

  const std::function<Status(const Step&)>& execute_;
  const std::vector<LinkedStep>& steps_;
  const std::vector<SlotInfo>& slots_;
  const std::vector<HostCopy>& uploads_;
  const std::vector<HostCopy>& downloads_;
  const Limits& limits_;
  std::vector<std::byte*> base_;
  std::vector<double> step_us_;
};

class FakeProgram final : public Program {
 public:
  FakeProgram(const LinkRequest& request, const Limits& limits, std::function<Status(const Step&)> execute)
      : execute_(std::move(execute)),
        slots_(request.slots.begin(), request.slots.end()),
        uploads_(request.uploads.begin(), request.uploads.end()),
        downloads_(request.downloads.begin(), request.downloads.end()),
        limits_(limits) {
    for (const Step& step : request.steps) {
      LinkedStep& linked = steps_.emplace_back();
      linked.step = step;
      linked.src.assign(step.call.src.begin(), step.call.src.end());
      linked.dst.assign(step.call.dst.begin(), step.call.dst.end());
      linked.constants.assign(step.call.constants.begin(), step.call.constants.end());
      linked.attrs = *step.call.attrs;
      if (step.call.program != nullptr) linked.program = *step.call.program;
      linked.name = step.call.name;
    }
  }
  Result<std::unique_ptr<Replay>> Instantiate(Queue&) const override {
    return std::unique_ptr<Replay>(new FakeReplay(steps_, slots_, uploads_, downloads_, limits_, execute_));
  }

 private:
  std::function<Status(const Step&)> execute_;
  std::vector<LinkedStep> steps_;
  std::vector<SlotInfo> slots_;
  std::vector<HostCopy> uploads_, downloads_;
  Limits limits_;
};

}  // namespace

FakeDevice::FakeDevice(std::string name, FakeBehaviour behaviour) : behaviour_(std::move(behaviour)) {
  info_.name = std::move(name);
  info_.kind = behaviour_.gpu ? DeviceKind::kVulkan : DeviceKind::kCpu;
  limits_.host_memory = !behaviour_.gpu;
  limits_.concurrent_steps = behaviour_.gpu;
  limits_.channel_alignment = behaviour_.gpu ? 4 : 1;
  limits_.chain_cache = behaviour_.chain_cache;
}

namespace {

std::vector<RowMap> RowsOf(const OpCall& call) {
  const std::string op = call.op->name;
  std::vector<RowMap> rows(call.src.size());
  if (op == "Conv" && call.dst[0].rank == 4) {
    const Result<ConvParams> conv = ConvParams::From(call);
    if (!conv.ok()) return {};
    rows[0] = {conv->strides[0], conv->pads_begin[0], (conv->kernel[0] - 1) * conv->dilations[0] + 1};
    return rows;
  }
  if (op != "Add" && op != "Relu") return {};
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!SameShape(call.src[i], call.dst[0])) return {};
    rows[i] = {1, 0, 1};
  }
  return rows;
}

}  // namespace

Offer FakeDevice::Choose(const OpCall& call, const ChoosePolicy& policy) const {
  ++choices_;
  Offer offer;
  const std::string op = call.op->name;
  Choice choice;
  choice.kernel = "fake/kernel";
  bool own = !behaviour_.refused.contains(op);
  if (!own) offer.refusals.push_back({"fake/kernel", "refused by the test"});
  if (own && behaviour_.dense_only.contains(op)) {
    for (const auto list : {call.src, call.dst}) {
      for (const TensorDesc& desc : list) {
        if (desc.present() && !IsDense(desc, Format::kRowMajor, limits_.channel_alignment) &&
            !IsDense(desc, Format::kChannelsLast, limits_.channel_alignment)) {
          own = false;
        }
      }
    }
    if (!own) offer.refusals.push_back({"fake/kernel", "operands must be dense"});
  }
  if (!own) {
    if (!policy.allow_reference || behaviour_.gpu) return offer;
    choice.kernel = "reference/any";
    choice.reference = true;
  }
  choice.scratch = behaviour_.scratch;
  const bool product = op == "Conv" || op == "Gemm" || op == "MatMul";
  if (product && behaviour_.pack_weights && call.constants[1] != nullptr) {
    PackSpec pack;
    pack.src = 1;
    pack.format = "fake/xor.1";
    pack.bytes = call.constants[1]->desc.ExtentBytes();
    choice.packs.push_back(pack);
  }
  if (op == "Elementwise" && behaviour_.in_place) {
    for (size_t i = 0; i < call.src.size(); ++i) {
      if (SameLayout(call.src[i], call.dst[0])) choice.in_place |= 1u << i;
    }
  }
  if (behaviour_.chain_cache > 0) choice.rows = RowsOf(call);
  if (product && own) {
    for (const FakeKernel& kernel : behaviour_.kernels) {
      offer.choices.push_back(choice);
      offer.choices.back().kernel = kernel.name;
      if (!policy.all) break;
    }
  }
  if (offer.choices.empty()) offer.choices.push_back(std::move(choice));
  return offer;
}

Status FakeDevice::Execute(const Step& step) const {
  ++runs_;
  for (const FakeKernel& kernel : behaviour_.kernels) {
    if (step.kernel != kernel.name) continue;
    if (kernel.fails) return Internal("fails by the test");
    std::this_thread::sleep_for(std::chrono::microseconds(kernel.sleep_us));
  }
  return {};
}

Status FakeDevice::Pack(const PackSpec&, const HostTensor& src, std::span<std::byte> dst) const {
  ++packs_;
  std::memcpy(dst.data(), src.data, dst.size());
  for (std::byte& b : dst) b ^= kPackMask;
  return {};
}

Result<std::unique_ptr<Buffer>> FakeDevice::Allocate(uint64_t bytes, MemoryKind kind) {
  return std::unique_ptr<Buffer>(new FakeBuffer(this, bytes, kind == MemoryKind::kArena));
}

Result<std::unique_ptr<Buffer>> FakeDevice::Import(const void* data, uint64_t bytes) {
  if (!limits_.host_memory) return Unsupported("no host memory");
  return std::unique_ptr<Buffer>(new FakeBuffer(this, data, bytes));
}

Status FakeDevice::Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) {
  if (offset + bytes.size() > buffer.bytes()) return Internal("write beyond the end");
  std::memcpy(static_cast<FakeBuffer&>(buffer).data() + offset, bytes.data(), bytes.size());
  return {};
}

Result<std::unique_ptr<Queue>> FakeDevice::MakeQueue(const QueueOptions&) {
  return std::unique_ptr<Queue>(new FakeQueue(behaviour_.workers));
}

Result<std::shared_ptr<const Program>> FakeDevice::Link(const LinkRequest& request) {
  return std::shared_ptr<const Program>(
      new FakeProgram(request, limits_, [this](const Step& step) { return Execute(step); }));
}

void FakeDevice::PoisonArenas() {
  const std::lock_guard lock(mutex_);
  for (FakeBuffer* arena : arenas_) std::memset(arena->data(), 0xff, arena->bytes());
}

}  // namespace moka
