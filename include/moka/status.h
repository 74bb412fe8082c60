// Errors are values: no exception crosses the API of moka.
#ifndef MOKA_STATUS_H_
#define MOKA_STATUS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace moka {

enum class StatusCode {
  kOk,
  kInvalidArgument,  // the caller passed something wrong: shape, type, name, option
  kInvalidModel,     // the file is damaged or contradicts the standard
  kUnsupported,      // well-formed, but moka (or, with `strict`, the device) cannot run it
  kNotFound,         // a file, a device, a name
  kOutOfMemory,      // an allocation failed or the memory limit of the session was met
  kDeviceError,      // the driver reported a failure
  kInternal,         // a defect of moka: the verifier refused a plan, an invariant broke
};

// Success, or a code with a message that names file, node, operator and argument as far as they are known. Copying a
// Status is cheap; an ok Status owns nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : rep_(code == StatusCode::kOk ? nullptr : std::make_shared<const Rep>(Rep{code, std::move(message)})) {}

  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : rep_->code; }
  // Empty when ok.
  const std::string& message() const {
    static const std::string kEmpty;
    return ok() ? kEmpty : rep_->message;
  }
  // The same code with "context: " put before the message. Does nothing to an ok Status.
  Status WithContext(const std::string& context) const {
    return ok() ? *this : Status(code(), context + ": " + message());
  }

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

// A value of type T, or the Status that says why there is none. Reading the value of a failed Result is undefined.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace moka

#endif  // MOKA_STATUS_H_
