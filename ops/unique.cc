// Unique: src X; dst Y, the different slices of X along an axis (without one: the different elements), and optionally
// where each came first, which of Y each is, and how often each occurs. Sorted, or in the order of their first places.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/status.h"
#include "ops/dense.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/op.h"
#include "ops/params.h"

namespace moka {
namespace {

// Negative where a comes before b. NaN equals NaN and comes last.
template <class T>
int Compare(const T& a, const T& b) {
  if constexpr (kIsNarrowFloat<T>) {
    return Compare(static_cast<float>(a), static_cast<float>(b));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
    return a < b ? -1 : a > b ? 1 : 0;
  } else {
    return a < b ? -1 : b < a ? 1 : 0;
  }
}

constexpr int64_t kMostEmpty = 1 << 12;  // items, and rows of each, of a tensor without elements

// Which items are alike: group g is first met at first[g] and has count[g] items; item i is of group[i].
struct Groups {
  std::vector<int64_t> first, count, group;
};

// Groups of the items 0 .. n - 1 in the order of `compare`.
template <class F>
Groups GroupItems(int64_t n, F&& compare) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  Groups groups;
  groups.group.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) {
      groups.first.push_back(order[i]);
      groups.count.push_back(0);
    }
    ++groups.count.back();
    groups.group[static_cast<size_t>(order[i])] = static_cast<int64_t>(groups.first.size()) - 1;
  }
  return groups;
}

// In the order in which items are met.
void SortByFirst(Groups* groups) {
  std::vector<size_t> order(groups->first.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return groups->first[a] < groups->first[b]; });
  Groups sorted;
  std::vector<int64_t> number(order.size());
  for (const size_t g : order) {
    number[g] = static_cast<int64_t>(sorted.first.size());
    sorted.first.push_back(groups->first[g]);
    sorted.count.push_back(groups->count[g]);
  }
  for (const int64_t g : groups->group) sorted.group.push_back(number[static_cast<size_t>(g)]);
  *groups = std::move(sorted);
}

Result<Groups> GroupSlices(const Tensor& x, const DenseAxis& along) {
  Groups groups;
  const auto run = [&](auto&& compare_elements) {
    groups = GroupItems(along.size, [&](int64_t a, int64_t b) {
      for (int64_t outer = 0; outer < along.outer; ++outer) {
        for (int64_t inner = 0; inner < along.inner; ++inner) {
          const int64_t base = outer * along.size * along.inner + inner;
          const int order = compare_elements(base + a * along.inner, base + b * along.inner);
          if (order != 0) return order;
        }
      }
      return 0;
    });
    return Status();
  };
  if (x.type() == DataType::kString) {
    const auto* strings = x.as<std::string>();
    MOKA_RETURN_IF_ERROR(run([&](int64_t a, int64_t b) { return Compare(strings[a], strings[b]); }));
  } else if (IsNarrow(x.type())) {
    MOKA_RETURN_IF_ERROR(run([&](int64_t a, int64_t b) { return Compare(x.NumberAt(a), x.NumberAt(b)); }));
  } else {
    MOKA_RETURN_IF_ERROR(WithElementType(x.type(), [&](auto element) {
      const auto* elements = x.as<decltype(element)>();
      return run([&](int64_t a, int64_t b) { return Compare(elements[a], elements[b]); });
    }));
  }
  return groups;
}

Result<Tensor> ListOf(const std::vector<int64_t>& values) {
  return Tensor::CopyOf({DataType::kI64, {static_cast<int64_t>(values.size())}, values.data()});
}

Status ExecuteUnique(HostCall& call) {
  MOKA_ASSIGN_OR_RETURN(const Tensor* const x, call.SrcTensor(0));
  bool sorted = true;
  MOKA_RETURN_IF_ERROR(ReadFlag(*call.attrs, "sorted", true, &sorted));
  Shape shape = {x->size()};
  size_t axis = 0;
  if (call.attrs->Has("axis")) {
    shape = x->shape();
    int64_t value = 0;
    MOKA_RETURN_IF_ERROR(ReadInt(*call.attrs, "axis", 0, &value));
    MOKA_ASSIGN_OR_RETURN(const int resolved, NormalizeAxis(value, static_cast<int>(shape.size()), "attribute 'axis'"));
    axis = static_cast<size_t>(resolved);
  }
  const DenseAxis along(shape, axis);
  if (x->size() == 0 && std::max(along.size, along.outer) > kMostEmpty) {
    return InvalidArgument("src 0 is an empty tensor of shape ", ToString(shape));
  }
  MOKA_ASSIGN_OR_RETURN(Groups groups, GroupSlices(*x, along));
  if (!sorted) SortByFirst(&groups);
  const auto count = static_cast<int64_t>(groups.first.size());
  shape[axis] = count;
  MOKA_ASSIGN_OR_RETURN(Tensor y, Tensor::Create(x->type(), shape));
  for (int64_t outer = 0; y.size() > 0 && outer < along.outer; ++outer) {
    for (int64_t g = 0; g < count; ++g) {
      CopyDense(*x, (outer * along.size + groups.first[static_cast<size_t>(g)]) * along.inner, &y,
                (outer * count + g) * along.inner, along.inner);
    }
  }
  call.dst[0] = std::move(y);
  const std::vector<int64_t>* lists[] = {&groups.first, &groups.group, &groups.count};
  for (size_t i = 1; i < call.dst.size() && i <= std::size(lists); ++i) {
    MOKA_ASSIGN_OR_RETURN(Tensor list, ListOf(*lists[i - 1]));
    call.dst[i] = std::move(list);
  }
  return Status();
}

}  // namespace

const OpSchema* UniqueSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Unique",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 4,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteUnique,
  };
  return &kSchema;
}

}  // namespace moka
