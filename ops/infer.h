// What inference functions share: checks with one wording, broadcasting over symbolic dims.
#ifndef MOKA_OPS_INFER_H_
#define MOKA_OPS_INFER_H_

#include <initializer_list>
#include <span>
#include <vector>

#include "base/status.h"
#include "ops/op.h"
#include "ops/schemas.h"

namespace moka {

// Numpy's rules. Equal dims and 1s are resolved here; a symbol against a constant other than 1 gives the constant;
// two different symbolic dims give their Max. What could not be decided goes to context.constraints, to be checked
// when the symbols have values.
Result<std::vector<Dim>> BroadcastDims(InferContext& context, std::span<const Dim> a, std::span<const Dim> b);
// All of src[first .. last) that are present.
Result<std::vector<Dim>> BroadcastSources(InferContext& context, size_t first, size_t last);

// a and b must be equal. Refused now when both are constants, else left to context.constraints. `what` is for the
// message: "channels of src 1".
Status RequireEqual(InferContext& context, const Dim& a, const Dim& b, std::string_view what);

// The same of a <= b, and of a % factor == 0.
Status RequireAtMost(InferContext& context, const Dim& a, const Dim& b, std::string_view what);
Status RequireMultiple(InferContext& context, const Dim& a, int64_t factor, std::string_view what);

// Source `src` must repeat to `dims` by numpy's rules, without enlarging them.
Status RequireBroadcastTo(InferContext& context, size_t src, std::span<const Dim> dims);

// "src 1: rank 3, expected 2" and so on.
Status CheckRank(const InferContext& context, size_t src, int min_rank, int max_rank = kMaxRank);
Status CheckType(const InferContext& context, size_t src, std::initializer_list<DataType> allowed);
Status CheckSameType(const InferContext& context, size_t src, size_t other);
inline constexpr std::initializer_list<DataType> kFloatTypes = {DataType::kF32, DataType::kF64, DataType::kF16,
                                                                DataType::kBF16};
// Floats, and integers of 32 and 64 bits.
inline constexpr std::initializer_list<DataType> kWideNumberTypes = {DataType::kF32,  DataType::kF64, DataType::kF16,
                                                                     DataType::kBF16, DataType::kI32, DataType::kI64,
                                                                     DataType::kU32,  DataType::kU64};
inline constexpr std::initializer_list<DataType> kIndexTypes = {DataType::kI32, DataType::kI64};
inline constexpr std::initializer_list<DataType> kIntegerTypes = {DataType::kI8,  DataType::kI16, DataType::kI32,
                                                                  DataType::kI64, DataType::kU8,  DataType::kU16,
                                                                  DataType::kU32, DataType::kU64};
inline constexpr std::initializer_list<DataType> kNumberTypes = {
    DataType::kF32, DataType::kF64, DataType::kF16, DataType::kBF16, DataType::kI8,  DataType::kI16,
    DataType::kI32, DataType::kI64, DataType::kU8,  DataType::kU16,  DataType::kU32, DataType::kU64};

// An axis of a tensor of this rank, counted from the end when negative.
Result<int> NormalizeAxis(int64_t axis, int rank, std::string_view what = "axis");
Result<std::vector<int>> NormalizeAxes(std::span<const int64_t> axes, int rank, std::string_view what = "axes");

// The one result: type and dims of src 0.
Status InferSameAsSource(InferContext& context);

}  // namespace moka

#endif  // MOKA_OPS_INFER_H_
