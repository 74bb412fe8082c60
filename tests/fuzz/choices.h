// Bytes as choices.
#ifndef MOKA_TESTS_FUZZ_CHOICES_H_
#define MOKA_TESTS_FUZZ_CHOICES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace moka::fuzz {

// Every choice takes one or two bytes, so that a change of one byte changes one choice; 0 when they are used up.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return at_ >= bytes_.size(); }
  int64_t Byte() { return empty() ? 0 : static_cast<uint8_t>(bytes_[at_++]); }
  int64_t Word() {
    const int64_t low = Byte();
    return low | Byte() << 8;
  }
  int64_t Below(int64_t n) { return Byte() % n; }
  size_t IndexOf(size_t size) { return static_cast<size_t>(Byte()) % size; }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  bool OneIn(int64_t n) { return Below(n) == n - 1; }
  template <class T, size_t n>
  const T& OneOf(const T (&list)[n]) {
    return list[IndexOf(n)];
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_CHOICES_H_
