// Shorthands for making and passing on moka::Status.
#ifndef MOKA_BASE_STATUS_H_
#define MOKA_BASE_STATUS_H_

#include <utility>

#include "base/str_cat.h"
#include "moka/status.h"

namespace moka {

template <class... Args>
Status InvalidArgument(const Args&... args) {
  return Status(StatusCode::kInvalidArgument, StrCat(args...));
}
template <class... Args>
Status InvalidModel(const Args&... args) {
  return Status(StatusCode::kInvalidModel, StrCat(args...));
}
template <class... Args>
Status Unsupported(const Args&... args) {
  return Status(StatusCode::kUnsupported, StrCat(args...));
}
template <class... Args>
Status NotFound(const Args&... args) {
  return Status(StatusCode::kNotFound, StrCat(args...));
}
template <class... Args>
Status OutOfMemory(const Args&... args) {
  return Status(StatusCode::kOutOfMemory, StrCat(args...));
}
template <class... Args>
Status DeviceError(const Args&... args) {
  return Status(StatusCode::kDeviceError, StrCat(args...));
}
template <class... Args>
Status Internal(const Args&... args) {
  return Status(StatusCode::kInternal, StrCat(args...));
}

}  // namespace moka

#define MOKA_CONCAT_INNER_(a, b) a##b
#define MOKA_CONCAT_(a, b) MOKA_CONCAT_INNER_(a, b)

#define MOKA_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                       \
    if (::moka::Status moka_status_ = (expression); !moka_status_.ok()) return moka_status_; \
  } while (false)

#define MOKA_ASSIGN_OR_RETURN(lhs, expression) \
  MOKA_ASSIGN_OR_RETURN_(lhs, expression, MOKA_CONCAT_(moka_result_, __LINE__))
#define MOKA_ASSIGN_OR_RETURN_(lhs, expression, result) \
  auto result = (expression);                           \
  if (!result.ok()) return result.status();             \
  lhs = std::move(result).value()

#endif  // MOKA_BASE_STATUS_H_
