#include "base/platform.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/status.h"

#if defined(__EMSCRIPTEN__)
#define MOKA_HAS_MMAP 0
#define MOKA_HAS_DLOPEN 0
#else
#define MOKA_HAS_MMAP 1
#define MOKA_HAS_DLOPEN 1
#endif
#if MOKA_HAS_MMAP
#include <sys/mman.h>
#endif
#if MOKA_HAS_DLOPEN
#include <dlfcn.h>
#endif
#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#endif

namespace moka {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kTouchStep = size_t{256} << 10;        // of ordinary pages
constexpr size_t kMaxTouched = size_t{1} << 30;         // of one block; the rest waits for its first use
constexpr uint64_t kMaxAllocation = uint64_t{1} << 39;  // sanitizers abort above 2^40 instead of failing

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status FileError(const std::string& path, const char* what) {
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR) return NotFound("file '", path, "': ", std::strerror(error));
  return InvalidArgument("file '", path, "': cannot ", what, ": ", std::strerror(error));
}

// Without waiting for a writer where the path is a pipe: SizeOfRegularFile refuses it then.
int OpenForReading(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

Result<int64_t> SizeOfRegularFile(const FileDescriptor& file, const std::string& path) {
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return FileError(path, "read its size");
  if (!S_ISREG(info.st_mode)) return NotFound("file '", path, "': not a regular file");
  return static_cast<int64_t>(info.st_size);
}

Status ReadFully(const FileDescriptor& file, const std::string& path, void* dst, size_t bytes) {
  auto* out = static_cast<char*>(dst);
  while (bytes > 0) {
    const ssize_t got = ::read(file.get(), out, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, "read");
    if (got == 0) return InvalidArgument("file '", path, "': it became shorter while it was read");
    out += got;
    bytes -= static_cast<size_t>(got);
  }
  return {};
}

Status MakeFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return FileError(folder, "make the folder");
  }
  return {};
}

#if !MOKA_HAS_MMAP
void DropPages(std::byte*, size_t) {}
#else
size_t PageSize() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

// The whole pages of [p, p + bytes) leave the process.
void DropPages(std::byte* p, size_t bytes) {
  const size_t page = PageSize();
  const size_t before = RoundUp(reinterpret_cast<uintptr_t>(p), page) - reinterpret_cast<uintptr_t>(p);
  if (bytes >= before + page) ::madvise(p + before, (bytes - before) / page * page, MADV_DONTNEED);
}

// What MappedFiles have mapped: bytes by address.
class Mappings {
 public:
  static Mappings& Get() {
    static Mappings& mappings = *new Mappings;
    return mappings;
  }
  void Add(const std::byte* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    ranges_[data] = bytes;
  }
  void Remove(const std::byte* data) {
    const std::lock_guard lock(mutex_);
    ranges_.erase(data);
  }
  void Release(const std::byte* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (IsInside(data, bytes)) DropPages(const_cast<std::byte*>(data), bytes);
  }
  bool Contain(const std::byte* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    return IsInside(data, bytes);
  }

 private:
  bool IsInside(const std::byte* data, size_t bytes) const {
    auto it = ranges_.upper_bound(data);
    if (it == ranges_.begin()) return false;
    --it;
    return data + bytes <= it->first + it->second;
  }

  std::mutex mutex_;
  std::map<const std::byte*, size_t> ranges_;
};
#endif

#if defined(MADV_HUGEPAGE) && defined(MADV_POPULATE_WRITE)
// Writes to one huge page after the other, at most `pages`, as long as they come quickly. Returns how many came.
size_t TouchHugePages(std::byte* p, size_t pages) {
  constexpr double kPatience = 3000, kPatiencePerPage = 1000, kRemembered = 1e6;  // microseconds
  static std::atomic<double> quick_from = 0;
  const double start = NowMicroseconds();
  if (pages == 0 || start < quick_from.load()) return 0;
  ::madvise(p, pages * kHugePage, MADV_HUGEPAGE);
  for (size_t page = 0; page < pages; ++page) {
    *const_cast<volatile std::byte*>(p + page * kHugePage) = std::byte{0};
    const double now = NowMicroseconds();
    if (now - start > kPatience + kPatiencePerPage * static_cast<double>(page)) {
      quick_from.store(now + kRemembered);
      return page + 1;
    }
  }
  return pages;
}

// Brings [p, p + bytes), which begins at a page, into the process: in huge pages as long as they come quickly. In a
// virtual machine whose host takes free memory back, memory that is free in whole huge pages is what the host has
// taken: one then costs 4 ms, where zeroing it takes 0.1, while ordinary pages come from the gaps between used ones. So
// the rest becomes ordinary pages, which the system may join to huge ones later, beside the program.
void TouchPages(std::byte* p, size_t bytes) {
  const size_t before = RoundUp(reinterpret_cast<uintptr_t>(p), kHugePage) - reinterpret_cast<uintptr_t>(p);
  const size_t pages = bytes > before ? (bytes - before) / kHugePage : 0;
  const size_t came = TouchHugePages(p + before, pages);
  if (before > 0) ::madvise(p, std::min(before, bytes), MADV_POPULATE_WRITE);
  if (bytes <= before) return;
  p += before + came * kHugePage;
  bytes -= before + came * kHugePage;
  if (came < pages) ::madvise(p, bytes, MADV_NOHUGEPAGE);
  const bool populated = bytes == 0 || ::madvise(p, bytes, MADV_POPULATE_WRITE) == 0;
  if (came < pages && populated) ::madvise(p, bytes, MADV_HUGEPAGE);
}
#else
void TouchPages(std::byte*, size_t) {}
#endif

}  // namespace

void ReleaseMappedPages([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if MOKA_HAS_MMAP
  Mappings::Get().Release(static_cast<const std::byte*>(data), bytes);
#endif
}

bool IsMapped([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if MOKA_HAS_MMAP
  return Mappings::Get().Contain(static_cast<const std::byte*>(data), bytes);
#else
  return false;
#endif
}

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const FileDescriptor file(OpenForReading(path));
  if (file.get() < 0) return FileError(path, "open");
  MOKA_ASSIGN_OR_RETURN(const int64_t size, SizeOfRegularFile(file, path));
  std::shared_ptr<MappedFile> result(new MappedFile);
  if (size == 0) return std::shared_ptr<const MappedFile>(result);
  const auto bytes = static_cast<size_t>(size);
#if MOKA_HAS_MMAP
  void* mapping = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapping != MAP_FAILED) {
    result->data_ = static_cast<std::byte*>(mapping);
    result->size_ = bytes;
    result->mapped_ = true;
    Mappings::Get().Add(result->data_, bytes);
    return std::shared_ptr<const MappedFile>(result);
  }
#endif
  void* memory = AllocateAligned(bytes);
  if (memory == nullptr) return OutOfMemory("file '", path, "': no memory for its ", bytes, " bytes");
  result->data_ = static_cast<std::byte*>(memory);
  result->size_ = bytes;
  MOKA_RETURN_IF_ERROR(ReadFully(file, path, memory, bytes));
  return std::shared_ptr<const MappedFile>(result);
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
#if MOKA_HAS_MMAP
  if (mapped_) {
    Mappings::Get().Remove(data_);
    ::munmap(data_, size_);
    return;
  }
#endif
  FreeAligned(data_, size_);
}

Result<std::string> CanonicalPath(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return FileError(path, "resolve");
  std::string result = resolved;
  std::free(resolved);
  return result;
}

Result<std::string> ReadFile(const std::string& path) {
  const FileDescriptor file(OpenForReading(path));
  if (file.get() < 0) return FileError(path, "open");
  MOKA_ASSIGN_OR_RETURN(const int64_t size, SizeOfRegularFile(file, path));
  std::string bytes(static_cast<size_t>(size), '\0');
  MOKA_RETURN_IF_ERROR(ReadFully(file, path, bytes.data(), bytes.size()));
  return bytes;
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  return WriteFileAtomically(path, std::span(&bytes, 1));
}

Status WriteFileAtomically(const std::string& path, std::span<const std::string_view> parts) {
  MOKA_RETURN_IF_ERROR(MakeFolders(path));
  std::string temporary = path + ".XXXXXX";
  bool written = true;
  {
    const FileDescriptor file(::mkstemp(temporary.data()));
    if (file.get() < 0) return FileError(path, "write beside");
    ::fchmod(file.get(), 0644);
    for (std::string_view bytes : parts) {
      while (!bytes.empty() && written) {
        const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) written = false;
        if (put > 0) bytes.remove_prefix(static_cast<size_t>(put));
      }
    }
  }
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const Status status = FileError(path, "write");
  ::unlink(temporary.c_str());
  return status;
}

std::string CacheDirectory() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (std::string own = variable("MOKA_CACHE_DIR"); !own.empty()) return own;
  if (std::string caches = variable("XDG_CACHE_HOME"); !caches.empty()) return caches + "/moka";
  if (std::string home = variable("HOME"); !home.empty()) return home + "/.cache/moka";
  return "";
}

Result<SharedLibrary> SharedLibrary::Open([[maybe_unused]] const char* const* names, [[maybe_unused]] int count) {
#if MOKA_HAS_DLOPEN
  std::string reason = "no name was given";
  for (int i = 0; i < count; ++i) {
    SharedLibrary library;
    library.handle_ = ::dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library.handle_ != nullptr) return library;
    const char* error = ::dlerror();
    reason = error != nullptr ? error : names[i];
  }
  return NotFound(reason);
#else
  return NotFound("this build opens no libraries at run time");
#endif
}

SharedLibrary::~SharedLibrary() {
#if MOKA_HAS_DLOPEN
  if (handle_ != nullptr) ::dlclose(handle_);
#endif
}

SharedLibrary::SharedLibrary(SharedLibrary&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

SharedLibrary& SharedLibrary::operator=(SharedLibrary&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

void* SharedLibrary::Symbol([[maybe_unused]] const char* name) const {
#if MOKA_HAS_DLOPEN
  return handle_ == nullptr ? nullptr : ::dlsym(handle_, name);
#else
  return nullptr;
#endif
}

int HardwareThreads() {
  if (!kHasThreads) return 1;
#if defined(__linux__)
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

uint64_t CoreCacheBytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = ::sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return static_cast<uint64_t>(bytes);
#endif
  return 512 << 10;
}

int CurrentCpu() {
#if defined(__linux__)
  return ::sched_getcpu();
#else
  return -1;
#endif
}

void LeaveCpu(int cpu) {
#if defined(__linux__)
  cpu_set_t allowed;
  if (cpu < 0 || cpu >= CPU_SETSIZE || ::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || ::sched_setaffinity(0, sizeof(others), &others) != 0) return;
  ::sched_setaffinity(0, sizeof(allowed), &allowed);
#else
  (void)cpu;
#endif
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
#if defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__EMSCRIPTEN__)
  return "WebAssembly";
#else
  return "CPU";
#endif
}

uint64_t PhysicalMemory() {
#if defined(_SC_PHYS_PAGES)
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page);
#endif
  return 0;
}

double NowMicroseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

void* AllocateAligned(size_t bytes) {
  if (uint64_t{bytes} > kMaxAllocation) return nullptr;
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  void* p = nullptr;
  if (::posix_memalign(&p, alignment, bytes == 0 ? 1 : bytes) != 0) return nullptr;
  if (alignment == kHugePage) TouchPages(static_cast<std::byte*>(p), std::min(bytes, kMaxTouched));
  return p;
}

void FreeAligned(void* p, size_t) { std::free(p); }

std::shared_ptr<MemoryRange> MemoryRange::Reserve(size_t bytes) {
  if (bytes == 0 || uint64_t{bytes} > kMaxAllocation) return nullptr;
#if MOKA_HAS_MMAP
  bytes = RoundUp(bytes, PageSize());
  void* mapping = ::mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  auto* data = static_cast<std::byte*>(mapping);
  const size_t before = RoundUp(reinterpret_cast<uintptr_t>(data), kHugePage) - reinterpret_cast<uintptr_t>(data);
  if (before > 0) ::munmap(data, before);
  if (before < kHugePage) ::munmap(data + before + bytes, kHugePage - before);
  return std::shared_ptr<MemoryRange>(new MemoryRange(data + before, bytes));
#else
  void* data = AllocateAligned(bytes);
  if (data == nullptr) return nullptr;
  return std::shared_ptr<MemoryRange>(new MemoryRange(static_cast<std::byte*>(data), bytes));
#endif
}

MemoryRange::~MemoryRange() {
#if MOKA_HAS_MMAP
  ::munmap(data_, bytes_);
#else
  FreeAligned(data_, bytes_);
#endif
}

std::shared_ptr<std::byte> MemoryRange::Take(const std::shared_ptr<MemoryRange>& range, size_t bytes) {
  size_t at = 0, touch = 0, touch_end = 0;
  {
    const std::lock_guard lock(range->mutex_);
    at = range->taken_;
    if (bytes > range->bytes_ - at) return nullptr;
    range->taken_ = std::min(static_cast<size_t>(RoomFor(at + bytes)), range->bytes_);
    touch = range->touched_;
    // Whole huge pages where the range has them.
    const bool huge = range->taken_ <= range->bytes_ / kHugePage * kHugePage;
    touch_end = std::min(RoundUp(range->taken_, huge ? kHugePage : kTouchStep), range->bytes_);
    range->touched_ = std::max(touch, touch_end);
  }
  if (touch < touch_end) TouchPages(range->data_ + touch, touch_end - touch);
  return {range->data_ + at, [range, bytes](std::byte* p) { DropPages(p, bytes); }};
}

#if defined(__linux__)
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);

void FutexWait(std::atomic<uint32_t>* word, uint32_t expected) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word, int count) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}
#else
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected) {
  if (kHasThreads) word->wait(expected, std::memory_order_acquire);
}
void FutexWake(std::atomic<uint32_t>* word, int) {
  if (kHasThreads) word->notify_all();
}
#endif

}  // namespace moka
