#include <algorithm>
#include <utility>

#include "ops/regex.h"
#include "ops/utf8.h"

namespace moka {
namespace {

using Instruction = Regex::Instruction;

bool IsWord(uint32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// The characters on both sides of a position; kNone at the ends.
struct Around {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t before, after;

  bool Holds(char assertion) const {
    const bool boundary = (before != kNone && IsWord(before)) != (after != kNone && IsWord(after));
    switch (assertion) {
      case '^':
        return before == kNone;
      case '$':
        return after == kNone;
      case 'L':
        return before == kNone || before == '\n';
      case 'l':
        return after == kNone || after == '\n';
      case 'b':
        return boundary;
      default:
        return !boundary;
    }
  }
};

// The instructions that wait for a character at one position.
class StateSet {
 public:
  explicit StateSet(size_t size) : seen_(size, 0) {}

  void Clear() {
    ++generation_;
    sets_.clear();
    matched_ = false;
  }
  void Add(const std::vector<Instruction>& program, uint32_t start, const Around& around) {
    stack_.push_back(start);
    while (!stack_.empty()) {
      const uint32_t at = stack_.back();
      stack_.pop_back();
      if (std::exchange(seen_[at], generation_) == generation_) continue;
      const Instruction& instruction = program[at];
      if (instruction.kind == Instruction::kSet) sets_.push_back(at);
      if (instruction.kind == Instruction::kMatch) matched_ = true;
      const bool passes = instruction.kind == Instruction::kJump || instruction.kind == Instruction::kSplit ||
                          (instruction.kind == Instruction::kAssert && around.Holds(instruction.assertion));
      if (passes) stack_.push_back(instruction.next);
      if (instruction.kind == Instruction::kSplit) stack_.push_back(instruction.other);
    }
  }
  const std::vector<uint32_t>& sets() const { return sets_; }
  bool matched() const { return matched_; }

 private:
  std::vector<uint64_t> seen_;
  std::vector<uint32_t> sets_, stack_;
  uint64_t generation_ = 1;
  bool matched_ = false;
};

}  // namespace

bool Regex::FullMatch(std::string_view text) const {
  StateSet now(program_.size()), then(program_.size());
  size_t at = 0;
  uint32_t next = text.empty() ? Around::kNone : NextCharacter(text, &at);
  now.Add(program_, start_, {Around::kNone, next});
  while (next != Around::kNone && !now.sets().empty()) {
    const uint32_t character = next;
    next = at < text.size() ? NextCharacter(text, &at) : Around::kNone;
    then.Clear();
    for (const uint32_t state : now.sets()) {
      const Instruction& set = program_[state];
      const Range* first = ranges_.data() + set.other;
      const bool inside = std::any_of(first, first + set.num_ranges, [&](const Range& range) {
        return character >= range.first && character <= range.last;
      });
      if (inside != set.negated) then.Add(program_, set.next, {character, next});
    }
    std::swap(now, then);
  }
  return next == Around::kNone && now.matched();
}

}  // namespace moka
