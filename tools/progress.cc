#include "tools/progress.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace moka::tools {
namespace {

constexpr int kBar = 24;

// Standard C++ cannot ask for a terminal; a process whose standard error is none has no /dev/tty entry for it.
bool ErrorIsTerminal() {
  if (std::getenv("CI") != nullptr) return false;
  std::error_code error;
  const std::filesystem::path target = std::filesystem::read_symlink("/proc/self/fd/2", error);
  return !error && (target.string().rfind("/dev/pts/", 0) == 0 || target.string().rfind("/dev/tty", 0) == 0);
}

}  // namespace

Progress::Progress(std::string title, size_t total)
    : title_(std::move(title)), total_(total), shown_(ErrorIsTerminal()) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::Step(const std::string& what) {
  done_++;
  if (!shown_) return;
  const size_t filled = total_ > 0 ? kBar * done_ / total_ : kBar;
  fmt::print(stderr, "\r\033[K{} [{:<{}}] {}/{} {}", title_, std::string(filled, '='), kBar, done_, total_,
             what.substr(0, 40));
  std::fflush(stderr);
}

}  // namespace moka::tools
