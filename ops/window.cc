#include "ops/window.h"

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "ops/params.h"

namespace moka {
namespace {

// Larger numbers would overflow sums and products of two.
constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

Status ReadList(const Attributes& attrs, std::string_view name, int expected, int64_t smallest, IntList* list) {
  MOKA_RETURN_IF_ERROR(ReadInts(attrs, name, list));
  if (!list->present) return Status();
  if (list->size != expected) {
    return InvalidModel("attribute '", name, "' has ", list->size, " elements, expected ", expected);
  }
  for (const int64_t value : list->span()) {
    if (value < smallest || value > kLargest) {
      return InvalidModel("attribute '", name, "' has an element of ", value, ", expected ", smallest, " to ",
                          kLargest);
    }
  }
  return Status();
}

Status ReadAutoPad(const Attributes& attrs, AutoPad* auto_pad) {
  std::string_view text;
  MOKA_RETURN_IF_ERROR(ReadString(attrs, "auto_pad", "NOTSET", &text));
  static constexpr struct {
    std::string_view name;
    AutoPad value;
  } kNames[] = {{"NOTSET", AutoPad::kNone},
                {"", AutoPad::kNone},
                {"SAME_UPPER", AutoPad::kSameUpper},
                {"SAME_LOWER", AutoPad::kSameLower},
                {"VALID", AutoPad::kValid}};
  for (const auto& entry : kNames) {
    if (entry.name == text) {
      *auto_pad = entry.value;
      return Status();
    }
  }
  return InvalidModel("attribute 'auto_pad' is '", text, "', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID");
}

void CopyTo(const IntList& list, int rank, std::array<int64_t, kMaxSpatial>* values) {
  if (list.present) std::copy_n(list.values.begin(), rank, values->begin());
}

bool IsSame(AutoPad auto_pad) { return auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower; }

}  // namespace

bool Window::Padded() const {
  for (size_t i = 0; i < kMaxSpatial; ++i) {
    if (pads_begin[i] != 0 || pads_end[i] != 0) return true;
  }
  return false;
}

Window Window::Expanded(int new_rank) const {
  Window expanded;
  expanded.rank = new_rank;
  const size_t shift = static_cast<size_t>(new_rank - rank);
  for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
    expanded.kernel[i + shift] = kernel[i];
    expanded.strides[i + shift] = strides[i];
    expanded.dilations[i + shift] = dilations[i];
    expanded.pads_begin[i + shift] = pads_begin[i];
    expanded.pads_end[i + shift] = pads_end[i];
  }
  return expanded;
}

Status WindowAttributes::Read(const Attributes& attrs, int spatial_rank, const int64_t* kernel,
                              WindowAttributes* window) {
  if (spatial_rank < 1 || spatial_rank > kMaxSpatial) {
    return Unsupported("src 0: ", spatial_rank, " spatial dimensions, expected 1 to ", kMaxSpatial);
  }
  Window& w = window->window;
  w.rank = spatial_rank;
  IntList kernel_shape, strides, dilations, pads;
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "kernel_shape", spatial_rank, 1, &kernel_shape));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "strides", spatial_rank, 1, &strides));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "dilations", spatial_rank, 1, &dilations));
  MOKA_RETURN_IF_ERROR(ReadList(attrs, "pads", 2 * spatial_rank, 0, &pads));
  MOKA_RETURN_IF_ERROR(ReadAutoPad(attrs, &window->auto_pad));
  MOKA_RETURN_IF_ERROR(ReadFlag(attrs, "ceil_mode", false, &window->ceil_mode));
  if (!kernel_shape.present && kernel == nullptr) return InvalidModel("attribute 'kernel_shape' is missing");
  CopyTo(kernel_shape, spatial_rank, &w.kernel);
  for (int i = 0; kernel != nullptr && i < spatial_rank; ++i) {
    if (kernel_shape.present && kernel_shape[i] != kernel[i]) {
      return InvalidModel("attribute 'kernel_shape' has ", kernel_shape[i], " along spatial dimension ", i,
                          ", the weights have ", kernel[i]);
    }
    if (kernel[i] < 1 || kernel[i] > kLargest) {
      return InvalidModel("src 1: kernel of ", kernel[i], " along spatial dimension ", i);
    }
    w.kernel[static_cast<size_t>(i)] = kernel[i];
  }
  CopyTo(strides, spatial_rank, &w.strides);
  CopyTo(dilations, spatial_rank, &w.dilations);
  if (pads.present && window->auto_pad == AutoPad::kNone) {
    std::copy_n(pads.values.begin(), spatial_rank, w.pads_begin.begin());
    std::copy_n(pads.values.begin() + spatial_rank, spatial_rank, w.pads_end.begin());
  }
  return Status();
}

Result<Dim> WindowAttributes::OutputDim(const Dim& input, int i) const {
  const size_t k = static_cast<size_t>(i);
  const Dim stride = window.strides[k];
  if (IsSame(auto_pad)) return Dim::CeilDiv(input, stride);
  const int64_t span = window.Span(i), begin = window.pads_begin[k], end = window.pads_end[k];
  const Dim room = input + Dim(begin + end - span);
  if (room.is_constant() && room.constant() < 0) {
    return InvalidModel("along spatial dimension ", i, " the window spans ", span, ", the padded input only ",
                        room.constant() + span);
  }
  if (!ceil_mode) return Dim::FloorDiv(room, stride) + Dim(1);
  const Dim rounded_up = Dim::CeilDiv(room, stride) + Dim(1);
  if (end + stride.constant() <= span) return rounded_up;
  // A window may not start beyond the input: o * stride < input + begin.
  return Dim::Min(rounded_up, Dim::FloorDiv(input + Dim(begin - 1), stride) + Dim(1));
}

Status WindowAttributes::Resolve(const int64_t* input, Window* resolved) const {
  *resolved = window;
  if (!IsSame(auto_pad)) return Status();
  for (int i = 0; i < window.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    const int64_t stride = window.strides[k];
    const int64_t output = (input[i] + stride - 1) / stride;
    const int64_t total = std::max<int64_t>((output - 1) * stride + window.Span(i) - input[i], 0);
    const int64_t smaller = total / 2;
    resolved->pads_begin[k] = auto_pad == AutoPad::kSameUpper ? smaller : total - smaller;
    resolved->pads_end[k] = total - resolved->pads_begin[k];
  }
  return Status();
}

}  // namespace moka
