#include "base/str_cat.h"
#include "tests/conformance/cases.h"

namespace moka {
namespace {

AttributeValue Int(int64_t value) { return value; }

// Sizes of one case; rank 4 unless `packed`.
struct Sizes {
  int64_t batch, q_heads, kv_heads, q_length, kv_length, size, v_size;
};

std::vector<CaseOperand> Operands(const Sizes& s, bool packed) {
  if (packed) {
    return {Fed({s.batch, s.q_length, s.q_heads * s.size}), Fed({s.batch, s.kv_length, s.kv_heads * s.size}),
            Fed({s.batch, s.kv_length, s.kv_heads * s.v_size})};
  }
  return {Fed({s.batch, s.q_heads, s.q_length, s.size}), Fed({s.batch, s.kv_heads, s.kv_length, s.size}),
          Fed({s.batch, s.kv_heads, s.kv_length, s.v_size})};
}

void AddShapes(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Sizes& s) {
    cases.push_back(CpuOnly(MakeCase("Attention/" + name, {}, Operands(s, false))));
    cases.push_back(CpuOnly(MakeCase("Attention/" + name + "_packed",
                                     Attrs({{"q_num_heads", Int(s.q_heads)}, {"kv_num_heads", Int(s.kv_heads)}}),
                                     Operands(s, true))));
    cases.push_back(
        CpuOnly(MakeCase("Attention/" + name + "_causal", Attrs({{"is_causal", Int(1)}}), Operands(s, false))));
  };
  for (const int64_t n : kLengths) {
    if (n > 0) add(StrCat("length", n), {2, 2, 2, n, n, 8, 8});
  }
  for (const int64_t n : kLengths) {
    if (n > 0) add(StrCat("size", n), {1, 2, 2, 5, 7, n, n});
  }
  add("one_query", {2, 3, 3, 1, 40, 16, 16});
  add("two_queries", {1, 2, 2, 2, 300, 64, 64});
  add("long", {1, 2, 2, 130, 270, 32, 32});
  add("grouped", {2, 6, 2, 9, 20, 8, 12});
  add("shared", {1, 5, 1, 3, 150, 16, 24});
  add("cross", {1, 2, 2, 33, 6, 7, 9});
}

void AddMasks(std::vector<OpCase>& cases) {
  const Sizes s = {2, 4, 2, 10, 140, 16, 16};
  const auto add = [&](const std::string& name, CaseOperand mask, Attributes attrs = {}) {
    std::vector<CaseOperand> src = Operands(s, false);
    src.push_back(std::move(mask));
    cases.push_back(CpuOnly(MakeCase("Attention/mask_" + name, std::move(attrs), std::move(src))));
  };
  const DataType kBool = DataType::kBool;
  add("2d", Fed({10, 140}));
  add("3d", Fed({4, 10, 140}));
  add("4d", Fed({2, 1, 10, 140}));
  add("row", Fed({1, 140}));
  add("bool", Fed({10, 140}, kBool));
  add("bool_4d", Fed({2, 4, 10, 140}, kBool));
  add("short", Fed({10, 100}));
  add("bool_short", Fed({2, 1, 10, 1}, kBool));
  add("causal", Fed({10, 140}), Attrs({{"is_causal", Int(1)}}));
  add("softcap", Fed({10, 140}), Attrs({{"softcap", 0.7f}}));
  add("scale", Fed({10, 140}, kBool), Attrs({{"scale", 0.3f}, {"softcap", 2.0f}, {"is_causal", Int(1)}}));
}

void AddCaches(std::vector<OpCase>& cases) {
  const Sizes s = {2, 4, 2, 3, 5, 8, 12};
  const auto add = [&](const std::string& name, int64_t past, Attributes attrs) {
    std::vector<CaseOperand> src = Operands(s, false);
    src.push_back(Absent());
    src.push_back(Fed({s.batch, s.kv_heads, past, s.size}));
    src.push_back(Fed({s.batch, s.kv_heads, past, s.v_size}));
    OpCase op_case = CpuOnly(MakeCase("Attention/past_" + name, std::move(attrs), std::move(src)));
    op_case.num_dst = 3;
    cases.push_back(std::move(op_case));
  };
  add("short", 4, {});
  add("long", 150, {});
  add("causal", 131, Attrs({{"is_causal", Int(1)}}));
  add("window", 131, Attrs({{"left_window_size", Int(20)}, {"right_window_size", Int(1)}}));
  add("left", 7, Attrs({{"left_window_size", Int(2)}, {"is_causal", Int(1)}}));
  for (const int64_t causal : {0, 1}) {
    std::vector<CaseOperand> src = Operands({2, 2, 2, 4, 20, 8, 8}, false);
    src.resize(6, Absent());
    src.push_back(Given({2}, {13, 2}, DataType::kI64));
    cases.push_back(CpuOnly(MakeCase(causal != 0 ? "Attention/valid_causal" : "Attention/valid",
                                     Attrs({{"is_causal", causal}}), std::move(src))));
  }
}

// All scores, with rows that see nothing and keys that the mask does not reach.
void AddScores(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Sizes& s, CaseOperand mask, int64_t mode, int64_t past) {
    std::vector<CaseOperand> src = Operands(s, false);
    src.push_back(std::move(mask));
    if (past > 0) {
      src.push_back(Fed({s.batch, s.kv_heads, past, s.size}));
      src.push_back(Fed({s.batch, s.kv_heads, past, s.v_size}));
    }
    OpCase op_case = CpuOnly(MakeCase(
        StrCat("Attention/scores", mode, "_", name),
        Attrs({{"qk_matmul_output_mode", mode}, {"softcap", 1.5f}, {"is_causal", int64_t{past > 0}}}), std::move(src)));
    op_case.num_dst = 4;
    cases.push_back(std::move(op_case));
  };
  for (int64_t mode = 0; mode < 4; ++mode) {
    add("bool", {1, 2, 1, 3, 5, 4, 6}, Fed({3, 5}, DataType::kBool), mode, 0);
    add("masked", {1, 1, 1, 2, 3, 4, 4}, Given({2, 3}, {0, 0, 0, 1, 0, 1}, DataType::kBool), mode, 0);
    add("short", {2, 4, 2, 5, 150, 8, 8}, Fed({5, 140}), mode, 0);
    add("plain", {1, 2, 2, 2, 17, 8, 8}, Absent(), mode, 0);
    add("causal", {1, 2, 2, 4, 4, 8, 8}, Absent(), mode, 3);
  }
}

struct Grouped {
  int64_t batch, length, past;
  std::vector<double> lengths;  // valid keys - 1 of each row
  int64_t total, heads = 4, kv_heads = 2, size = 16, half = 0;
  bool packed = false;
};

void AddGroup(const std::string& name, const Grouped& g, Attributes attrs, std::vector<OpCase>& cases,
              std::vector<CaseOperand> more = {}) {
  attrs.Set("num_heads", g.heads);
  attrs.Set("kv_num_heads", g.kv_heads);
  attrs.Set("do_rotary", int64_t{g.half > 0});
  const int64_t kv = g.kv_heads * g.size;
  std::vector<CaseOperand> src = {Fed({g.batch, g.length, g.heads * g.size + (g.packed ? 2 * kv : 0)})};
  for (int i = 0; i < 2; ++i) src.push_back(g.packed ? Absent() : Fed({g.batch, g.length, kv}));
  for (int i = 0; i < 2; ++i) src.push_back(g.past == 0 ? Absent() : Fed({g.batch, g.kv_heads, g.past, g.size}));
  src.push_back(Given({g.batch}, g.lengths, DataType::kI32));
  src.push_back(Constant(Given({}, {static_cast<double>(g.total)}, DataType::kI32)));
  for (int i = 0; i < 2; ++i) src.push_back(g.half == 0 ? Absent() : Fed({g.total + 3, g.half}));
  for (CaseOperand& operand : more) src.push_back(std::move(operand));
  OpCase op_case = CpuOnly(MakeCase("GroupQueryAttention/" + name, std::move(attrs), std::move(src)));
  op_case.op = "com.microsoft.GroupQueryAttention";
  op_case.num_dst = 3;
  cases.push_back(std::move(op_case));
}

void AddGroupQuery(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, const Grouped& g, Attributes attrs = {},
                       std::vector<CaseOperand> more = {}) {
    AddGroup(name, g, std::move(attrs), cases, std::move(more));
  };
  for (const int64_t size : {1, 15, 16, 17, 33}) add(StrCat("size", size), {2, 5, 0, {4, 2}, 5, 4, 2, size});
  for (const int64_t half : {1, 15, 16, 17}) {
    add(StrCat("rotary", half), {1, 6, 0, {5}, 6, 4, 2, 2 * half, half});
    add(StrCat("interleaved", half), {1, 6, 0, {5}, 6, 4, 2, 2 * half, half}, Attrs({{"rotary_interleaved", Int(1)}}));
  }
  add("rotary_part", {2, 3, 4, {6, 4}, 7, 2, 1, 12, 4});
  add("decode", {2, 1, 140, {140, 70}, 141, 8, 2, 16, 8});
  add("decode_buffer", {1, 1, 12, {6}, 7});
  add("long", {1, 130, 0, {129}, 130, 3, 1, 8, 4});
  add("packed", {2, 5, 6, {10, 7}, 11, 6, 3, 8, 4, true});
  add("window", {1, 40, 0, {39}, 40}, Attrs({{"local_window_size", Int(7)}}));
  add("softcap", {1, 5, 0, {4}, 5}, Attrs({{"softcap", 0.9f}, {"scale", 0.3f}}));
  add("smooth", {1, 5, 140, {144}, 145}, Attrs({{"smooth_softmax", Int(1)}}));
  add("positions", {2, 2, 3, {4, 4}, 5, 4, 2, 8, 4}, {}, {Given({2, 2}, {7, 0, 1, 3}, DataType::kI64)});
  add("bias", {2, 3, 4, {6, 5}, 7}, {}, {Absent(), Fed({1, 4, 3, 7})});
  add("bias_of_rows", {2, 3, 0, {2, 2}, 3}, {}, {Absent(), Fed({2, 1, 3, 3})});
  add("sink", {1, 9, 0, {8}, 9}, {}, {Absent(), Absent(), Fed({4})});
}

void AddRotary(std::vector<OpCase>& cases) {
  const auto add = [&](const std::string& name, Attributes attrs, std::vector<CaseOperand> src) {
    attrs.Set("interleaved", int64_t{0});
    cases.push_back(CpuOnly(MakeCase("RotaryEmbedding/" + name, attrs, src)));
    attrs.Set("interleaved", int64_t{1});
    cases.push_back(CpuOnly(MakeCase("RotaryEmbedding/" + name + "_interleaved", std::move(attrs), std::move(src))));
  };
  for (const int64_t half : kLengths) {
    if (half > 0) add(StrCat("half", half), {}, {Fed({2, 3, 4, 2 * half}), Fed({2, 4, half}), Fed({2, 4, half})});
  }
  add("packed", Attrs({{"num_heads", Int(3)}}), {Fed({2, 5, 24}), Fed({2, 5, 4}), Fed({2, 5, 4})});
  add("positions", Attrs({{"rotary_embedding_dim", Int(6)}}),
      {Fed({1, 2, 3, 10}), Fed({9, 3}), Fed({9, 3}), Given({1, 3}, {8, 0, 4}, DataType::kI64)});
}

void AddLinear(std::vector<OpCase>& cases) {
  for (const char* rule : {"linear", "gated", "delta", "gated_delta"}) {
    const std::string name = rule;
    const bool gated = name.starts_with("gated"), delta = name.ends_with("delta");
    for (const bool per_head : {false, true}) {
      Attributes attrs = Attrs({{"q_num_heads", Int(4)}, {"kv_num_heads", Int(2)}, {"scale", 0.5f}});
      attrs.Set("update_rule", name);
      const auto small = [](Shape shape) {
        std::vector<double> values;
        int64_t count = 1;
        for (const int64_t dim : shape) count *= dim;
        for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<double>(i % 7) * 0.1 - 0.3);
        return Given(std::move(shape), std::move(values));
      };
      std::vector<CaseOperand> src = {small({2, 5, 4 * 6}), small({2, 5, 2 * 6}), small({2, 5, 2 * 17}),
                                      per_head ? Absent() : small({2, 2, 6, 17})};
      src.push_back(gated ? small({2, 5, per_head ? 2 : 12}) : Absent());
      src.push_back(delta ? small({2, 5, per_head ? 1 : 2}) : Absent());
      OpCase op_case = CpuOnly(
          MakeCase(StrCat("LinearAttention/", name, per_head ? "_shared" : "_past"), std::move(attrs), std::move(src)));
      op_case.num_dst = 2;
      cases.push_back(std::move(op_case));
    }
  }
}

}  // namespace

std::vector<OpCase> AttentionCases() {
  std::vector<OpCase> cases;
  AddShapes(cases);
  AddMasks(cases);
  AddCaches(cases);
  AddScores(cases);
  AddGroupQuery(cases);
  AddRotary(cases);
  AddLinear(cases);
  return cases;
}

}  // namespace moka
