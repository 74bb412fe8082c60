#include "ops/regex.h"
#include "ops/utf8.h"
#include "tests/ops/run_host_op.h"

namespace moka {
namespace {

using Texts = std::vector<std::string>;
AttributeValue Int(int64_t value) { return value; }
AttributeValue Text(const char* value) { return std::string(value); }
AttributeValue Words(Texts values) { return values; }

// ---- Regular expressions ------------------------------------------------------------------------------------------

struct Match {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(Regex, MatchesWhole) {
  const Match kMatches[] = {
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"abc", "xabc", false},
      {"", "", true},
      {"", "a", false},
      {"a|bc", "bc", true},
      {"a|bc", "ac", false},
      {"(a|b)*c", "ababc", true},
      {"a+b?", "aaab", true},
      {"a+b?", "b", false},
      {"a{2,3}", "a", false},
      {"a{2,3}", "aa", true},
      {"a{2,3}", "aaaa", false},
      {"a{2,}", "aaaaa", true},
      {"(ab){2}", "abab", true},
      {"a{,2}", "a{,2}", true},
      {"a{0}b", "b", true},
      {"(a{0,2}){2}", "aaa", true},
      {".", "\n", false},
      {"(?s).", "\n", true},
      {".", "\xC3\xA9", true},
      {"[^a]", "b", true},
      {"[^a]", "a", false},
      {"[a-c]+", "cab", true},
      {"[]a]+", "]a", true},
      {"[a-]+", "a-", true},
      {"[\\d.]+", "1.5", true},
      {"[[:alpha:]_]+", "a_Z", true},
      {"[[:^digit:]]+", "a1", false},
      {"\\w+\\s\\W", "ab_1 !", true},
      {"\\D\\S", "a1", true},
      {"\\x41\\x{e9}", "A\xC3\xA9", true},
      {"\\Q.*\\E+", ".**", true},
      {"\\.\\(", ".(", true},
      {"^ab$", "ab", true},
      {"a^b", "ab", false},
      {"(?m)a\\n^b", "a\nb", true},
      {"\\bab\\b", "ab", true},
      {"a\\Bb", "ab", true},
      {"a\\bb", "ab", false},
      {"\\bcom\\b\\.x", "com.x", true},
      {"(?i)StraSse\\d", "sTRAsSE1", true},
      {"a(?i)b", "aB", true},
      {"(?:a(?i)b)b", "aBB", false},
      {"(?P<name>a)(?<other>b)", "ab", true},
      {"(a*)*b", "aaab", true},
      {"a**", "aa", true},
      {"\xE7\x9A\x84+", "\xE7\x9A\x84\xE7\x9A\x84", true},
  };
  for (const Match& match : kMatches) {
    SCOPED_TRACE(std::string(match.pattern) + " on " + match.text);
    const Result<Regex> regex = Regex::Compile(match.pattern);
    ASSERT_TRUE(regex.ok()) << regex.status().message();
    EXPECT_EQ(regex->FullMatch(match.text), match.matches);
  }
}

TEST(Regex, RefusesBadPatterns) {
  for (const char* pattern : {"(", ")", "a)", "[a", "[b-a]", "*a", "a|+", "\\", "\\y", "a{3,2}", "a{1001}", "(?x:a)",
                              "[[:what:]]", "\\x4", "\\x{110000}", "(?P<>a)", "[a-\\", "(?"}) {
    EXPECT_FALSE(Regex::Compile(pattern).ok()) << pattern;
  }
  EXPECT_FALSE(Regex::Compile("((a{1000}){1000}){1000}").ok());
  EXPECT_FALSE(Regex::Compile("(((){1000}){1000}){1000}").ok());
  EXPECT_FALSE(Regex::Compile(std::string(100000, '(')).ok());
}

// Backtracking would take 2^40 steps.
TEST(Regex, TakesLinearTime) {
  std::string pattern, text(40, 'a');
  for (int i = 0; i < 40; ++i) pattern += "a?";
  const Result<Regex> regex = Regex::Compile(pattern + std::string(40, 'a'));
  ASSERT_TRUE(regex.ok());
  EXPECT_TRUE(regex->FullMatch(text));
  const Result<Regex> nested = Regex::Compile("(a*)*(a*)*(a*)*b");
  ASSERT_TRUE(nested.ok());
  EXPECT_FALSE(nested->FullMatch(std::string(5000, 'a')));
}

// ---- UTF-8 --------------------------------------------------------------------------------------------------------

TEST(Utf8, ReadsCharactersAndReplacesDamage) {
  const auto characters = [](std::string_view text) {
    std::vector<uint32_t> all;
    for (size_t at = 0; at < text.size();) all.push_back(NextCharacter(text, &at));
    return all;
  };
  EXPECT_EQ(characters("a\xC3\xA9\xE7\x9A\x84\xF0\x9F\x98\x80"), (std::vector<uint32_t>{'a', 0xE9, 0x7684, 0x1F600}));
  const std::vector<uint32_t> kBad = {kReplacement};
  for (const char* damaged : {"\x80", "\xC3", "\xFF"}) EXPECT_EQ(characters(damaged), kBad) << damaged;
  EXPECT_EQ(characters("\xC0\x80").size(), 2u);          // too long a form
  EXPECT_EQ(characters("\xED\xA0\x80").size(), 3u);      // a surrogate
  EXPECT_EQ(characters("\xF4\x90\x80\x80").size(), 4u);  // beyond the last character
  std::string text;
  for (const uint32_t c : {0x41u, 0xE9u, 0x7684u, 0x1F600u}) AppendCharacter(c, &text);
  EXPECT_EQ(text, "A\xC3\xA9\xE7\x9A\x84\xF0\x9F\x98\x80");
}

TEST(Utf8, ChangesCase) {
  EXPECT_EQ(ToUpper(std::string_view("stra\xC3\x9F \xC3\xA9t\xC3\xA9 \xD0\xBF\xD1\x80 \xCE\xB1\xF0\x9F\x98\x80")),
            "STRA\xC3\x9F \xC3\x89T\xC3\x89 \xD0\x9F\xD0\xA0 \xCE\x91\xF0\x9F\x98\x80");
  EXPECT_EQ(ToLower(std::string_view("\xC3\x89T\xC3\x89 \xC4\x90 Z\x80")), "\xC3\xA9t\xC3\xA9 \xC4\x91 z\x80");
  for (uint32_t c = 0; c < 0x3000; ++c) {
    const uint32_t upper = ToUpper(c);
    EXPECT_EQ(ToLower(upper), upper == c ? ToLower(c) : c);
  }
}

// ---- Operators ----------------------------------------------------------------------------------------------------

TEST(Strings, Concat) {
  const auto joined = RunHostOp("StringConcat", {TextsOf({2, 1}, {"a", "b"}), TextsOf({2}, {"x", ""})});
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ((*joined)[0].tensor().shape(), (Shape{2, 2}));
  EXPECT_EQ(TextsIn((*joined)[0].tensor()), (Texts{"ax", "a", "bx", "b"}));
  ExpectHostRefusal("StringConcat", {TextsOf({2}, {"a", "b"}), TextsOf({3}, {"", "", ""})}, "do not broadcast");
  ExpectHostRefusal("StringConcat", {TextsOf({1}, {"a"}), NumbersOf({1}, {1})}, "src 1 is f32, expected strings");
}

void ExpectSplit(const Texts& given, Attributes attrs, const Texts& parts, const std::vector<double>& counts) {
  const Shape shape = {static_cast<int64_t>(given.size())};
  const auto split = RunHostOp("StringSplit", {TextsOf(shape, given)}, std::move(attrs), 2);
  ASSERT_TRUE(split.ok()) << split.status().message();
  EXPECT_EQ(TextsIn((*split)[0].tensor()), parts);
  ExpectTensor((*split)[1], shape, counts);
}

TEST(Strings, Split) {
  ExpectSplit({"a b", " c  d e "}, {}, {"a", "b", "", "c", "d", "e"}, {2, 3});
  ExpectSplit({" c  d e "}, Attrs({{"maxsplit", Int(1)}}), {"c", "d e "}, {2});
  ExpectSplit({"a--b-", ""}, Attrs({{"delimiter", Text("-")}}), {"a", "", "b", "", "", "", "", ""}, {4, 1});
  ExpectSplit({"a::b::c"}, Attrs({{"delimiter", Text("::")}, {"maxsplit", Int(0)}}), {"a::b::c"}, {1});
  ExpectSplit({"a\xE3\x80\x80"
               "b"},
              {}, {"a", "b"}, {2});  // an ideographic space
  ExpectSplit({}, {}, {}, {});
}

void ExpectNormalized(const Texts& given, Attributes attrs, const Texts& expected) {
  const auto result =
      RunHostOp("StringNormalizer", {TextsOf({1, static_cast<int64_t>(given.size())}, given)}, std::move(attrs));
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)[0].tensor().shape(), (Shape{1, static_cast<int64_t>(expected.size())}));
  EXPECT_EQ(TextsIn((*result)[0].tensor()), expected);
}

TEST(Strings, Normalizer) {
  const AttributeValue stop = Words({"Monday"});
  ExpectNormalized({"monday", "Tuesday"}, Attrs({{"stopwords", stop}}), {"Tuesday"});
  ExpectNormalized({"monday", "Monday"}, Attrs({{"stopwords", stop}, {"is_case_sensitive", Int(1)}}), {"monday"});
  ExpectNormalized({"Monday"}, Attrs({{"stopwords", stop}}), {""});
  ExpectNormalized({"aB"}, Attrs({{"case_change_action", Text("UPPER")}}), {"AB"});
  ExpectNormalized({"aB"}, Attrs({{"case_change_action", Text("LOWER")}}), {"ab"});
  ExpectHostRefusal("StringNormalizer", {TextsOf({2, 1}, {"a", "b"})}, "expected [C] or [1, C]");
  ExpectHostRefusal("StringNormalizer", {TextsOf({1}, {"a"})}, "'case_change_action' is 'UP'",
                    Attrs({{"case_change_action", Text("UP")}}));
  ExpectHostRefusal("StringNormalizer", {TextsOf({1}, {"a"})}, "attribute 'stopwords' has the wrong type",
                    Attrs({{"stopwords", Int(1)}}));
}

}  // namespace
}  // namespace moka
