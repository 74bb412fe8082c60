// Operators of a product's own: models that use them run like others. See examples/custom_op.
#ifndef MOKA_CUSTOM_OP_H_
#define MOKA_CUSTOM_OP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moka/status.h"
#include "moka/tensor.h"

namespace moka {

// What a node of a custom operator states; valid during the call that gets it. An attribute of another type than asked
// for is kInvalidModel.
class CustomNode {
 public:
  virtual ~CustomNode() = default;
  virtual std::string name() const = 0;
  virtual Result<int64_t> Int(const std::string& attribute, int64_t fallback) const = 0;
  virtual Result<float> Float(const std::string& attribute, float fallback) const = 0;
  virtual Result<std::string> String(const std::string& attribute, const std::string& fallback) const = 0;
  virtual Result<std::vector<int64_t>> Ints(const std::string& attribute) const = 0;  // empty when absent
  virtual Result<std::vector<float>> Floats(const std::string& attribute) const = 0;
};

struct TensorInfo {
  DataType type = DataType::kNone;
  Shape shape;
};

// One operator. Its functions may be called from several threads at once. It runs on the CPU, between plans, as
// operators do whose shapes depend on data; values come to it dense and row-major.
class CustomOp {
 public:
  virtual ~CustomOp() = default;
  virtual std::string domain() const = 0;  // "com.example"
  virtual std::string name() const = 0;    // "Mandelbrot"
  virtual int min_inputs() const { return 1; }
  virtual int max_inputs() const { return 1; }  // -1: any number
  virtual int min_outputs() const { return 1; }
  virtual int max_outputs() const { return 1; }
  // Types and shapes of the outputs, which has one element per output of the node. An absent optional input is kNone.
  // Errors name the input; node and operator are added.
  virtual Status Infer(const CustomNode& node, const std::vector<TensorInfo>& inputs,
                       std::vector<TensorInfo>* outputs) const = 0;
  // Computes them. An absent input has null data.
  virtual Status Compute(const CustomNode& node, const std::vector<ConstTensorView>& inputs,
                         const std::vector<TensorView>& outputs) const = 0;
};

// Makes the operator known to models that are loaded from now on, for as long as the program runs. Refused: an operator
// that moka has, and one that is registered already. Thread-safe.
Status RegisterCustomOp(std::unique_ptr<const CustomOp> op);

// What a shared library with operators exports, under the name kCustomOpEntry and with C linkage. The library is built
// with the same compiler and headers as the product, and links nothing of moka.
class CustomOpRegistry {
 public:
  virtual ~CustomOpRegistry() = default;
  virtual Status Register(std::unique_ptr<const CustomOp> op) = 0;
};
using CustomOpEntry = void (*)(CustomOpRegistry* registry);
inline constexpr char kCustomOpEntry[] = "moka_register_custom_ops";

// Loads such a library and registers what it has; it stays loaded. Returns how many operators it brought.
Result<int> LoadCustomOps(const std::string& path);

}  // namespace moka

#endif  // MOKA_CUSTOM_OP_H_
