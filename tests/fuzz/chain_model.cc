#include "tests/fuzz/chain_model.h"

#include <algorithm>
#include <vector>

#include "tests/formats/onnx_writer.h"

namespace moka::fuzz {
namespace {

constexpr int64_t kMostWork = 1 << 19;  // multiply-adds of all convolutions

class ChainBuilder {
 public:
  explicit ChainBuilder(Choices& choices) : choices_(choices) {
    images_ = choices_.OneIn(4) ? 2 : 1;
    channels_ = choices_.Between(1, 24);
    height_ = choices_.Between(14, 40);
    width_ = choices_.Between(14, 24);
    elements_ = images_ * channels_ * height_ * width_;
    model_.AddInput("x", {images_, channels_, height_, width_});
  }

  ChainModel Build() {
    for (int64_t layers = choices_.Between(1, 8); layers > 0 && work_ < kMostWork; --layers) AddLayer();
    if (value_ == "x") Node("Relu", {value_});
    AddOutput();
    return {model_.Serialize(), elements_};
  }

 private:
  std::string Name() { return "v" + std::to_string(names_++); }

  std::string Weights(const std::vector<int64_t>& dims, float scale) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) {
      seed_ = seed_ * 1664525 + 1013904223;
      value = scale * (static_cast<float>(seed_ >> 8) / static_cast<float>(1 << 23) - 1);
    }
    const std::string name = Name();
    model_.AddInitializer(name, dims, values);
    return name;
  }

  void Node(const char* op, const std::vector<std::string>& src, const test::AttributeSpecs& attributes = {}) {
    const std::string name = Name();
    model_.AddNode(op, src, {name}, attributes);
    value_ = name;
  }

  void AddLayer() {
    const int64_t kind = choices_.Below(8);
    if (kind < 5) {
      AddConv();
    } else if (kind == 5) {  // squeeze and excite
      const std::string before = value_;
      Node("GlobalAveragePool", {before});
      Node("Sigmoid", {value_});
      Node("Mul", {before, value_});
    } else if (kind == 6) {
      Node("Mul", {value_, Weights(choices_.OneIn(2) ? std::vector<int64_t>{channels_, 1, 1}
                                                     : std::vector<int64_t>{1, 1, height_, 1},
                                   1)});
    } else {
      Activate();
      AddOutput();
    }
  }

  void AddOutput() {
    if (value_ == output_ || value_ == "x") return;
    output_ = value_;
    model_.AddOutput(value_);
  }

  void Activate() {
    const std::string before = value_;
    switch (choices_.Below(5)) {
      case 0:
        return;
      case 1:
        return Node("Relu", {before});
      case 2:
        return Node("HardSwish", {before});
      case 3:
        Node("Sigmoid", {before});
        return Node("Mul", {before, value_});
      default:
        return Node("Tanh", {before});
    }
  }

  // Groups that divide the channels; outputs that the groups divide.
  void ChooseGroups(int64_t* groups, int64_t* outputs) {
    const int64_t form = choices_.Below(4);
    *groups = 1;
    if (form == 0) *groups = channels_;
    if (form == 1) {
      const int64_t wanted = choices_.Between(2, 8);
      if (channels_ % wanted == 0) *groups = channels_ / wanted;
    }
    const bool same = *groups > 1 && !choices_.OneIn(4);
    *outputs = same ? channels_ : *groups * choices_.Between(1, std::max<int64_t>(32 / *groups, 1));
  }

  void AddConv() {
    int64_t groups = 1, outputs = 1;
    ChooseGroups(&groups, &outputs);
    int64_t size[2] = {height_, width_};
    std::vector<int64_t> kernel(2), strides(2), dilations(2), pads(4);
    const bool usual = !choices_.OneIn(4);  // 1x1, 3x3, 5x5 that keep the size
    const int64_t side = 1 + 2 * choices_.Below(3), step = choices_.OneIn(3) ? 2 : 1;
    for (size_t d = 0; d < 2; ++d) {
      kernel[d] = usual ? side : choices_.Between(1, 5);
      strides[d] = usual ? step : choices_.Between(1, 3);
      dilations[d] = usual ? 1 : choices_.Between(1, 2);
      const int64_t reach = (kernel[d] - 1) * dilations[d] + 1;
      pads[d] = usual ? side / 2 : choices_.Below(reach + 1);
      pads[d + 2] = usual ? side / 2 : choices_.Below(reach + 1);
      const int64_t room = size[d] + pads[d] + pads[d + 2] - reach;
      if (room < 0) return;
      size[d] = room / strides[d] + 1;
    }
    const int64_t taps = kernel[0] * kernel[1] * channels_ / groups;
    work_ += images_ * size[0] * size[1] * outputs * taps;
    if (work_ > kMostWork) return;
    const std::string before = value_;
    const bool fits = outputs == channels_ && size[0] == height_ && size[1] == width_;
    std::vector<std::string> src = {
        before, Weights({outputs, channels_ / groups, kernel[0], kernel[1]}, 2.0f / static_cast<float>(taps))};
    if (choices_.OneIn(2)) src.push_back(Weights({outputs}, 0.5f));
    Node("Conv", src,
         {{"group", groups}, {"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}});
    channels_ = outputs;
    height_ = size[0];
    width_ = size[1];
    Activate();
    if (fits && choices_.OneIn(2)) Node("Add", {value_, before});
  }

  Choices& choices_;
  test::ModelBuilder model_;
  std::string value_ = "x", output_;
  int64_t images_, channels_, height_, width_, elements_, work_ = 0;
  uint32_t seed_ = 1;
  int names_ = 0;
};

}  // namespace

ChainModel MakeChainModel(Choices& choices) { return ChainBuilder(choices).Build(); }

}  // namespace moka::fuzz
