// How operators read their parameters. A bind parses every node of a graph, so nothing here allocates where it
// succeeds.
#ifndef MOKA_OPS_PARAMS_H_
#define MOKA_OPS_PARAMS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/op.h"

namespace moka {

// A list of integers as long as parameters ever are: two per dimension.
struct IntList {
  std::array<int64_t, 2 * kMaxRank> values{};
  int size = 0;
  bool present = false;

  int64_t operator[](int i) const { return values[static_cast<size_t>(i)]; }
  std::span<const int64_t> span() const { return {values.data(), static_cast<size_t>(size)}; }
};

// Attributes; a wrong type is refused. An absent list is !present, an absent string is `fallback`.
Status ReadInts(const Attributes& attrs, std::string_view name, IntList* list);
Status ReadInt(const Attributes& attrs, std::string_view name, int64_t fallback, int64_t* value);
Status ReadFlag(const Attributes& attrs, std::string_view name, bool fallback, bool* value);
Status ReadFloat(const Attributes& attrs, std::string_view name, float fallback, float* value);
Status ReadString(const Attributes& attrs, std::string_view name, std::string_view fallback, std::string_view* value);

// An element type by the standard's number (TensorProto.DataType); absent: `fallback`.
Status ReadType(const Attributes& attrs, std::string_view name, DataType fallback, DataType* type);
// One of f32, f64, f16 and bf16.
Status ReadFloatType(const Attributes& attrs, std::string_view name, DataType fallback, DataType* type);

Status ReadChoice(const Attributes& attrs, std::string_view name, std::span<const std::string_view> names,
                  int64_t* index);
// A string attribute that names one of the enumerators 0, 1, ...; absent it is the first.
template <class Enum, size_t N>
Status ReadEnum(const Attributes& attrs, std::string_view name, const std::string_view (&names)[N], Enum* value) {
  int64_t index = 0;
  MOKA_RETURN_IF_ERROR(ReadChoice(attrs, name, names, &index));
  *value = static_cast<Enum>(index);
  return Status();
}

// Source `i`, an integer tensor of rank 0 or 1 with known contents. An absent source is !present; unknown contents are
// refused. `operand` names the source in messages ("axes").
Status ReadInts(const OpCall& call, int i, std::string_view operand, IntList* list);
Status ReadInts(InferContext& ctx, int i, std::string_view operand, IntList* list);

// Axes counted from the end when negative, without duplicates, as a bit mask.
Status ResolveAxes(std::span<const int64_t> axes, int rank, std::string_view what, uint32_t* mask);

// Contents of a small integer tensor as expressions where they are known; asks for nothing where they are not.
std::optional<std::vector<Dim>> KnownElements(const SymbolicTensor& tensor);

Dim Product(std::span<const Dim> dims);

}  // namespace moka

#endif  // MOKA_OPS_PARAMS_H_
