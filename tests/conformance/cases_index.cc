#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

OpCase OnCpu(OpCase op_case) {
  op_case.own_on_gpu = false;
  return op_case;
}

AttributeValue Text(const char* text) { return std::string(text); }

// Every element width that copies know.
void AddWidths(std::vector<OpCase>& cases, const OpCase& op_case) {
  for (const DataType type :
       {DataType::kF32, DataType::kU8, DataType::kI16, DataType::kF64, DataType::kBool, DataType::kI64}) {
    OpCase typed = op_case;
    typed.name += StrCat("_", NameOf(type));
    typed.src[0].type = type;
    if (typed.op.rfind("Scatter", 0) == 0) typed.src[2].type = type;
    cases.push_back(OnCpu(std::move(typed)));
  }
}

CaseOperand Indices(Shape shape, std::vector<double> values) {
  return Given(std::move(shape), std::move(values), DataType::kI64);
}

void AddGathers(std::vector<OpCase>& cases) {
  const Attributes second = Attrs({{"axis", int64_t{1}}});
  AddWidths(cases, MakeCase("GatherElements/rows", second, {Fed({3, 5}), Indices({3, 2}, {4, 0, -1, 2, -5, 1})}));
  cases.push_back(OnCpu(MakeCase("GatherElements/fewer", second,
                                 {Fed({2, 4, 3, 3}), Indices({1, 2, 2, 3}, {0, 1, 2, 3, -1, -2, 0, 0, 1, 2, 3, 1})})));
  cases.push_back(
      OnCpu(MakeCase("GatherElements/i32", {}, {Fed({4, 2}), Given({2, 2}, {3, 0, -4, 1}, DataType::kI32)})));
  AddWidths(cases, MakeCase("GatherND/rows", {}, {Fed({4, 5, 3}), Indices({3, 1}, {3, -4, 1})}));
  cases.push_back(
      OnCpu(MakeCase("GatherND/elements", {}, {Fed({4, 5}), Indices({2, 2, 2}, {0, 4, -1, 0, 2, 2, 3, -5})})));
  cases.push_back(OnCpu(MakeCase("GatherND/batch", Attrs({{"batch_dims", int64_t{1}}}),
                                 {Fed({2, 3, 4, 5}), Indices({2, 2, 1}, {2, 0, -1, 1})})));
}

void AddScatters(std::vector<OpCase>& cases) {
  const Attributes second = Attrs({{"axis", int64_t{1}}});
  const CaseOperand repeated = Indices({3, 4}, {0, 4, 0, -1, 1, 1, 1, 1, -5, 2, 3, -5});
  AddWidths(cases, MakeCase("ScatterElements/rows", second, {Fed({3, 5}), repeated, Fed({3, 4})}));
  cases.push_back(OnCpu(
      MakeCase("ScatterElements/columns", {}, {Fed({5, 40}), Indices({2, 3}, {4, 0, 4, 1, -1, 2}), Fed({2, 3})})));
  cases.push_back(OnCpu(MakeCase("ScatterElements/image", Attrs({{"axis", int64_t{2}}}),
                                 {Fed({2, 3, 4, 5}), Indices({1, 2, 1, 3}, {0, 3, -1, 1, 1, 2}), Fed({1, 2, 1, 3})})));
  cases.push_back(OnCpu(MakeCase("ScatterElements/list", {}, {Fed({7}), Indices({4}, {6, 0, -1, 3}), Fed({4})})));
  cases.push_back(OnCpu(MakeCase("ScatterElements/none", {}, {Fed({7}), Indices({0}, {}), Fed({0})})));
  AddWidths(cases, MakeCase("ScatterND/rows", {}, {Fed({5, 4, 3}), Indices({3, 1}, {4, 0, -1}), Fed({3, 4, 3})}));
  cases.push_back(
      OnCpu(MakeCase("ScatterND/elements", {}, {Fed({4, 5}), Indices({3, 2}, {0, 4, -1, 0, 0, 4}), Fed({3})})));
  cases.push_back(OnCpu(MakeCase("ScatterND/none", {}, {Fed({4, 5}), Indices({0, 2}, {}), Fed({0})})));
  for (const char* reduction : {"add", "mul", "max", "min"}) {
    const Attributes attrs = Attrs({{"reduction", Text(reduction)}, {"axis", int64_t{1}}});
    OpCase elements = MakeCase(StrCat("ScatterElements/", reduction), attrs, {Fed({3, 5}), repeated, Fed({3, 4})});
    cases.push_back(OnCpu(elements));
    elements.name += "_i32";
    elements.src[0].type = elements.src[2].type = DataType::kI32;
    cases.push_back(MayFallBack(elements));
    cases.push_back(OnCpu(MakeCase(StrCat("ScatterND/", reduction), Attrs({{"reduction", Text(reduction)}}),
                                   {Fed({4, 3, 2}), Indices({3, 1}, {3, 0, 3}), Fed({3, 3, 2})})));
  }
}

void AddMoves(std::vector<OpCase>& cases) {
  AddWidths(cases, MakeCase("Tile/image", {}, {Fed({2, 3, 4, 5}), Ints({1, 2, 3, 1})}));
  cases.push_back(OnCpu(MakeCase("Tile/every_dimension", {}, {Fed({2, 3, 5}), Ints({3, 2, 2})})));
  cases.push_back(OnCpu(MakeCase("Tile/list", {}, {Fed({17}), Ints({3})})));
  for (const char* mode : {"DCR", "CRD"}) {
    const Attributes attrs = Attrs({{"blocksize", int64_t{2}}, {"mode", Text(mode)}});
    AddWidths(cases, MakeCase(StrCat("DepthToSpace/", mode), attrs, {Fed({2, 20, 3, 4})}));
    cases.push_back(OnCpu(MakeCase(StrCat("SpaceToDepth/", mode), attrs, {Fed({1, 5, 4, 6})})));
    cases.push_back(OnCpu(MakeCase(StrCat("DepthToSpace/", mode, "_3"),
                                   Attrs({{"blocksize", int64_t{3}}, {"mode", Text(mode)}}), {Fed({1, 9, 2, 5})})));
  }
  for (const int64_t upper : {0, 1}) {
    const Attributes attrs = Attrs({{"upper", upper}});
    AddWidths(cases, MakeCase(StrCat("Trilu/", upper), attrs, {Fed({2, 4, 17})}));
    for (const int64_t k : {-9, -1, 2, 30}) {
      const CaseOperand diagonal = Given({}, {static_cast<double>(k)}, DataType::kI64);
      cases.push_back(OnCpu(MakeCase(StrCat("Trilu/", upper, "_k", k), attrs, {Fed({2, 3, 5, 7}), diagonal})));
    }
  }
  AddWidths(cases, MakeCase("CenterCropPad/both", {}, {Fed({5, 4, 7}), Ints({2, 7, 7})}));
  cases.push_back(
      OnCpu(MakeCase("CenterCropPad/axes", Attrs({{"axes", List({-1, 1})}}), {Fed({2, 4, 5, 6}), Ints({9, 3})})));
  AddWidths(cases, MakeCase("ReverseSequence/time", {}, {Fed({5, 3, 2}), Indices({3}, {5, 1, 0})}));
  cases.push_back(
      OnCpu(MakeCase("ReverseSequence/batch", Attrs({{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}}),
                     {Fed({2, 17, 3, 5}), Indices({2}, {17, 6})})));
  for (const char* mode : {"linear", "circular"}) {
    const Attributes attrs = Attrs({{"mode", Text(mode)}});
    const double wraps = mode[0] == 'c' ? 6 : 5;
    cases.push_back(OnCpu(MakeCase(StrCat("TensorScatter/", mode), attrs,
                                   {Fed({2, 3, 7, 5}), Fed({2, 3, 2, 5}), Indices({2}, {wraps, 1})})));
    cases.push_back(OnCpu(MakeCase(StrCat("TensorScatter/start_", mode), attrs, {Fed({2, 7, 5}), Fed({2, 7, 5})})));
  }
  cases.push_back(OnCpu(MakeCase("BitCast/f32", Attrs({{"to", int64_t{6}}}), {Fed({3, 4, 5})})));
  cases.push_back(OnCpu(MakeCase("BitCast/i64", Attrs({{"to", int64_t{11}}}), {Fed({7}, DataType::kI64)})));
  OpCase mask = MayFallBack(MakeCase("Dropout/mask", {}, {Fed({3, 4, 5})}));
  mask.num_dst = 2;
  cases.push_back(std::move(mask));
  cases.push_back(MayFallBack(
      MakeCase("OneHot/middle", Attrs({{"axis", int64_t{1}}}),
               {Indices({2, 3}, {0, -1, 4, 7, 2, 1}), Constant(Given({}, {5}, DataType::kI64)), Given({2}, {-1, 3})})));
  for (const int64_t axis : {0, -1}) {
    cases.push_back(
        MayFallBack(MakeCase(StrCat("OneHot/axis", axis), Attrs({{"axis", axis}}),
                             {Given({3, 2}, {0, -1, 4, 7, 2, 1}, DataType::kF32),
                              Constant(Given({}, {5}, DataType::kI64)), Given({2}, {-1, 3}, DataType::kI16)})));
  }
  for (const int64_t k : {-9, -1, 0, 2, 9}) {
    cases.push_back(MayFallBack(MakeCase(StrCat("EyeLike/k", k), Attrs({{"k", k}}), {Fed({4, 3})})));
  }
  cases.push_back(MayFallBack(MakeCase("EyeLike/f16", Attrs({{"dtype", int64_t{10}}}), {Fed({2, 5})})));
}

// What the kernels for f32 without indices do not do.
void AddPools(std::vector<OpCase>& cases) {
  const Attributes window =
      Attrs({{"kernel_shape", List({3, 2})}, {"strides", List({2, 1})}, {"pads", List({1, 0, 1, 1})}});
  for (const DataType type : {DataType::kU8, DataType::kI8}) {
    for (const int64_t channels : {1, 5, 70}) {
      cases.push_back(OnCpu(
          MakeCase(StrCat("MaxPool/", NameOf(type), "_channels", channels), window, {Fed({2, channels, 7, 6}, type)})));
    }
  }
  for (const int64_t order : {0, 1}) {
    OpCase op_case = MakeCase(StrCat("MaxPool/indices_dilated_order", order), window, {Fed({2, 17, 9, 8})});
    op_case.attrs.Set("storage_order", order);
    op_case.attrs.Set("dilations", std::vector<int64_t>{2, 1});
    op_case.num_dst = 2;
    cases.push_back(OnCpu(std::move(op_case)));
  }
  OpCase volume = MakeCase("MaxPool/indices_3d", Attrs({{"kernel_shape", List({2, 2, 2})}}), {Fed({1, 3, 4, 3, 5})});
  volume.num_dst = 2;
  cases.push_back(OnCpu(volume));
}

}  // namespace

std::vector<OpCase> IndexCases() {
  std::vector<OpCase> cases;
  AddGathers(cases);
  AddScatters(cases);
  AddMoves(cases);
  AddPools(cases);
  return cases;
}

}  // namespace moka
