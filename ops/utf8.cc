#include "ops/utf8.h"

#include <iterator>

namespace moka {
namespace {

// Upper-case characters first, first + step ... last; the lower-case ones are `distance` later.
struct CaseRange {
  uint32_t first, last, step, distance;
};
constexpr CaseRange kCases[] = {
    {0x41, 0x5A, 1, 32},    {0xC0, 0xD6, 1, 32},     {0xD8, 0xDE, 1, 32},   {0x100, 0x12E, 2, 1},
    {0x132, 0x136, 2, 1},   {0x139, 0x147, 2, 1},    {0x14A, 0x176, 2, 1},  {0x179, 0x17D, 2, 1},
    {0x1CD, 0x1DB, 2, 1},   {0x1DE, 0x1EE, 2, 1},    {0x1F8, 0x21E, 2, 1},  {0x222, 0x232, 2, 1},
    {0x388, 0x38A, 1, 37},  {0x391, 0x3A1, 1, 32},   {0x3A3, 0x3AB, 1, 32}, {0x3D8, 0x3EE, 2, 1},
    {0x400, 0x40F, 1, 80},  {0x410, 0x42F, 1, 32},   {0x460, 0x480, 2, 1},  {0x48A, 0x4BE, 2, 1},
    {0x4C1, 0x4CD, 2, 1},   {0x4D0, 0x52E, 2, 1},    {0x531, 0x556, 1, 48}, {0x1E00, 0x1E94, 2, 1},
    {0x1EA0, 0x1EFE, 2, 1}, {0xFF21, 0xFF3A, 1, 32},
};

template <uint32_t (*Convert)(uint32_t)>
std::string ConvertText(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t first = at;
    const uint32_t character = NextCharacter(text, &at), converted = Convert(character);
    if (converted == character) {
      result.append(text.substr(first, at - first));
    } else {
      AppendCharacter(converted, &result);
    }
  }
  return result;
}

}  // namespace

uint32_t NextCharacter(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = byte((*at)++);
  if (lead < 0x80) return lead;
  const size_t more = lead >= 0xF0 && lead < 0xF5   ? 3
                      : lead >= 0xE0 && lead < 0xF0 ? 2
                      : lead >= 0xC2 && lead < 0xE0 ? 1
                                                    : 0;
  if (more == 0 || text.size() - *at < more) return kReplacement;
  uint32_t character = lead & (0x3Fu >> more);
  for (size_t i = 0; i < more; ++i) {
    if ((byte(*at + i) & 0xC0) != 0x80) return kReplacement;
    character = (character << 6) | (byte(*at + i) & 0x3F);
  }
  constexpr uint32_t kShortest[] = {0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xD800 && character < 0xE000;
  if (character < kShortest[more] || character > 0x10FFFF || surrogate) return kReplacement;
  *at += more;
  return character;
}

void AppendCharacter(uint32_t character, std::string* text) {
  const auto put = [&](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (character < 0x80) return put(character);
  if (character < 0x800) {
    put(0xC0 | (character >> 6));
  } else {
    if (character < 0x10000) {
      put(0xE0 | (character >> 12));
    } else {
      put(0xF0 | (character >> 18));
      put(0x80 | ((character >> 12) & 0x3F));
    }
    put(0x80 | ((character >> 6) & 0x3F));
  }
  put(0x80 | (character & 0x3F));
}

uint32_t ToLower(uint32_t character) {
  for (const CaseRange& range : kCases) {
    if (character >= range.first && character <= range.last && (character - range.first) % range.step == 0) {
      return character + range.distance;
    }
  }
  return character;
}

uint32_t ToUpper(uint32_t character) {
  for (const CaseRange& range : kCases) {
    const uint32_t upper = character - range.distance;
    if (character >= range.first + range.distance && upper <= range.last && (upper - range.first) % range.step == 0) {
      return upper;
    }
  }
  return character;
}

std::string ToLower(std::string_view text) { return ConvertText<&ToLower>(text); }
std::string ToUpper(std::string_view text) { return ConvertText<&ToUpper>(text); }

}  // namespace moka
