// UTF-8.
#ifndef MOKA_OPS_UTF8_H_
#define MOKA_OPS_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace moka {

inline constexpr uint32_t kReplacement = 0xFFFD;

// The character at *at, and moves on; a byte that begins none counts as one U+FFFD. *at < text.size().
uint32_t NextCharacter(std::string_view text, size_t* at);
void AppendCharacter(uint32_t character, std::string* text);

// One character to one character, for the alphabets that have such pairs side by side in Unicode (Latin, Greek,
// Cyrillic, Armenian, full-width forms); others stay.
uint32_t ToLower(uint32_t character);
uint32_t ToUpper(uint32_t character);
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);

}  // namespace moka

#endif  // MOKA_OPS_UTF8_H_
