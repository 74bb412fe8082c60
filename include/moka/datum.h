// What a graph input, a graph output or an operand outside of plans may be: a tensor, a sequence, a map, or nothing.
#ifndef MOKA_DATUM_H_
#define MOKA_DATUM_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moka/tensor.h"

namespace moka {

// What a model says a value is.
enum class ValueKind : uint8_t { kTensor, kSequence, kOptional, kMap };

// A tensor, a map from keys to numbers or strings, a sequence of such, or nothing (an optional without a value; an
// optional with one is that value). Cheap to copy: copies share their memory, which nobody changes once it is in a
// Datum.
class Datum {
 public:
  Datum() = default;
  Datum(Tensor tensor);  // NOLINT(google-explicit-constructor): a tensor is a datum
  // `type` is the element type of its tensors, which the elements alone do not tell when there are none.
  static Datum Sequence(DataType type, std::vector<Datum> elements);
  // Key i, of i64 or strings, stands for value i: two tensors of rank 1 and of one length, no key twice.
  static Datum Map(Tensor keys, Tensor values);

  bool is_none() const { return tensor_ == nullptr && sequence_ == nullptr && map_ == nullptr; }
  bool is_tensor() const { return tensor_ != nullptr; }
  bool is_sequence() const { return sequence_ != nullptr; }
  bool is_map() const { return map_ != nullptr; }
  // Element type of the tensor, of the sequence's elements or of the map's values; kNone for nothing.
  DataType type() const { return type_; }
  const Tensor& tensor() const { return *tensor_; }                  // only when is_tensor()
  const std::vector<Datum>& sequence() const { return *sequence_; }  // only when is_sequence()
  const Tensor& keys() const { return map_->first; }                 // only when is_map()
  const Tensor& values() const { return map_->second; }              // only when is_map()

 private:
  DataType type_ = DataType::kNone;
  std::shared_ptr<const Tensor> tensor_;
  std::shared_ptr<const std::vector<Datum>> sequence_;
  std::shared_ptr<const std::pair<Tensor, Tensor>> map_;
};

// "f32[2, 3]", "sequence of 4 f32", "map of 3 i64 to f32", "nothing"
std::string ToString(const Datum& datum);

// Reads a file that holds what ONNX's test data does: a TensorProto (or .npy), a SequenceProto, an OptionalProto or a
// MapProto.
Result<Datum> LoadDatum(const std::string& path, ValueKind kind);

}  // namespace moka

#endif  // MOKA_DATUM_H_
