// A progress line on standard error, only where that is a terminal and CI is not set.
#ifndef MOKA_TOOLS_PROGRESS_H_
#define MOKA_TOOLS_PROGRESS_H_

#include <cstddef>
#include <string>

namespace moka::tools {

class Progress {
 public:
  Progress(std::string title, size_t total);
  ~Progress();  // clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Step(const std::string& what);

 private:
  std::string title_;
  size_t total_, done_ = 0;
  bool shown_;
};

}  // namespace moka::tools

#endif  // MOKA_TOOLS_PROGRESS_H_
