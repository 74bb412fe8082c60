#include "base/platform.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

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

}  // namespace
}  // namespace moka
