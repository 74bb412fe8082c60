// JSON with texts of model files in it, which need not be UTF-8.
#ifndef MOKA_TOOLS_JSON_H_
#define MOKA_TOOLS_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

namespace moka::tools {

// In one line, or in many that `indent` spaces tell apart. What is no UTF-8 becomes U+FFFD.
inline std::string TextOf(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace moka::tools

#endif  // MOKA_TOOLS_JSON_H_
