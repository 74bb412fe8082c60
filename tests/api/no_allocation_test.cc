// In steady state Run allocates nothing: this program counts every call of malloc (operator new ends there), its
// relatives, and mmap, on all threads.
#include <gtest/gtest.h>

#include <functional>

#include "tests/api/small_models.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MOKA_COUNTS_ALLOCATIONS 1

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {
std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};
void Count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  Count();
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  Count();
  return __libc_calloc(count, bytes);
}
void* realloc(void* p, size_t bytes) {
  Count();
  return __libc_realloc(p, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  Count();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  Count();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** p, size_t alignment, size_t bytes) {
  Count();
  *p = __libc_memalign(alignment, bytes);
  return *p == nullptr ? ENOMEM : 0;
}
void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  Count();
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}
#endif

namespace moka {
namespace {

#ifdef MOKA_COUNTS_ALLOCATIONS

int64_t CountIn(const std::function<void()>& f) {
  allocations = 0;
  counting = true;
  f();
  counting = false;
  return allocations;
}

TEST(NoAllocation, TheCounterCounts) {
  EXPECT_GT(CountIn([] { delete new std::string(1000, 'x'); }), 0);
  EXPECT_GT(CountIn([] { munmap(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096); }), 0);
  EXPECT_EQ(CountIn([] {}), 0);
}

TEST(NoAllocation, SteadyStateRunsAllocateNothing) {
  const std::string bytes = test::ConvNetBytes();
  const Model model = *Model::FromMemory(bytes);
  for (int threads : {1, 3}) {
    SessionOptions options;
    options.threads = threads;
    options.outputs = {"logits", "stem"};
    auto session = Session::Create(model, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const Tensor images[] = {test::RandomTensor({1, 3, 64, 64}), test::RandomTensor({2, 3, 32, 40})};
    Tensor logits[2], stems[2];
    std::vector<ConstTensorView> inputs;
    std::vector<std::vector<TensorView>> outputs;
    for (int k = 0; k < 2; ++k) {
      const auto shapes = session->Bind({images[k].shape()});
      ASSERT_TRUE(shapes.ok()) << shapes.status().message();
      logits[k] = *Tensor::Create(DataType::kF32, (*shapes)[0]);
      stems[k] = *Tensor::Create(DataType::kF32, (*shapes)[1]);
      inputs.push_back(images[k].view());
      outputs.push_back({logits[k].view(), stems[k].view()});
    }
    const auto run = [&](size_t k) { return session->RunInto(&inputs[k], 1, outputs[k].data(), 2).ok(); };
    for (size_t k : {0, 1, 0, 1}) ASSERT_TRUE(run(k));
    bool ok = true;
    const int64_t count = CountIn([&] {
      for (int i = 0; i < 40; ++i) ok &= run(static_cast<size_t>(i / 5 % 2));
    });
    EXPECT_TRUE(ok);
    EXPECT_EQ(count, 0) << "with " << threads << " threads";
  }
}

#else

TEST(NoAllocation, SteadyStateRunsAllocateNothing) { GTEST_SKIP() << "sanitizers own malloc here"; }

#endif

}  // namespace
}  // namespace moka
