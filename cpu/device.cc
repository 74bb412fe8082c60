#include "cpu/device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "base/platform.h"
#include "cpu/queue.h"
#include "cpu/simd.h"
#include "ops/reference.h"

namespace moka::cpu {
namespace {

constexpr double kReferencePenalty = 20;  // a scalar loop over any strides against a kernel

// Names of kernels live as long as the process, because plans keep views of them.
std::string_view Intern(std::string name) {
  static std::mutex mutex;
  static std::set<std::string>& names = *new std::set<std::string>;
  const std::lock_guard<std::mutex> lock(mutex);
  return *names.insert(std::move(name)).first;
}

class CpuBuffer final : public Buffer {
 public:
  CpuBuffer(void* data, uint64_t bytes, bool owned) : data_(data), bytes_(bytes), owned_(owned) {}
  ~CpuBuffer() override {
    if (owned_) FreeAligned(data_, bytes_);
  }
  uint64_t bytes() const override { return bytes_; }
  void* host() const override { return data_; }

 private:
  void* data_;
  uint64_t bytes_;
  bool owned_;
};

// The kernels of one operator.
struct OpEntry {
  const OpSchema* schema;
  std::string_view reference_name;
  std::vector<Kernel> kernels;
};

double Bytes(const OpCall& call) {
  double bytes = 0;
  for (const TensorDesc& desc : call.src) bytes += static_cast<double>(desc.ExtentBytes());
  for (const TensorDesc& desc : call.dst) bytes += static_cast<double>(desc.ExtentBytes());
  return bytes;
}

// Joins header, the kernel's own data and the second pass, each at a multiple of 16 bytes.
Blob JoinLaunch(LaunchHeader header, const Blob& kernel, const Blob& program) {
  const auto aligned = [](size_t bytes) { return (bytes + 15) / 16 * 16; };
  const size_t program_offset = kLaunchOffset + aligned(kernel.bytes().size());
  header.program_offset = program.bytes().empty() ? 0 : static_cast<int64_t>(program_offset);
  std::byte bytes[16384];
  const size_t total = program_offset + program.bytes().size();
  if (total > sizeof(bytes)) return {};
  std::memset(bytes, 0, total);
  std::memcpy(bytes, &header, sizeof(header));
  if (!kernel.bytes().empty()) std::memcpy(bytes + kLaunchOffset, kernel.bytes().data(), kernel.bytes().size());
  if (!program.bytes().empty()) std::memcpy(bytes + program_offset, program.bytes().data(), program.bytes().size());
  return Blob::OfBytes({bytes, total});
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const Simd& simd) : simd_(simd) {
    info_.name = "cpu";
    info_.kind = DeviceKind::kCpu;
    info_.hardware = CpuName();
    info_.driver = simd.target != nullptr ? simd.target : "references";
    info_.memory_bytes = PhysicalMemory();
    limits_.host_memory = true;
    limits_.offset_alignment = 64;
    limits_.chain_cache = CoreCacheBytes();
    for (const OpSchema* schema : AllOps()) {
      entries_.push_back({schema, Intern(StrCat("reference/", schema->name)), {}});
    }
    std::sort(entries_.begin(), entries_.end(), [](const OpEntry& a, const OpEntry& b) { return a.schema < b.schema; });
    if (simd.target == nullptr) return;
    // Of an operator's kernels the first that can is taken.
    for (const auto rows :
         {GemmRows(),          DepthwiseRows(),     ConvRows(),         MicroRows(),       PoolRows(),
          ReduceRows(),        SoftmaxRows(),       BatchNormRows(),    CopyRows(),        PadRows(),
          GatherRows(),        RecurrentRows(),     LaneRows(),         ResizeRows(),      GridSampleRows(),
          RoiAlignRows(),      ConvTransposeRows(), IndexingRows(),     TriluRows(),       BytePoolRows(),
          DftRows(),           LayerNormRows(),     GroupNormRows(),    LpNormRows(),      SearchRows(),
          CumulativeRows(),    AttentionRows(),     MeanVarianceRows(), RotaryRows(),      LinearAttentionRows(),
          ByteDepthwiseRows(), ByteConvRows(),      ByteGemmRows(),     ByteElementRows(), PoolAnyRows(),
          QuantizeRows(),      NBitsRows(),         GroupQueryRows(),   CausalConvRows(),  DeformConvRows(),
          Col2ImRows(),        LossRows(),          FillRows(),         SliceMoveRows()}) {
      for (const KernelRow& row : rows) AddRow(row);
    }
  }

  const DeviceInfo& info() const override { return info_; }
  const Limits& limits() const override { return limits_; }

  // Without elements, but with a dimension that kernels would count units along.
  static bool IsVastAndEmpty(const OpCall& call) {
    constexpr int64_t kVast = 1 << 20;
    const auto is_vast = [](const TensorDesc& desc) {
      return std::any_of(desc.dims.begin(), desc.dims.begin() + desc.rank, [](int64_t dim) { return dim > kVast; });
    };
    return std::all_of(call.dst.begin(), call.dst.end(), [](const TensorDesc& d) { return d.NumElements() == 0; }) &&
           (std::any_of(call.dst.begin(), call.dst.end(), is_vast) ||
            std::any_of(call.src.begin(), call.src.end(), is_vast));
  }

  static bool Offers(const Offer& offer, std::string_view kernel) {
    return std::any_of(offer.choices.begin(), offer.choices.end(),
                       [&](const Choice& choice) { return choice.kernel == kernel; });
  }

  Offer Choose(const OpCall& call, const ChoosePolicy& policy) const override {
    Offer offer;
    const OpEntry* entry = FindEntry(call.op);
    if (entry == nullptr) return offer;
    for (const Kernel& kernel : entry->kernels) {
      if (kernel.bf16 && policy.precision != Precision::kBF16) continue;
      if (kernel.beside && !policy.all) continue;
      if (Offers(offer, kernel.name)) continue;
      Choice choice;
      Status status = IsVastAndEmpty(call) ? Unsupported("nothing to compute")
                                           : ChooseKernel(kernel, policy.workers, call, &choice);
      if (status.ok() && policy.compact && choice.spacious)
        status = Unsupported("its packs are large, memory is short");
      if (status.ok()) {
        offer.choices.push_back(std::move(choice));
        if (!policy.all) return offer;
        continue;
      }
      offer.refusals.push_back({kernel.name, status.message()});
    }
    if (offer.choices.empty() && policy.allow_reference) AddReference(*entry, call, &offer);
    return offer;
  }

  Status Pack(const PackSpec& spec, const HostTensor& src, std::span<std::byte> dst) const override {
    for (const PackFormat& format : PackFormats()) {
      if (format.format == spec.format) return format.pack(spec, src, dst);
    }
    return Internal("pack format '", spec.format, "' is not of the CPU");
  }

  Result<std::unique_ptr<Buffer>> Allocate(uint64_t bytes, MemoryKind) override {
    void* data = bytes > SIZE_MAX ? nullptr : AllocateAligned(static_cast<size_t>(bytes));
    if (data == nullptr) return OutOfMemory("no ", bytes, " bytes of memory");
    return std::unique_ptr<Buffer>(new CpuBuffer(data, bytes, true));
  }
  Result<std::unique_ptr<Buffer>> Import(const void* data, uint64_t bytes) override {
    return std::unique_ptr<Buffer>(new CpuBuffer(const_cast<void*>(data), bytes, false));
  }
  Status Write(Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) override {
    if (offset > buffer.bytes() || bytes.size() > buffer.bytes() - offset) return Internal("write beyond a buffer");
    std::memcpy(static_cast<std::byte*>(buffer.host()) + offset, bytes.data(), bytes.size());
    return {};
  }
  Result<std::unique_ptr<Queue>> MakeQueue(const QueueOptions& options) override { return MakeCpuQueue(options); }
  double PeakGflops(Queue& queue) const override { return MeasurePeak(simd_, queue); }

  Result<std::shared_ptr<const Program>> Link(const LinkRequest& request) override {
    const auto find = [](const void* device, const Step& step) {
      return static_cast<const CpuDevice*>(device)->FindKernel(step);
    };
    return LinkProgram(request, find, this, &simd_);
  }

 private:
  void AddRow(const KernelRow& row) {
    const std::string_view op = row.op;
    const size_t dot = op.rfind('.');
    const OpSchema* schema =
        dot == std::string_view::npos ? FindOp("", op) : FindOp(op.substr(0, dot), op.substr(dot + 1));
    OpEntry* entry = const_cast<OpEntry*>(FindEntry(schema));
    if (entry == nullptr) return;
    const std::string_view name = Intern(StrCat("cpu/", row.family, "/", simd_.target));
    entry->kernels.push_back({name, &simd_, row.choose, row.run, row.epilogue, row.bf16, row.rows, row.beside});
  }

  const OpEntry* FindEntry(const OpSchema* schema) const {
    const auto it =
        std::lower_bound(entries_.begin(), entries_.end(), schema,
                         [](const OpEntry& entry, const OpSchema* wanted) { return entry.schema < wanted; });
    return it != entries_.end() && it->schema == schema ? &*it : nullptr;
  }

  const Kernel* FindKernel(const Step& step) const {
    const OpEntry* entry = FindEntry(step.call.op);
    if (entry == nullptr) return nullptr;
    for (const Kernel& kernel : entry->kernels) {
      if (kernel.name == step.kernel) return &kernel;
    }
    return nullptr;
  }

  static Status ChooseKernel(Kernel kernel, int workers, const OpCall& call, Choice* choice) {
    kernel.workers = workers;
    LaunchHeader header{};
    Blob program;
    if (call.program == nullptr || kernel.epilogue) {
      MOKA_RETURN_IF_ERROR(kernel.choose(kernel, call, choice));
    } else {
      OpCall alone = call;
      alone.program = nullptr;
      alone.src = call.src.first(static_cast<size_t>(call.program_begin));
      MOKA_RETURN_IF_ERROR(kernel.choose(kernel, alone, choice));
      uint64_t scratch = 0;
      double cost_us = 0;
      MOKA_RETURN_IF_ERROR(ChooseProgramPass(call, &header.program_units, &scratch, &cost_us, &program));
      choice->scratch_per_worker = std::max(choice->scratch_per_worker, scratch);
      choice->cost_us += cost_us;
      choice->in_place = 0;
      choice->rows.clear();
    }
    header.cost_us = choice->cost_us;
    header.phases = choice->phases;
    choice->kernel = kernel.name;
    choice->scratch_per_worker = (choice->scratch_per_worker + 63) / 64 * 64;
    choice->launch = JoinLaunch(header, choice->launch, program);
    return {};
  }

  static void AddReference(const OpEntry& entry, const OpCall& call, Offer* offer) {
    if (entry.schema->reference == nullptr) {
      offer->refusals.push_back({entry.reference_name, "this build or operator has no reference"});
      return;
    }
    Choice choice;
    choice.kernel = entry.reference_name;
    choice.reference = true;
    const double flops = entry.schema->cost != nullptr ? entry.schema->cost(call).flops : 0;
    choice.cost_us = kReferencePenalty * (flops / kFlopsPerMicrosecond + Bytes(call) / kBytesPerMicrosecond);
    offer->choices.push_back(std::move(choice));
  }

  Simd simd_;
  DeviceInfo info_;
  Limits limits_;
  std::vector<OpEntry> entries_;  // sorted by schema
};

}  // namespace

Status RequireF32(const OpCall& call) {
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (call.src[i].present() && call.src[i].type != DataType::kF32) {
      return Unsupported("src ", i, ": ", NameOf(call.src[i].type), ", not f32");
    }
  }
  for (size_t i = 0; i < call.dst.size(); ++i) {
    if (call.dst[i].present() && call.dst[i].type != DataType::kF32) {
      return Unsupported("dst ", i, ": ", NameOf(call.dst[i].type), ", not f32");
    }
  }
  return {};
}

void ErrorSlot::Set(Status status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (status_.ok()) status_ = std::move(status);
  failed_.store(true);
}

Status ErrorSlot::Take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  failed_.store(false);
  return std::exchange(status_, Status());
}

std::vector<std::unique_ptr<Device>> Open(std::vector<std::string>* notes) {
  std::vector<std::unique_ptr<Device>> devices;
  if (const char* forced = std::getenv("MOKA_SIMD_TARGET"); forced != nullptr && *forced != '\0') {
    if (auto device = OpenForTarget(forced); device != nullptr) {
      devices.push_back(std::move(device));
      return devices;
    }
    if (notes != nullptr) notes->push_back(StrCat("cpu: MOKA_SIMD_TARGET: no target '", forced, "' here"));
  }
  const Simd simd = ChosenSimd();
  if (simd.target == nullptr && notes != nullptr)
    notes->push_back("cpu: no SIMD target of this build, references only");
  devices.push_back(std::make_unique<CpuDevice>(simd));
  return devices;
}

std::unique_ptr<Device> OpenForTarget(std::string_view target) {
  if (target.empty()) return std::make_unique<CpuDevice>(Simd{});
  const Simd simd = SimdForTarget(target);
  return simd.target == nullptr ? nullptr : std::make_unique<CpuDevice>(simd);
}

}  // namespace moka::cpu
