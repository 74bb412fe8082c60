#include "ops/cast_text.h"

#include <cctype>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/narrow_float.h"

namespace moka {
namespace {

double RoundTo(DataType type, double value) {
  switch (type) {
    case DataType::kF32:
      return static_cast<float>(value);
    case DataType::kF16:
      return static_cast<float>(Half(value));
    case DataType::kBF16:
      return static_cast<float>(BFloat16(value));
    default:
      return value;
  }
}

// What printf and strtod of this program write and read for a point: a program may have set its user's locale.
std::string_view LocalPoint() { return std::localeconv()->decimal_point; }

std::string ReplaceFirst(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

}  // namespace

std::string TextOfFloat(double value, DataType type) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[40];
  for (int digits = 1; digits <= std::numeric_limits<double>::max_digits10; ++digits) {
    std::snprintf(text, sizeof(text), "%.*e", digits - 1, value);
    if (RoundTo(type, std::strtod(text, nullptr)) == value) {
      const int exponent = std::atoi(std::strchr(text, 'e') + 1);
      // Plain digits where they are few, as Python writes floats.
      if (exponent >= -4 && exponent < 16) {
        std::snprintf(text, sizeof(text), "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 1, value);
      }
      break;
    }
  }
  return ReplaceFirst(text, LocalPoint(), ".");
}

Result<double> FloatOfText(const std::string& text) {
  const std::string trimmed(Trim(text));
  // strtod also reads hexadecimal numbers and "infinity", which are no text of the standard.
  bool plain = !trimmed.empty();
  for (const char c : trimmed)
    plain = plain && (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.' ||
                      c == 'e' || c == 'E');
  if (plain) {
    const std::string local = ReplaceFirst(trimmed, ".", LocalPoint());
    char* end = nullptr;
    const double value = std::strtod(local.c_str(), &end);
    if (*end == '\0') return value;
  }
  std::string lower;
  for (const char c : trimmed) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (lower == "inf" || lower == "+inf") return std::numeric_limits<double>::infinity();
  if (lower == "-inf") return -std::numeric_limits<double>::infinity();
  return InvalidArgument("'", text, "' is no number");
}

}  // namespace moka
