// Element types, shapes, and tensors in host memory.
#ifndef MOKA_TENSOR_H_
#define MOKA_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moka/status.h"

namespace moka {

// The types that the standard knows; kNone marks an absent optional tensor.
enum class DataType : uint8_t {
  kNone,
  kF32,
  kF64,
  kF16,
  kBF16,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kBool,    // one byte, 0 or 1
  kString,  // std::string in tensors
  // Narrower ones; one byte an element in memory. Integers are sign-extended, floats are their code.
  kF8E4M3FN,
  kF8E4M3FNUZ,
  kF8E5M2,
  kF8E5M2FNUZ,
  kF8E8M0,
  kF4E2M1,
  kI4,
  kU4,
  kI2,
  kU2,
};
inline constexpr int kNumDataTypes = static_cast<int>(DataType::kU2) + 1;

// Bytes of one element in a plan; 0 for kNone. A Tensor has the same, but for kString: there it holds std::string, in a
// plan pointers to them.
size_t SizeOf(DataType type);
// "f32", "i64", "bool" ...
const char* NameOf(DataType type);

using Shape = std::vector<int64_t>;

// "[1, 3, 224, 224]"
std::string ToString(const Shape& shape);

// Memory of the caller: dense, row-major (the last dimension is contiguous), aligned to the element type, alive while
// it is in use. No ownership.
struct TensorView {
  DataType type = DataType::kNone;
  Shape shape;
  void* data = nullptr;
};
struct ConstTensorView {
  DataType type = DataType::kNone;
  Shape shape;
  const void* data = nullptr;
  ConstTensorView() = default;
  ConstTensorView(DataType t, Shape s, const void* d) : type(t), shape(std::move(s)), data(d) {}
  ConstTensorView(const TensorView& v) : type(v.type), shape(v.shape), data(v.data) {}  // NOLINT
};

// A dense row-major tensor that owns its memory (64-byte aligned), or shares it with copies of itself.
class Tensor {
 public:
  Tensor() = default;
  // Zero-filled (strings: empty). Fails when a dimension is negative, the size overflows, or memory is short.
  static Result<Tensor> Create(DataType type, Shape shape);
  // Copies `data`, which must hold the elements of the shape.
  static Result<Tensor> CopyOf(ConstTensorView view);
  // The caller's memory as a tensor that does not own it; it must outlive the tensor and its copies. Of a shape that no
  // tensor has (a negative dimension, a size that overflows) it has no elements, and sessions refuse it.
  static Tensor Borrow(ConstTensorView view);

  DataType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }  // elements
  size_t bytes() const {
    return static_cast<size_t>(size_) * (type_ == DataType::kString ? sizeof(std::string) : SizeOf(type_));
  }
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  // T must be the C++ type of type(): float for kF32, int64_t for kI64, uint8_t for kBool, std::string for
  // kString ...
  template <class T>
  T* as() {
    return static_cast<T*>(data());
  }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data());
  }
  // Element i, 0 <= i < size(), of a number or bool as a double; 0 for strings.
  double NumberAt(int64_t i) const;
  long owners() const { return data_.use_count(); }  // tensors that share this memory
  TensorView view() { return {type_, shape_, data()}; }
  ConstTensorView view() const { return {type_, shape_, data()}; }

 private:
  DataType type_ = DataType::kNone;
  Shape shape_;
  int64_t size_ = 0;
  std::shared_ptr<void> data_;
};

// Reads one tensor from a file: NumPy's .npy (version 1 to 3, C order) or a serialized ONNX TensorProto (.pb).
Result<Tensor> LoadTensor(const std::string& path);
// Writes .npy, version 1.
Status SaveNpy(const std::string& path, const ConstTensorView& tensor);

}  // namespace moka

#endif  // MOKA_TENSOR_H_
