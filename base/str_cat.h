// Message building without a formatting library: StrCat("axis ", axis, " of rank ", rank).
#ifndef MOKA_BASE_STR_CAT_H_
#define MOKA_BASE_STR_CAT_H_

#include <string>
#include <string_view>
#include <type_traits>

namespace moka {

namespace str_cat_internal {
inline void Append(std::string& out, std::string_view s) { out.append(s); }
inline void Append(std::string& out, const char* s) { out.append(s); }
inline void Append(std::string& out, const std::string& s) { out.append(s); }
inline void Append(std::string& out, char c) { out.push_back(c); }
inline void Append(std::string& out, bool b) { out.append(b ? "true" : "false"); }
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
void Append(std::string& out, T number) {
  out.append(std::to_string(number));
}
}  // namespace str_cat_internal

template <class... Args>
std::string StrCat(const Args&... args) {
  std::string out;
  (str_cat_internal::Append(out, args), ...);
  return out;
}

}  // namespace moka

#endif  // MOKA_BASE_STR_CAT_H_
