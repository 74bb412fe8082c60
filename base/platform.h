// All that moka asks of the operating system. The only file (with platform.cc) that knows POSIX.
#ifndef MOKA_BASE_PLATFORM_H_
#define MOKA_BASE_PLATFORM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/math.h"
#include "moka/status.h"

namespace moka {

// A whole file, read-only: mapped where the system can, else read into memory (64-byte aligned). The file must not
// change while it is open.
class MappedFile {
 public:
  // kNotFound where there is none or it is no regular file.
  static Result<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  MappedFile() = default;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  [[maybe_unused]] bool mapped_ = false;
};

// Takes the whole pages of [data, data + bytes) out of the process's memory where a MappedFile is there: they come back
// from the file when they are read again. Does nothing elsewhere.
void ReleaseMappedPages(const void* data, size_t bytes);
// Whether a MappedFile is there.
bool IsMapped(const void* data, size_t bytes);

// The absolute path with symbolic links resolved. kNotFound where nothing is there.
Result<std::string> CanonicalPath(const std::string& path);
Result<std::string> ReadFile(const std::string& path);
// Readers of `path` see the old or the new contents, never a part. Makes missing folders.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);
Status WriteFileAtomically(const std::string& path, std::span<const std::string_view> parts);
// $MOKA_CACHE_DIR, else $XDG_CACHE_HOME/moka, else ~/.cache/moka; "" where there is none. It may not exist yet.
std::string CacheDirectory();

// A library opened at run time, closed by the destructor. Movable.
class SharedLibrary {
 public:
  // The first of `names` that opens. kNotFound carries the loader's words about the last one.
  static Result<SharedLibrary> Open(const char* const* names, int count);
  SharedLibrary() = default;
  ~SharedLibrary();
  SharedLibrary(SharedLibrary&& other) noexcept;
  SharedLibrary& operator=(SharedLibrary&& other) noexcept;

  void* Symbol(const char* name) const;  // null where it has none

 private:
  void* handle_ = nullptr;
};

#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
inline constexpr bool kHasThreads = false;
#else
inline constexpr bool kHasThreads = true;
#endif
int HardwareThreads();      // that this process may use, at least 1
uint64_t CoreCacheBytes();  // the largest cache that a core has for itself (L2); a usual size where nobody says
int CurrentCpu();           // where the calling thread runs now; -1 when unknown
// Moves the calling thread away from that processor now, to any other that it may run on; the scheduler is free again
// afterwards. Does nothing where there is no other one.
void LeaveCpu(int cpu);
std::string CpuName();      // "AMD EPYC 9R14"; the architecture where the system does not tell
uint64_t PhysicalMemory();  // bytes; 0 when unknown
double NowMicroseconds();   // monotonic

// 64-byte aligned, uninitialised; large blocks are aligned for huge pages and touched. Null when memory is short.
void* AllocateAligned(size_t bytes);
void FreeAligned(void* p, size_t bytes);

// Addresses for many pieces of memory. Pages are touched as pieces are taken, front to back, so what is not taken costs
// nothing; huge pages where the system has them. Thread-safe.
class MemoryRange {
 public:
  // Null where memory is short.
  static std::shared_ptr<MemoryRange> Reserve(size_t bytes);
  ~MemoryRange();
  MemoryRange(const MemoryRange&) = delete;
  MemoryRange& operator=(const MemoryRange&) = delete;

  // A piece, 64-byte aligned; null where fewer bytes are left. It keeps the range; when it is let go, its whole pages
  // return to the system.
  static constexpr uint64_t RoomFor(uint64_t bytes) { return RoundUp(bytes, 64); }
  static std::shared_ptr<std::byte> Take(const std::shared_ptr<MemoryRange>& range, size_t bytes);

 private:
  MemoryRange(std::byte* data, size_t bytes) : data_(data), bytes_(bytes) {}

  std::byte* data_;
  size_t bytes_;
  std::mutex mutex_;  // of what follows
  size_t taken_ = 0, touched_ = 0;
};

// Tells the core that this thread spins.
inline void CpuPause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Sleeps while *word == expected, until a wake; may return early. Builds without threads never sleep.
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected);
void FutexWake(std::atomic<uint32_t>* word, int count);

}  // namespace moka

#endif  // MOKA_BASE_PLATFORM_H_
