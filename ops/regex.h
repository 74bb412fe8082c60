// Regular expressions of RE2's syntax, matched by a set of states (Thompson): time is at most proportional to the
// length of the pattern times that of the text, memory to that of the pattern.
// Supported: literals, . [...] [^...] [[:alpha:]], \d \D \w \W \s \S \pL-free escapes \n \t \r \f \v \a \xHH \x{H...}
// \Q...\E, groups ( ) (?: ) (?P<name> ) (?i) (?s) (?-i), | * + ? {n} {n,} {n,m} and their lazy forms, ^ $ \A \z \b \B.
// Characters are UTF-8; bytes that are not become U+FFFD.
#ifndef MOKA_OPS_REGEX_H_
#define MOKA_OPS_REGEX_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace moka {

class Regex {
 public:
  // Refuses what is not valid, and patterns that grow beyond a fixed size (counted repetitions).
  static Result<Regex> Compile(std::string_view pattern);
  bool FullMatch(std::string_view text) const;

  struct Range {
    uint32_t first, last;
  };
  struct Instruction {
    enum Kind : uint8_t { kSet, kSplit, kJump, kAssert, kMatch } kind;
    bool negated = false;     // of kSet
    char assertion = 0;       // '^', '$', 'b', 'B'
    uint32_t next = 0;        // where it goes on; kSplit: also to `other`
    uint32_t other = 0;       // kSet: first of its ranges
    uint32_t num_ranges = 0;  // kSet
  };

 private:
  std::vector<Instruction> program_;
  std::vector<Range> ranges_;
  uint32_t start_ = 0;
};

}  // namespace moka

#endif  // MOKA_OPS_REGEX_H_
