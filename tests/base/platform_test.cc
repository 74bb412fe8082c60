#include "base/platform.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

namespace moka {
namespace {

namespace fs = std::filesystem;

class PlatformFiles : public testing::Test {
 protected:
  PlatformFiles()
      : folder_(fs::temp_directory_path() /
                ("moka_platform_test_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
                 std::to_string(reinterpret_cast<uintptr_t>(this)))) {
    fs::create_directories(folder_);
  }
  ~PlatformFiles() override { fs::remove_all(folder_); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  void Write(const char* name, const std::string& text) { std::ofstream(Path(name), std::ios::binary) << text; }

  fs::path folder_;
};

TEST_F(PlatformFiles, MapsTheBytesOfAFile) {
  Write("a", std::string("one\0two", 7));
  auto file = MappedFile::Open(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>((*file)->data()), (*file)->size()), std::string("one\0two", 7));
}

TEST_F(PlatformFiles, MapsAnEmptyFile) {
  Write("empty", "");
  auto file = MappedFile::Open(Path("empty"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->size(), 0u);
}

TEST_F(PlatformFiles, NamesTheFileThatIsMissing) {
  for (const Status& status : {MappedFile::Open(Path("none")).status(), ReadFile(Path("none")).status(),
                               CanonicalPath(Path("none")).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_NE(status.message().find(Path("none")), std::string::npos) << status.message();
  }
}

TEST_F(PlatformFiles, RefusesAFolder) {
  EXPECT_EQ(MappedFile::Open(folder_.string()).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_.string()).status().code(), StatusCode::kNotFound);
}

TEST_F(PlatformFiles, RefusesAPipeWithoutWaitingForAWriter) {
  const std::string pipe = Path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::Open(pipe).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(pipe).status().code(), StatusCode::kNotFound);
}

#if defined(__linux__)
// KiB of the mapping around `address` that are in memory (proc_pid_smaps(5)).
int64_t ResidentKilobytes(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto at = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    int64_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) inside = begin <= at && at < end;
    if (inside && std::sscanf(line.c_str(), "Rss: %" SCNd64, &kilobytes) == 1) return kilobytes;
  }
  return -1;
}

TEST_F(PlatformFiles, ReleasesPagesOfMappedFilesOnly) {
  constexpr size_t kBytes = 1 << 20;
  Write("large", std::string(kBytes, 'x'));
  auto file = MappedFile::Open(Path("large"));
  ASSERT_TRUE(file.ok());
  const std::byte* data = (*file)->data();
  const auto all_x = [&] { return std::count(data, data + kBytes, std::byte{'x'}) == int64_t{kBytes}; };
  EXPECT_TRUE(all_x());
  EXPECT_GE(ResidentKilobytes(data), 1024);
  ReleaseMappedPages(data + 1, kBytes - 2);  // but for the first and the last page
  EXPECT_LE(ResidentKilobytes(data), 2 * 64);
  EXPECT_TRUE(all_x());
  ReleaseMappedPages(data + 5, 10);
  ReleaseMappedPages(data, kBytes + 1);  // no part of it lies in the file
  EXPECT_GE(ResidentKilobytes(data), 1024);

  std::string own(kBytes, 'y');
  ReleaseMappedPages(own.data(), own.size());
  EXPECT_EQ(own, std::string(kBytes, 'y'));
}
#endif

TEST_F(PlatformFiles, ResolvesSymbolicLinks) {
  Write("real", "x");
  fs::create_symlink(Path("real"), Path("link"));
  auto link = CanonicalPath(Path("link")), real = CanonicalPath(Path("real"));
  ASSERT_TRUE(link.ok() && real.ok());
  EXPECT_EQ(*link, *real);
}

TEST_F(PlatformFiles, ReplacesAFileAndMakesItsFolders) {
  const std::string path = Path("x/y/z.bin");
  ASSERT_TRUE(WriteFileAtomically(path, "first").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "second").ok());
  auto text = ReadFile(path);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "x/y"), fs::directory_iterator()), 1)
      << "a temporary is left";
}

TEST_F(PlatformFiles, ReportsWhatCannotBeWritten) {
  Write("file", "");
  const Status status = WriteFileAtomically(Path("file/below"), "x");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("file"), std::string::npos);
}

TEST(Platform, AlignsMemory) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, size_t{5} << 20}) {
    void* p = AllocateAligned(bytes);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    FreeAligned(p, bytes);
  }
  EXPECT_EQ(AllocateAligned(SIZE_MAX / 2), nullptr);
}

#if defined(__linux__) && !defined(__EMSCRIPTEN__)
TEST(MemoryRange, HandsOutPiecesUntilItIsUsedUp) {
  constexpr size_t kBytes = 5 << 20, kSizes[] = {1, 64, 100, 3 << 20, 0, 1 << 20};
  std::shared_ptr<MemoryRange> range = MemoryRange::Reserve(kBytes);
  ASSERT_NE(range, nullptr);
  std::vector<std::shared_ptr<std::byte>> pieces;
  std::byte* free = nullptr;
  for (size_t bytes : kSizes) {
    auto piece = MemoryRange::Take(range, bytes);
    ASSERT_NE(piece, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.get()) % 64, 0u);
    EXPECT_TRUE(free == nullptr || piece.get() == free) << "no gaps";
    free = piece.get() + MemoryRange::RoomFor(bytes);
    std::memset(piece.get(), static_cast<int>(pieces.size()) + 1, bytes);
    pieces.push_back(std::move(piece));
  }
  EXPECT_EQ(MemoryRange::Take(range, 2 << 20), nullptr);
  const auto rest = MemoryRange::Take(range, kBytes - static_cast<size_t>(free - pieces[0].get()));
  ASSERT_NE(rest, nullptr) << "what failed took nothing";
  EXPECT_EQ(MemoryRange::Take(range, 1), nullptr);
  range.reset();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::byte* p = pieces[i].get();
    EXPECT_EQ(std::count(p, p + kSizes[i], static_cast<std::byte>(i + 1)), static_cast<int64_t>(kSizes[i]));
  }
  EXPECT_EQ(MemoryRange::Reserve(0), nullptr);
  EXPECT_EQ(MemoryRange::Reserve(SIZE_MAX / 2), nullptr);
}

TEST(MemoryRange, OccupiesWhatIsTaken) {
  const auto range = MemoryRange::Reserve(1900 << 10);  // less than a huge page
  ASSERT_NE(range, nullptr);
  auto first = MemoryRange::Take(range, 300 << 10), second = MemoryRange::Take(range, 700 << 10);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  const std::byte* data = first.get();
  std::memset(first.get(), 1, 300 << 10);
  std::memset(second.get(), 2, 700 << 10);
  EXPECT_GE(ResidentKilobytes(data), 1000);
  EXPECT_LE(ResidentKilobytes(data), 1300);
  second.reset();
  EXPECT_GE(ResidentKilobytes(data), 300);
  EXPECT_LE(ResidentKilobytes(data), 300 + 300 + 128) << "its pages went";
  EXPECT_EQ(std::count(data, data + (300 << 10), std::byte{1}), 300 << 10);
}

TEST(MemoryRange, ServesManyThreads) {
  constexpr int kThreads = 4, kPieces = 100;
  constexpr size_t kPiece = 50000;
  const auto range = MemoryRange::Reserve(kThreads * kPieces * MemoryRange::RoomFor(kPiece));
  ASSERT_NE(range, nullptr);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::shared_ptr<std::byte>> pieces;
      for (int i = 0; i < kPieces; ++i) {
        pieces.push_back(MemoryRange::Take(range, kPiece));
        ASSERT_NE(pieces.back(), nullptr);
        std::memset(pieces.back().get(), t + 1, kPiece);
      }
      for (const auto& piece : pieces) {
        EXPECT_EQ(std::count(piece.get(), piece.get() + kPiece, static_cast<std::byte>(t + 1)), int64_t{kPiece});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
#endif

TEST(Platform, FindsTheCacheFolder) {
  ::setenv("MOKA_CACHE_DIR", "/own", 1);
  ::setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(CacheDirectory(), "/own");
  ::unsetenv("MOKA_CACHE_DIR");
  EXPECT_EQ(CacheDirectory(), "/caches/moka");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/elsewhere/me", 1);
  EXPECT_EQ(CacheDirectory(), "/elsewhere/me/.cache/moka");
}

TEST(Platform, ReportsALibraryThatIsMissing) {
  const char* names[] = {"libmoka_no_such_library.so"};
  const auto library = SharedLibrary::Open(names, 1);
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.status().code(), StatusCode::kNotFound);
  EXPECT_NE(library.status().message().find(names[0]), std::string::npos);
}

TEST(Platform, TimeGoesForward) {
  const double start = NowMicroseconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const double elapsed = NowMicroseconds() - start;
  EXPECT_GE(elapsed, 2000);
  EXPECT_LT(elapsed, 60e6);
}

TEST(Platform, LeavesACpuForAnotherOne) {
  const int cpu = CurrentCpu();
  if (cpu < 0 || HardwareThreads() < 2) GTEST_SKIP() << "nowhere to go";
  const int threads = HardwareThreads();
  // The scheduler may bring the thread back between two calls, but not every time.
  bool left = false;
  for (int i = 0; i < 100 && !left; ++i) {
    const int before = CurrentCpu();
    LeaveCpu(before);
    left = CurrentCpu() != before;
  }
  EXPECT_TRUE(left);
  EXPECT_EQ(HardwareThreads(), threads);
  LeaveCpu(-1);
  LeaveCpu(1 << 20);
  EXPECT_EQ(HardwareThreads(), threads);
}

}  // namespace
}  // namespace moka
