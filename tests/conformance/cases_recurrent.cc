#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

struct Net {
  int64_t steps = 3, batch = 2, input = 5, hidden = 7;
  bool both = false, bias = true, initial = true, lengths = false, peephole = false, weights = true;
};

OpCase RecurrentCase(const std::string& name, const Net& net, Attributes attrs = {}) {
  const bool lstm = name[0] == 'L', gru = name[0] == 'G';
  const int64_t directions = net.both ? 2 : 1, rows = net.hidden * (lstm ? 4 : gru ? 3 : 1);
  if (net.both) attrs.Set("direction", std::string("bidirectional"));
  const auto weight = [&](Shape shape) { return net.weights ? Weight(std::move(shape)) : Fed(std::move(shape)); };
  const CaseOperand state = net.initial ? Fed({directions, net.batch, net.hidden}) : Absent();
  std::vector<double> lengths;
  for (int64_t i = 0; i < net.batch; ++i) lengths.push_back(static_cast<double>(i % (net.steps + 1)));
  std::vector<CaseOperand> src = {Fed({net.steps, net.batch, net.input}),
                                  weight({directions, rows, net.input}),
                                  weight({directions, rows, net.hidden}),
                                  net.bias ? weight({directions, 2 * rows}) : Absent(),
                                  net.lengths ? Given({net.batch}, lengths, DataType::kI32) : Absent(),
                                  state};
  if (lstm) src.push_back(state);
  if (lstm && net.peephole) src.push_back(weight({directions, 3 * net.hidden}));
  OpCase op_case = MakeCase(name, std::move(attrs), std::move(src));
  op_case.num_dst = lstm ? 3 : 2;
  op_case.own_on_gpu = false;
  return op_case;
}

AttributeValue Text(const char* text) { return std::string(text); }
AttributeValue Texts(std::vector<std::string> texts) { return texts; }
AttributeValue Floats(std::vector<float> values) { return values; }

void AddForms(const std::string& op, std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Net& net, Attributes attrs = {}) {
    cases.push_back(RecurrentCase(op + name, net, std::move(attrs)));
  };
  for (const int64_t n : {1, 15, 16, 17, 33}) {
    add(StrCat("/hidden", n), {.hidden = n});
    add(StrCat("/input", n), {.input = n});
    add(StrCat("/batch", n), {.batch = n});
  }
  add("/reverse", {}, Attrs({{"direction", Text("reverse")}}));
  add("/both", {.both = true});
  add("/fed_weights", {.both = true, .weights = false});
  add("/bare", {.bias = false, .initial = false});
  add("/lengths", {.batch = 6, .lengths = true});
  add("/lengths_both", {.batch = 30, .both = true, .lengths = true});
  add("/clip", {}, Attrs({{"clip", 0.5f}}));
  add("/many_steps", {.steps = 40, .batch = 1, .hidden = 3});
}

// One row whose gates fill panels of the widest vectors. Candidates are small multiples of sums, so that states forget:
// those of so many random weights would double rounding errors from step to step.
void AddSingleRows(const std::string& op, std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Net& net) {
    std::vector<std::string> functions = {"Affine"};
    if (op != "RNN") functions.insert(functions.begin(), "Sigmoid");
    if (op == "LSTM") functions.push_back("Tanh");
    const size_t count = functions.size();
    for (size_t i = 0; net.both && i < count; ++i) functions.push_back(functions[i]);
    Attributes attrs = Attrs({{"activations", Texts(functions)},
                              {"activation_alpha", Floats(net.both ? std::vector{0.02f, 0.03f} : std::vector{0.02f})},
                              {"activation_beta", Floats(net.both ? std::vector{0.1f, 0.2f} : std::vector{0.1f})}});
    cases.push_back(RecurrentCase(op + name, net, std::move(attrs)));
  };
  for (const int64_t steps : {16, 17, 33, 50}) {
    add(StrCat("/one_row", steps), {.steps = steps, .batch = 1, .input = 7, .hidden = 64, .both = true});
  }
  add("/one_row_wide", {.steps = 20, .batch = 1, .input = 300, .hidden = 64});
  add("/one_row_narrow", {.steps = 40, .batch = 1, .input = 1, .hidden = 128, .weights = false});
  add("/one_row_bare", {.steps = 33, .batch = 1, .hidden = 64, .bias = false, .initial = false});
}

}  // namespace

std::vector<OpCase> RecurrentCases() {
  std::vector<OpCase> cases;
  for (const char* op : {"LSTM", "GRU", "RNN"}) {
    AddForms(op, cases);
    AddSingleRows(op, cases);
  }
  cases.push_back(RecurrentCase("LSTM/peephole", {.both = true, .peephole = true}));
  cases.push_back(RecurrentCase("LSTM/input_forget", {}, Attrs({{"input_forget", int64_t{1}}})));
  const Attributes before_reset = Attrs({{"linear_before_reset", int64_t{1}}});
  cases.push_back(RecurrentCase("GRU/linear_before_reset", {.both = true}, before_reset));
  cases.push_back(RecurrentCase("GRU/linear_before_reset_no_bias", {.bias = false}, before_reset));
  cases.push_back(RecurrentCase("GRU/one_row_linear_before_reset",
                                {.steps = 20, .batch = 1, .hidden = 64, .initial = false},
                                Attrs({{"linear_before_reset", int64_t{1}},
                                       {"activations", Texts({"Sigmoid", "Affine"})},
                                       {"activation_alpha", Floats({0.02f})}})));
  // Functions that neither saturate nor cut let values grow: one step, no state.
  for (const char* function : {"Relu", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu",
                               "Softsign", "Softplus", "Sigmoid"}) {
    const Net net = {.steps = 1, .batch = 3, .hidden = 17, .initial = false};
    cases.push_back(RecurrentCase(StrCat("RNN/", function), net, Attrs({{"activations", Texts({function})}})));
    cases.push_back(RecurrentCase(StrCat("RNN/", function, "_parameters"), net,
                                  Attrs({{"activations", Texts({function})},
                                         {"activation_alpha", Floats({0.3f})},
                                         {"activation_beta", Floats({0.6f})}})));
  }
  return cases;
}

}  // namespace moka
