#include "moka/datum.h"

#include "base/str_cat.h"

namespace moka {

Datum::Datum(Tensor tensor) : type_(tensor.type()), tensor_(std::make_shared<const Tensor>(std::move(tensor))) {}

Datum Datum::Sequence(DataType type, std::vector<Datum> elements) {
  Datum datum;
  datum.type_ = type;
  datum.sequence_ = std::make_shared<const std::vector<Datum>>(std::move(elements));
  return datum;
}

Datum Datum::Map(Tensor keys, Tensor values) {
  Datum datum;
  datum.type_ = values.type();
  datum.map_ = std::make_shared<const std::pair<Tensor, Tensor>>(std::move(keys), std::move(values));
  return datum;
}

std::string ToString(const Datum& datum) {
  if (datum.is_tensor()) return StrCat(NameOf(datum.type()), ToString(datum.tensor().shape()));
  if (datum.is_sequence()) return StrCat("sequence of ", datum.sequence().size(), " ", NameOf(datum.type()));
  if (datum.is_map()) {
    return StrCat("map of ", datum.keys().size(), " ", NameOf(datum.keys().type()), " to ", NameOf(datum.type()));
  }
  return "nothing";
}

}  // namespace moka
