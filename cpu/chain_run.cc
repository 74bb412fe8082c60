#include "cpu/chain_run.h"

#include <algorithm>
#include <cstring>

#include "base/platform.h"
#include "cpu/device.h"

namespace moka::cpu {

Result<LinkedChain> LinkChain(std::span<const Step> steps, std::span<const Kernel* const> kernels) {
  LinkedChain linked;
  linked.chain = steps[0].chain;
  linked.bytes_per_worker = steps[0].scratch_per_worker;
  const auto count = static_cast<size_t>(linked.chain.steps);
  if (count > steps.size()) return Internal("a chain of ", count, " steps, ", steps.size(), " are left");
  for (size_t i = 0; i < count; ++i) {
    const Step& step = steps[i];
    LinkedChain::Member& member = linked.members.emplace_back();
    if (kernels[i] == nullptr || kernels[i]->rows == nullptr || step.dst.size() != 1) {
      return Internal("kernel '", step.kernel, "' does not run in chains");
    }
    member.run = kernels[i]->rows;
    for (const Operand& src : step.src) {
      int from = -1;
      for (size_t j = 0; src.ring && j < i; ++j) {
        if (steps[j].dst[0].offset == src.offset) from = static_cast<int>(j);
      }
      if (src.ring && from < 0) return Internal("node '", step.call.name, "' reads a ring that nobody writes");
      member.src_ring.push_back(from);
    }
    const auto element = static_cast<int64_t>(SizeOf(step.dst[0].desc.type));
    member.ring = step.dst[0].offset;
    member.image_bytes = step.dst[0].desc.strides[0] * element;
    member.row_bytes = step.dst[0].desc.strides[2] * element;
  }
  return linked;
}

ChainRunner::ChainRunner(const LinkedChain& linked, int workers, bool profile)
    : linked_(linked), profile_(profile), workers_(static_cast<size_t>(workers)) {
  for (Worker& worker : workers_) {
    worker.args.resize(linked.members.size());
    worker.dst.resize(linked.members.size());
    for (const LinkedChain::Member& member : linked.members) worker.src.emplace_back(member.src_ring.size());
    worker.us.assign(linked.members.size(), 0);
  }
}

void ChainRunner::Bind(std::span<const KernelArgs> args, std::byte* scratch) {
  scratch_ = scratch;
  for (Worker& worker : workers_) {
    for (size_t i = 0; i < args.size(); ++i) {
      std::copy_n(args[i].src, worker.src[i].size(), worker.src[i].begin());
      worker.dst[i] = args[i].dst[0];
      worker.args[i] = args[i];
      worker.args[i].src = worker.src[i].data();
      worker.args[i].dst = &worker.dst[i];
      worker.args[i].launch = linked_.members[i].launch;
      worker.args[i].scratch = scratch + linked_.chain.ring_bytes;
      worker.args[i].scratch_per_worker = linked_.bytes_per_worker;
    }
  }
}

void ChainRunner::Run(Executor& executor, bool spread) {
  const int64_t strips = linked_.chain.images * linked_.chain.strips;
  struct Parts {
    ChainRunner* runner;
    int64_t strips, parts;
    static void Task(void* context, int64_t i, int worker) {
      const auto& p = *static_cast<const Parts*>(context);
      p.runner->RunStrips(i * p.strips / p.parts, (i + 1) * p.strips / p.parts, worker);
    }
  };
  // One part a worker: each part computes the rows above its first strip again.
  Parts parts = {this, strips, std::min<int64_t>(strips, executor.workers())};
  if (!spread || parts.parts == 1) {
    RunStrips(0, strips, 0);
  } else {
    executor.Run(parts.parts, &Parts::Task, &parts);
  }
}

void ChainRunner::RunStrips(int64_t begin, int64_t end, int worker) {
  const int64_t strips = linked_.chain.strips;
  for (int64_t i = begin; i < end; ++i) RunStrip(i / strips, i % strips, i == begin || i % strips == 0, worker);
}

// Moves what the rings keep and points the operands at the rows of this strip. Kernels address row y of image n at
// n * image_bytes + y * row_bytes.
void ChainRunner::Slide(Worker& self, int64_t image, int64_t strip, const RingRows* before, std::byte* part) const {
  const Chain& chain = linked_.chain;
  for (int i = 0; i + 1 < chain.steps; ++i) {
    const LinkedChain::Member& member = linked_.members[static_cast<size_t>(i)];
    const RingRows& rows = chain.At(strip, i);
    std::byte* ring = part + member.ring;
    if (before != nullptr && before[i].begin != rows.begin && before[i].end > rows.begin) {
      std::memmove(ring, ring + (rows.begin - before[i].begin) * member.row_bytes,
                   static_cast<size_t>((before[i].end - rows.begin) * member.row_bytes));
    }
    self.dst[static_cast<size_t>(i)] = ring - rows.begin * member.row_bytes - image * member.image_bytes;
  }
  for (size_t i = 1; i < linked_.members.size(); ++i) {
    const std::vector<int>& from = linked_.members[i].src_ring;
    for (size_t k = 0; k < from.size(); ++k) {
      if (from[k] >= 0) self.src[i][k] = self.dst[static_cast<size_t>(from[k])];
    }
  }
}

void ChainRunner::RunStrip(int64_t image, int64_t strip, bool first, int worker) {
  const Chain& chain = linked_.chain;
  Worker& self = workers_[static_cast<size_t>(worker)];
  const RingRows* before = first ? nullptr : &chain.At(strip - 1, 0);
  Slide(self, image, strip, before, scratch_ + static_cast<uint64_t>(worker) * linked_.bytes_per_worker);
  double start = profile_ ? NowMicroseconds() : 0;
  for (size_t i = 0; i < linked_.members.size(); ++i) {
    const RingRows& rows = chain.At(strip, static_cast<int>(i));
    const int64_t begin = first ? rows.begin : std::max(rows.begin, before[i].end);
    if (begin < rows.end) linked_.members[i].run(self.args[i], image, begin, rows.end, worker);
    if (!profile_) continue;
    const double now = NowMicroseconds();
    self.us[i] += now - start;
    start = now;
  }
}

void ChainRunner::DivideTime(double total_us, std::span<double> member_us) {
  std::fill(member_us.begin(), member_us.end(), 0.0);
  double sum = 0;
  for (Worker& worker : workers_) {
    for (size_t i = 0; i < member_us.size(); ++i) {
      member_us[i] += worker.us[i];
      sum += worker.us[i];
      worker.us[i] = 0;
    }
  }
  for (double& us : member_us) us *= sum > 0 ? total_us / sum : 0;
}

}  // namespace moka::cpu
