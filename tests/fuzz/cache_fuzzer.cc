// libFuzzer target: the bytes damage a folder of packed weights and measured choices. A session that starts from it
// computes what one without a folder does, and makes anew what was damaged.
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/platform.h"
#include "graph/pack_cache.h"
#include "tests/api/small_models.h"
#include "tests/fuzz/choices.h"

namespace moka::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeader = 4096, kKeyBytes = 12, kKey = 40;  // of a file, and in its header
constexpr size_t kChoice = 64;                               // bytes of what a file says of a choice

[[noreturn]] void Fail(const char* what, const std::string& more) {
  std::fprintf(stderr, "%s %s\n", what, more.c_str());
  std::abort();
}

template <class T>
T Need(Result<T> result, const char* what) {
  if (!result.ok()) Fail(what, result.status().message());
  return std::move(result).value();
}

bool IsChoice(const std::string& file) { return file.size() == kHeader + kChoice; }

// A folder as a session leaves it, whose results are known.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("moka_cache_fuzzer_" + std::to_string(::getpid()))) {
    want_ = Logits(false, false);
    CheckLogits(true);
    for (const auto& entry : fs::directory_iterator(path_)) {
      files_[entry.path().string()] = Need(ReadFile(entry.path().string()), "cannot read");
    }
    if (files_.size() < 4) Fail("few files are kept:", std::to_string(files_.size()));
  }
  ~Folder() {
    std::error_code gone;
    fs::remove_all(path_, gone);
  }

  void Restore() {
    fs::remove_all(path_);
    fs::create_directories(path_);
    for (const auto& [path, bytes] : files_) Write(path, bytes);
    all_choices_ = true;
    blocked_.clear();
  }

  void Damage(Choices& choices) {
    const auto& [path, whole] = *std::next(files_.begin(), static_cast<ptrdiff_t>(choices.IndexOf(files_.size())));
    std::string bytes = whole;
    const int64_t kind = choices.Below(8);
    if (kind < 3) {
      bytes[static_cast<size_t>(choices.Word()) % bytes.size()] ^= static_cast<char>(1 + choices.Below(255));
    } else if (kind == 3) {
      bytes.resize(static_cast<size_t>(choices.Word()) % bytes.size());
    } else if (kind == 4) {
      bytes += static_cast<char>(choices.Byte());
    } else if (kind == 5) {
      bytes = std::next(files_.begin(), static_cast<ptrdiff_t>(choices.IndexOf(files_.size())))->second;
    } else if (kind == 6 && IsChoice(whole)) {
      return KeepName(path, whole, choices);
    }
    all_choices_ = all_choices_ && (!IsChoice(whole) || bytes == whole);
    fs::remove_all(path);
    if (kind == 7) {
      blocked_ = path;
      fs::create_directories(path + "/in the way");
    } else {
      Write(path, bytes);
    }
  }

  // Twice: the second session finds what the first one made anew.
  void Check(bool measure) {
    CheckLogits(measure);
    CheckLogits(measure);
    for (const auto& [path, bytes] : files_) {
      if (!measure || !all_choices_ || path == blocked_) continue;
      if (Need(ReadFile(path), "nothing was made anew:") != bytes) Fail("still damaged:", path);
    }
  }

 private:
  // Sound files with the names of kernels that there are not.
  void KeepName(const std::string& path, const std::string& whole, Choices& choices) {
    uint32_t key_bytes = 0;
    std::memcpy(&key_bytes, whole.data() + kKeyBytes, sizeof(key_bytes));
    std::string record = whole.substr(kHeader);
    for (int64_t i = choices.Below(8); i >= 0; --i)
      record[choices.IndexOf(kChoice)] = static_cast<char>(choices.Byte());
    fs::remove_all(path);
    const auto* data = reinterpret_cast<const std::byte*>(record.data());
    PackCache(path_.string()).Keep(whole.substr(kKey, key_bytes), {data, record.size()});
    all_choices_ = false;
  }

  static void Write(const std::string& path, const std::string& bytes) {
    if (!WriteFileAtomically(path, bytes).ok()) Fail("cannot write", path);
  }

  Tensor Logits(bool cached, bool measure) const {
    SessionOptions options;
    options.threads = 1;
    options.measure = measure;
    if (cached) options.pack_cache = path_.string();
    // A new one, since a model remembers what its sessions packed and chose.
    const Model model = Need(Model::FromMemory(model_), "no model:");
    Session session = Need(Session::Create(model, options), "no session:");
    const Tensor image = test::RandomTensor({1, 3, 20, 20});
    const std::vector<ConstTensorView> inputs = {image.view()};
    return Need(session.Run(inputs), "no results:")[0];
  }

  void CheckLogits(bool measure) const {
    const Tensor got = Logits(true, measure);
    for (int64_t i = 0; i < want_.size(); ++i) {
      if (!(std::fabs(got.as<float>()[i] - want_.as<float>()[i]) < 1e-4f))
        Fail("other results:", std::to_string(got.as<float>()[i]) + ", not " + std::to_string(want_.as<float>()[i]));
    }
  }

  const std::string model_ = test::ConvNetBytes(96);  // some of whose packs are large enough to be kept
  const fs::path path_;
  std::map<std::string, std::string> files_;
  Tensor want_;
  std::string blocked_;
  bool all_choices_ = true;
};

}  // namespace
}  // namespace moka::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static moka::fuzz::Folder folder;
  moka::fuzz::Choices choices({reinterpret_cast<const char*>(data), size});
  folder.Restore();
  const bool measure = choices.OneIn(4);
  for (int64_t damages = choices.Between(1, 3); damages > 0; --damages) folder.Damage(choices);
  folder.Check(measure);
  return 0;
}
