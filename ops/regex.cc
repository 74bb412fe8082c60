#include "ops/regex.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ops/utf8.h"

namespace moka {
namespace {

constexpr size_t kMaxProgram = 20000;
constexpr int kMaxDepth = 200;
constexpr int kMaxRepeat = 1000;  // RE2's
constexpr uint32_t kLastCharacter = 0x10FFFF;

using Instruction = Regex::Instruction;
using Ranges = std::vector<Regex::Range>;

constexpr Regex::Range kDigits[] = {{'0', '9'}};
constexpr Regex::Range kWords[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
constexpr Regex::Range kSpaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};

struct NamedClass {
  std::string_view name;
  std::array<Regex::Range, 4> ranges;
  size_t size;
};
constexpr NamedClass kClasses[] = {
    {"alnum", {{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}}, 3},
    {"alpha", {{{'A', 'Z'}, {'a', 'z'}}}, 2},
    {"ascii", {{{0, 127}}}, 1},
    {"blank", {{{'\t', '\t'}, {' ', ' '}}}, 2},
    {"cntrl", {{{0, 31}, {127, 127}}}, 2},
    {"digit", {{{'0', '9'}}}, 1},
    {"graph", {{{'!', '~'}}}, 1},
    {"lower", {{{'a', 'z'}}}, 1},
    {"print", {{{' ', '~'}}}, 1},
    {"punct", {{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}}, 4},
    {"space", {{{'\t', '\r'}, {' ', ' '}}}, 2},
    {"upper", {{{'A', 'Z'}}}, 1},
    {"word", {{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}, 4},
    {"xdigit", {{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}}, 3},
};

// All characters that are in none of the ranges.
Ranges Complement(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end(), [](auto a, auto b) { return a.first < b.first; });
  Ranges result;
  uint32_t next = 0;
  for (const Regex::Range& range : ranges) {
    if (range.first > next) result.push_back({next, range.first - 1});
    next = std::max(next, range.last + 1);
  }
  if (next <= kLastCharacter) result.push_back({next, kLastCharacter});
  return result;
}

// Ranges for \d \w \s and their complements; false for other letters.
bool ClassOf(char letter, Ranges* ranges) {
  const char lower = static_cast<char>(letter | 0x20);
  if (lower == 'd') ranges->assign(std::begin(kDigits), std::end(kDigits));
  if (lower == 'w') ranges->assign(std::begin(kWords), std::end(kWords));
  if (lower == 's') ranges->assign(std::begin(kSpaces), std::end(kSpaces));
  if (lower != 'd' && lower != 'w' && lower != 's') return false;
  if (letter != lower) *ranges = Complement(*ranges);
  return true;
}

// Escapes what stands between \Q and \E.
std::string Unquote(std::string_view pattern) {
  std::string result;
  bool quoted = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i], next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\' && next == (quoted ? 'E' : 'Q')) {
      quoted = !quoted;
      ++i;
      continue;
    }
    const bool plain = c == '_' || static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
                       (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (quoted && !plain) result += '\\';
    result += c;
    if (!quoted && c == '\\' && next != '\0') result += pattern[++i];
  }
  return result;
}

// Part of the program: instructions whose `next` is kOpen, to be joined to what follows, hang on `begin`.
constexpr uint32_t kOpen = UINT32_MAX;

class Compiler {
 public:
  Compiler(std::string_view pattern, std::vector<Instruction>* program, Ranges* ranges)
      : pattern_(pattern), program_(*program), ranges_(*ranges) {}

  Result<uint32_t> Run() {
    MOKA_ASSIGN_OR_RETURN(const Part whole, Alternatives(0));
    if (!AtEnd()) return Bad("unmatched )");
    Emit({.kind = Instruction::kMatch});
    Join(whole, static_cast<uint32_t>(program_.size() - 1));
    return whole.begin;
  }

 private:
  // Exits are chained through a list: each is an instruction's `next` (even) or `other` (odd).
  struct Part {
    uint32_t begin = 0;
    std::vector<uint32_t> exits;
  };
  struct Flags {
    bool fold = false, dot_newline = false, multi_line = false;
  };

  bool AtEnd() const { return at_ >= pattern_.size(); }
  char Peek() const { return AtEnd() ? '\0' : pattern_[at_]; }
  bool Take(char c) {
    if (AtEnd() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Take(std::string_view text) {
    if (pattern_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  Status Bad(std::string_view what) const {
    return InvalidModel("regular expression '", pattern_, "': ", what, " at byte ", at_);
  }

  uint32_t Emit(Instruction instruction) {
    program_.push_back(instruction);
    return static_cast<uint32_t>(program_.size() - 1);
  }
  void Join(const Part& part, uint32_t target) {
    for (const uint32_t exit : part.exits) {
      Instruction& instruction = program_[exit / 2];
      (exit % 2 == 0 ? instruction.next : instruction.other) = target;
    }
  }
  Status CheckSize() const {
    return program_.size() > kMaxProgram || ranges_.size() > kMaxProgram ? Bad("too large") : Status();
  }

  Part Simple(Instruction instruction) {
    const uint32_t at = Emit(instruction);
    return {at, {2 * at}};
  }
  Part Empty() { return Simple({.kind = Instruction::kJump, .next = kOpen}); }
  Part Assertion(char kind) { return Simple({.kind = Instruction::kAssert, .assertion = kind, .next = kOpen}); }
  Part Set(Ranges ranges, bool negated = false) {
    if (flags_.fold) AddOtherCase(&ranges);
    Instruction set = {.kind = Instruction::kSet, .negated = negated, .next = kOpen};
    set.other = static_cast<uint32_t>(ranges_.size());
    set.num_ranges = static_cast<uint32_t>(ranges.size());
    ranges_.insert(ranges_.end(), ranges.begin(), ranges.end());
    return Simple(set);
  }
  static void AddOtherCase(Ranges* ranges) {
    const Ranges given = *ranges;
    for (const Regex::Range& range : given) {
      for (const auto& [first, last, shift] : {std::array<uint32_t, 3>{'A', 'Z', 32}, {'a', 'z', 0u - 32u}}) {
        const uint32_t from = std::max(range.first, first), to = std::min(range.last, last);
        if (from <= to) ranges->push_back({from + shift, to + shift});
      }
      if (range.first != range.last) continue;
      for (const uint32_t other : {ToLower(range.first), ToUpper(range.first)}) ranges->push_back({other, other});
    }
  }

  Result<Part> Alternatives(int depth) {
    if (depth > kMaxDepth) return Bad("nested too deep");
    const Flags outer = flags_;
    MOKA_ASSIGN_OR_RETURN(Part result, Sequence(depth));
    while (Take('|')) {
      MOKA_ASSIGN_OR_RETURN(const Part other, Sequence(depth));
      const uint32_t split = Emit({.kind = Instruction::kSplit, .next = result.begin, .other = other.begin});
      result.begin = split;
      result.exits.insert(result.exits.end(), other.exits.begin(), other.exits.end());
    }
    flags_ = outer;
    return result;
  }

  Result<Part> Sequence(int depth) {
    Part result = Empty();
    while (!AtEnd() && Peek() != '|' && Peek() != ')') {
      MOKA_ASSIGN_OR_RETURN(Part part, Repeated(depth));
      Join(result, part.begin);
      result.exits = std::move(part.exits);
      MOKA_RETURN_IF_ERROR(CheckSize());
    }
    return result;
  }

  // An atom with what follows it. A counted repetition parses the atom again for each copy.
  Result<Part> Repeated(int depth) {
    const size_t begin = at_;
    MOKA_ASSIGN_OR_RETURN(Part part, Atom(depth));
    for (bool repeated = false;; repeated = true) {
      const size_t end = at_;
      int low = 0, high = -1;
      bool is_count = false;
      if (!TakeRepeat(&low, &high, &is_count)) return part;
      if (repeated && is_count) return Bad("repetition of a repetition");
      (void)Take('?');  // lazy: the same where only a full match counts
      if (!is_count) {
        part = low == 1 ? Plus(std::move(part)) : high == 1 ? Optional(std::move(part)) : Star(std::move(part));
        continue;
      }
      if (low > kMaxRepeat || high > kMaxRepeat || (high >= 0 && high < low)) return Bad("bad repetition count");
      const size_t after = at_;
      MOKA_ASSIGN_OR_RETURN(part, Counted(begin, end, depth, low, high));
      at_ = after;
    }
  }

  bool TakeRepeat(int* low, int* high, bool* is_count) {
    if (Take('*')) return true;
    if (Take('+')) {
      *low = 1;
      return true;
    }
    if (Take('?')) {
      *high = 1;
      return true;
    }
    const size_t start = at_;  // a brace that begins no count is a literal
    *is_count = true;
    if (Take('{') && TakeNumber(low)) {
      *high = *low;
      if (Take(',') && !TakeNumber(high)) *high = -1;
      if (Take('}')) return true;
    }
    at_ = start;
    return false;
  }
  bool TakeNumber(int* number) {
    const size_t start = at_;
    for (*number = 0; Peek() >= '0' && Peek() <= '9'; ++at_)
      *number = std::min(*number * 10 + (Peek() - '0'), kMaxRepeat + 1);
    return at_ > start;
  }

  Part Optional(Part part) {
    const uint32_t split = Emit({.kind = Instruction::kSplit, .next = part.begin, .other = kOpen});
    part.begin = split;
    part.exits.push_back(2 * split + 1);
    return part;
  }
  Part Star(Part part) {
    const uint32_t split = Emit({.kind = Instruction::kSplit, .next = part.begin, .other = kOpen});
    Join(part, split);
    return {split, {2 * split + 1}};
  }
  Part Plus(Part part) {
    const uint32_t begin = part.begin;
    Part star = Star(std::move(part));
    star.begin = begin;
    return star;
  }

  Result<Part> Counted(size_t begin, size_t end, int depth, int low, int high) {
    Part result = Empty();
    const int copies = high < 0 ? std::max(low, 1) : high;
    std::vector<uint32_t> skips;
    for (int i = 0; i < copies; ++i) {
      at_ = begin;
      MOKA_ASSIGN_OR_RETURN(Part part, Atom(depth + 1));
      MOKA_RETURN_IF_ERROR(CheckSize());
      if (at_ != end) return Bad("repetition of a repetition");
      if (high < 0 && i + 1 == copies) {
        part = low == 0 ? Star(std::move(part)) : Plus(std::move(part));
      } else if (i >= low) {
        part = Optional(std::move(part));
        skips.push_back(part.exits.back());
        part.exits.pop_back();
      }
      Join(result, part.begin);
      result.exits = std::move(part.exits);
    }
    result.exits.insert(result.exits.end(), skips.begin(), skips.end());
    return result;
  }

  Result<Part> Atom(int depth) {
    if (Take('(')) return Group(depth);
    if (Take('[')) return Bracket();
    if (Take('.')) return Set({{'\n', '\n'}}, true, flags_.dot_newline);
    if (Take('^')) return Assertion(flags_.multi_line ? 'L' : '^');
    if (Take('$')) return Assertion(flags_.multi_line ? 'l' : '$');
    if (Peek() == '*' || Peek() == '+' || Peek() == '?') return Bad("nothing to repeat");
    if (Take('\\')) return Escape();
    const uint32_t character = NextCharacter(pattern_, &at_);
    return Set({{character, character}});
  }
  Part Set(Ranges ranges, bool negated, bool everything) {
    return everything ? Set({{0, kLastCharacter}}) : Set(std::move(ranges), negated);
  }

  Result<Part> Group(int depth) {
    const Flags outer = flags_;
    if (Take('?')) {
      if (Take("P<") || Take('<')) {
        const size_t end = pattern_.find('>', at_);
        if (end == std::string_view::npos || end == at_) return Bad("bad group name");
        at_ = end + 1;
      } else if (!Take(':')) {
        MOKA_RETURN_IF_ERROR(ReadFlags());
        if (Take(')')) return Empty();  // for the rest of the group
        if (!Take(':')) return Bad("bad group");
      }
    }
    MOKA_ASSIGN_OR_RETURN(const Part part, Alternatives(depth + 1));
    if (!Take(')')) return Bad("missing )");
    flags_ = outer;
    return part;
  }

  Status ReadFlags() {
    for (bool value = true; !AtEnd() && Peek() != ':' && Peek() != ')';) {
      const char flag = pattern_[at_++];
      if (flag == '-') {
        value = false;
      } else if (flag == 'i') {
        flags_.fold = value;
      } else if (flag == 's') {
        flags_.dot_newline = value;
      } else if (flag == 'm') {
        flags_.multi_line = value;
      } else if (flag != 'U') {
        return Bad("unknown flag");
      }
    }
    return Status();
  }

  // Behind a backslash, outside of brackets.
  Result<Part> Escape() {
    if (AtEnd()) return Bad("trailing backslash");
    Ranges ranges;
    const char letter = Peek();
    if (ClassOf(letter, &ranges)) {
      ++at_;
      return Set(std::move(ranges));
    }
    constexpr std::pair<char, char> kAssertions[] = {{'b', 'b'}, {'B', 'B'}, {'A', '^'}, {'z', '$'}};
    for (const auto& [name, kind] : kAssertions) {
      if (Take(name)) return Assertion(kind);
    }
    if (Take('C')) return Bad("\\C is not supported");
    uint32_t character = 0;
    MOKA_RETURN_IF_ERROR(EscapedCharacter(&character));
    return Set({{character, character}});
  }

  Status EscapedCharacter(uint32_t* character) {
    constexpr std::pair<char, uint32_t> kControls[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'},
                                                       {'f', '\f'}, {'v', '\v'}, {'a', '\a'}};
    if (AtEnd()) return Bad("trailing backslash");
    for (const auto& [name, value] : kControls) {
      if (!Take(name)) continue;
      *character = value;
      return Status();
    }
    if (Take('x')) return Hexadecimal(character);
    const char c = Peek();
    const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter_or_digit) return Bad("unknown escape");
    *character = NextCharacter(pattern_, &at_);
    return Status();
  }

  Status Hexadecimal(uint32_t* character) {
    const bool braces = Take('{');
    int digits = 0;
    for (*character = 0; !AtEnd() && digits < (braces ? 8 : 2); ++digits, ++at_) {
      const char c = Peek(), lower = static_cast<char>(c | 0x20);
      const bool digit = c >= '0' && c <= '9', hex = lower >= 'a' && lower <= 'f';
      if (!digit && !hex) break;
      *character = *character * 16 + static_cast<uint32_t>(digit ? c - '0' : lower - 'a' + 10);
      if (*character > kLastCharacter) return Bad("no such character");
    }
    if (digits == 0 || (!braces && digits != 2) || (braces && !Take('}'))) return Bad("bad hexadecimal escape");
    return Status();
  }

  Result<Part> Bracket() {
    const bool negated = Take('^');
    Ranges ranges;
    for (bool first = true; first || Peek() != ']'; first = false) {
      if (AtEnd()) return Bad("missing ]");
      MOKA_RETURN_IF_ERROR(BracketItem(&ranges));
      if (AtEnd()) return Bad("missing ]");
    }
    ++at_;
    return Set(std::move(ranges), negated);
  }

  Status BracketItem(Ranges* ranges) {
    if (Take("[:")) return ReadNamedClass(ranges);
    Ranges shorthand;
    if (Peek() == '\\' && at_ + 1 < pattern_.size() && ClassOf(pattern_[at_ + 1], &shorthand)) {
      at_ += 2;
      ranges->insert(ranges->end(), shorthand.begin(), shorthand.end());
      return Status();
    }
    uint32_t first = 0;
    MOKA_RETURN_IF_ERROR(BracketCharacter(&first));
    uint32_t last = first;
    if (Peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']') {
      ++at_;
      MOKA_RETURN_IF_ERROR(BracketCharacter(&last));
      if (last < first) return Bad("bad range");
    }
    ranges->push_back({first, last});
    return Status();
  }
  Status BracketCharacter(uint32_t* character) {
    if (AtEnd()) return Bad("missing ]");
    if (Take('\\')) return EscapedCharacter(character);
    *character = NextCharacter(pattern_, &at_);
    return Status();
  }

  Status ReadNamedClass(Ranges* ranges) {
    const bool negated = Take('^');
    for (const NamedClass& known : kClasses) {
      if (!Take(std::string(known.name) + ":]")) continue;
      Ranges members(known.ranges.begin(), known.ranges.begin() + static_cast<ptrdiff_t>(known.size));
      if (negated) members = Complement(std::move(members));
      ranges->insert(ranges->end(), members.begin(), members.end());
      return Status();
    }
    return Bad("unknown character class");
  }

  std::string_view pattern_;
  std::vector<Instruction>& program_;
  Ranges& ranges_;
  size_t at_ = 0;
  Flags flags_;
};

}  // namespace

Result<Regex> Regex::Compile(std::string_view pattern) {
  Regex regex;
  const std::string unquoted = Unquote(pattern);
  MOKA_ASSIGN_OR_RETURN(regex.start_, Compiler(unquoted, &regex.program_, &regex.ranges_).Run());
  return regex;
}

}  // namespace moka
