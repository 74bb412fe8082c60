// NonMaxSuppression: src boxes [B, N, 4], scores [B, C, N], optional max_output_boxes_per_class, iou_threshold,
// score_threshold; dst [count, 3] (i64): batch, class and box of those that no better box of their class overlaps.
#include <algorithm>
#include <vector>

#include "base/status.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/schemas.h"

namespace moka {
namespace {

struct Thresholds {
  int64_t most = 0;  // boxes of one class
  float iou = 0, score = 0;
  bool has_score = false;
};

// Corners in arrays of their own: the boxes that are kept are compared with a new one in one loop without branches.
struct Corners {
  std::vector<float> left, top, right, bottom, area;

  void Clear() {
    for (auto* list : {&left, &top, &right, &bottom, &area}) list->clear();
  }
  size_t size() const { return area.size(); }
  void Add(const Corners& from, size_t i) {
    left.push_back(from.left[i]);
    top.push_back(from.top[i]);
    right.push_back(from.right[i]);
    bottom.push_back(from.bottom[i]);
    area.push_back(from.area[i]);
  }
  // y1, x1, y2, x2 of any two opposite corners, or the centre x, y, width, height.
  void AddBox(const float* box, bool center) {
    if (center) {
      left.push_back(box[0] - box[2] / 2);
      right.push_back(box[0] + box[2] / 2);
      top.push_back(box[1] - box[3] / 2);
      bottom.push_back(box[1] + box[3] / 2);
    } else {
      left.push_back(std::min(box[1], box[3]));
      right.push_back(std::max(box[1], box[3]));
      top.push_back(std::min(box[0], box[2]));
      bottom.push_back(std::max(box[0], box[2]));
    }
    area.push_back((right.back() - left.back()) * (bottom.back() - top.back()));
  }
  // Whether box `i` of `other` overlaps one of these by more than `iou` of the area of both together.
  bool Overlap(const Corners& other, size_t i, float iou) const {
    const float l = other.left[i], t = other.top[i], r = other.right[i], b = other.bottom[i], a = other.area[i];
    int hits = 0;
    for (size_t k = 0; k < size(); ++k) {
      const float width = std::min(r, right[k]) - std::max(l, left[k]);
      const float height = std::min(b, bottom[k]) - std::max(t, top[k]);
      const float common = width * height, both = a + area[k] - common;
      hits += (width > 0) & (height > 0) & (common > 0) & (a > 0) & (area[k] > 0) & (both > 0) & (common / both > iou);
    }
    return hits != 0;
  }
};

Status CheckOperand(const Tensor& tensor, size_t src, std::string_view operand, size_t rank) {
  if (tensor.type() == DataType::kF32 && tensor.shape().size() == rank) return Status();
  return InvalidArgument("src ", src, " (", operand, ") is ", NameOf(tensor.type()), ToString(tensor.shape()),
                         ", expected f32 of rank ", rank);
}

// A scalar, or a list of one; nothing where it is absent or empty.
Result<bool> ReadNumber(const HostCall& call, size_t src, std::string_view operand, double* value) {
  if (!call.has_src(src)) return false;
  MOKA_ASSIGN_OR_RETURN(const Tensor* const tensor, call.SrcTensor(src));
  if (tensor->size() == 0) return false;
  if (tensor->size() != 1 || tensor->type() == DataType::kString) {
    return InvalidArgument("src ", src, " (", operand, ") is ", NameOf(tensor->type()), ToString(tensor->shape()),
                           ", expected one number");
  }
  *value = tensor->NumberAt(0);
  return true;
}

Result<Thresholds> ReadThresholds(const HostCall& call) {
  Thresholds thresholds;
  double most = 0, iou = 0, score = 0;
  MOKA_RETURN_IF_ERROR(ReadNumber(call, 2, "max_output_boxes_per_class", &most).status());
  MOKA_RETURN_IF_ERROR(ReadNumber(call, 3, "iou_threshold", &iou).status());
  MOKA_ASSIGN_OR_RETURN(thresholds.has_score, ReadNumber(call, 4, "score_threshold", &score));
  if (!(iou >= 0 && iou <= 1)) return InvalidArgument("src 3 (iou_threshold) is ", iou, ", expected 0 to 1");
  thresholds.most = static_cast<int64_t>(std::clamp(most, 0.0, 0x1p40));
  thresholds.iou = static_cast<float>(iou);
  thresholds.score = static_cast<float>(score);
  return thresholds;
}

// Boxes of one class whose scores count, the best first. NaN is no score.
void SortCandidates(const float* scores, int64_t boxes, const Thresholds& thresholds, std::vector<int64_t>* order) {
  order->clear();
  for (int64_t i = 0; i < boxes; ++i) {
    if (thresholds.has_score ? scores[i] > thresholds.score : scores[i] == scores[i]) order->push_back(i);
  }
  std::sort(order->begin(), order->end(),
            [&](int64_t a, int64_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
}

Status ExecuteNonMaxSuppression(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* const boxes, call.SrcTensor(0));
  MOKA_ASSIGN_OR_RETURN(const Tensor* const scores, call.SrcTensor(1));
  MOKA_RETURN_IF_ERROR(CheckOperand(*boxes, 0, "boxes", 3));
  MOKA_RETURN_IF_ERROR(CheckOperand(*scores, 1, "scores", 3));
  const int64_t batches = scores->shape()[0], classes = scores->shape()[1], count = scores->shape()[2];
  if (boxes->shape() != Shape{batches, count, 4}) {
    return InvalidArgument("src 0 (boxes) has shape ", ToString(boxes->shape()), ", src 1 (scores) ",
                           ToString(scores->shape()));
  }
  bool center = false;
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "center_point_box", false, &center));
  MOKA_ASSIGN_OR_RETURN(const Thresholds thresholds, ReadThresholds(call));
  Corners all, kept;
  std::vector<int64_t> order, selected;
  for (int64_t batch = 0; scores->size() > 0 && batch < batches; ++batch) {
    all.Clear();
    for (int64_t i = 0; i < count; ++i) all.AddBox(boxes->as<float>() + (batch * count + i) * 4, center);
    for (int64_t c = 0; c < classes; ++c) {
      SortCandidates(scores->as<float>() + (batch * classes + c) * count, count, thresholds, &order);
      kept.Clear();
      for (const int64_t i : order) {
        if (static_cast<int64_t>(kept.size()) >= thresholds.most) break;
        if (kept.Overlap(all, static_cast<size_t>(i), thresholds.iou)) continue;
        kept.Add(all, static_cast<size_t>(i));
        selected.insert(selected.end(), {batch, c, i});
      }
    }
  }
  const Shape shape = {static_cast<int64_t>(selected.size() / 3), 3};
  MOKA_ASSIGN_OR_RETURN(Tensor y, Tensor::CopyOf({DataType::kI64, shape, selected.data()}));
  call.dst[0] = std::move(y);
  return Status();
}

}  // namespace

const OpSchema* NonMaxSuppressionSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "NonMaxSuppression",
      .min_src = 2,
      .max_src = 5,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteNonMaxSuppression,
  };
  return &kSchema;
}

}  // namespace moka
