#include "ops/einsum.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/status.h"
#include "ops/accumulate.h"
#include "ops/element.h"
#include "ops/infer.h"
#include "ops/params.h"
#include "ops/reference.h"

namespace moka {
namespace {

constexpr int kLetters = 52;  // A to Z, a to z, in the order of their codes: that of labels in an implicit result

int LetterOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  return -1;
}

// One operand of the equation: letters, and where the ellipsis is.
struct Term {
  std::vector<int> letters;
  int ellipsis = -1;
};

Result<Term> ParseTerm(std::string_view text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text.substr(i, 3) == "...") {
      if (term.ellipsis >= 0) return InvalidModel("attribute 'equation': '", text, "' has two ellipses");
      term.ellipsis = static_cast<int>(term.letters.size());
      i += 2;
      continue;
    }
    const int letter = LetterOf(text[i]);
    if (letter < 0) return InvalidModel("attribute 'equation': '", text, "' has a '", text.substr(i, 1), "'");
    term.letters.push_back(letter);
    if (term.letters.size() > kMaxRank) return InvalidModel("attribute 'equation': '", text, "' has too many labels");
  }
  return term;
}

Result<std::vector<Term>> ParseSources(std::string_view text) {
  std::vector<Term> terms;
  for (;;) {
    const size_t comma = text.find(',');
    MOKA_ASSIGN_OR_RETURN(Term term, ParseTerm(text.substr(0, comma)));
    terms.push_back(std::move(term));
    if (comma == std::string_view::npos) return terms;
    text.remove_prefix(comma + 1);
  }
}

// Dimensions that the ellipsis of a term stands for.
Result<int> EllipsisRank(const Term& term, size_t src, int rank) {
  const int rest = rank - static_cast<int>(term.letters.size());
  if (rest < 0 || (rest > 0 && term.ellipsis < 0)) {
    return InvalidModel("src ", src, ": rank ", rank, ", but attribute 'equation' gives it ", term.letters.size(),
                        " labels");
  }
  return term.ellipsis < 0 ? 0 : rest;
}

// Without "->": the ellipsis, then the letters that appear once.
Term ImplicitResult(const std::vector<Term>& terms) {
  std::array<int, kLetters> uses{};
  Term result;
  for (const Term& term : terms) {
    for (const int letter : term.letters) ++uses[static_cast<size_t>(letter)];
    if (term.ellipsis >= 0) result.ellipsis = 0;
  }
  for (int letter = 0; letter < kLetters; ++letter) {
    if (uses[static_cast<size_t>(letter)] == 1) result.letters.push_back(letter);
  }
  return result;
}

// The labels of a term whose ellipsis stands for `rank` dimensions; label ends[...] is the last one of every ellipsis.
std::vector<int> LabelsOf(const Term& term, const std::array<int, kLetters>& label_of, int rank, int end) {
  std::vector<int> labels;
  for (int i = 0; i <= static_cast<int>(term.letters.size()); ++i) {
    if (i == term.ellipsis) {
      for (int k = 0; k < rank; ++k) labels.push_back(end - rank + k);
    }
    if (i < static_cast<int>(term.letters.size())) {
      labels.push_back(label_of[static_cast<size_t>(term.letters[static_cast<size_t>(i)])]);
    }
  }
  return labels;
}

Status CheckResult(const Term& result, const std::array<int, kLetters>& label_of, bool has_ellipsis) {
  for (size_t i = 0; i < result.letters.size(); ++i) {
    const int letter = result.letters[i];
    if (label_of[static_cast<size_t>(letter)] < 0) {
      return InvalidModel("attribute 'equation': a label of the result is in no source");
    }
    if (std::count(result.letters.begin(), result.letters.end(), letter) > 1) {
      return InvalidModel("attribute 'equation': a label appears twice in the result");
    }
  }
  if (result.ellipsis >= 0 && !has_ellipsis) {
    return InvalidModel("attribute 'equation': the ellipsis of the result is in no source");
  }
  return Status();
}

Status InferEinsum(InferContext& ctx) {
  std::vector<int> ranks;
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    if (!ctx.has_src(i)) return InvalidModel("src ", i, " is missing");
    MOKA_RETURN_IF_ERROR(CheckType(ctx, i, kNumberTypes));
    MOKA_RETURN_IF_ERROR(CheckSameType(ctx, i, 0));
    ranks.push_back(ctx.src[i]->rank());
  }
  std::string_view text;
  MOKA_RETURN_IF_ERROR(ReadString(*ctx.attrs, "equation", "", &text));
  MOKA_ASSIGN_OR_RETURN(const EinsumEquation equation, EinsumEquation::Parse(text, ranks));
  std::vector<std::optional<Dim>> sizes(static_cast<size_t>(equation.num_labels));
  for (size_t i = 0; i < ctx.src.size(); ++i) {
    for (size_t d = 0; d < equation.src[i].size(); ++d) {
      const int label = equation.src[i][d];
      std::optional<Dim>& size = sizes[static_cast<size_t>(label)];
      const Dim& own = ctx.src[i]->dims[d];
      if (!size) {
        size = own;
      } else if (label >= equation.first_ellipsis) {
        const Dim both[] = {*size, own};
        MOKA_ASSIGN_OR_RETURN(const std::vector<Dim> joined,
                              BroadcastDims(ctx, std::span(both, 1), std::span(both + 1, 1)));
        size = joined[0];
      } else {
        MOKA_RETURN_IF_ERROR(RequireEqual(ctx, own, *size, StrCat("dimension ", d, " of src ", i)));
      }
    }
  }
  ctx.dst[0].type = ctx.src[0]->type;
  for (const int label : equation.dst) ctx.dst[0].dims.push_back(*sizes[static_cast<size_t>(label)]);
  if (ctx.dst[0].rank() > kMaxRank) return InvalidModel("dst 0: rank ", ctx.dst[0].rank());
  return Status();
}

// One loop over a label: its size and the step of each operand, the result first.
struct Loop {
  int64_t size = 1;
  std::vector<int64_t> steps;
};

std::vector<Loop> LoopsOf(const EinsumEquation& equation, const OpCall& call) {
  std::vector<Loop> loops(static_cast<size_t>(equation.num_labels));
  for (Loop& loop : loops) loop.steps.resize(call.src.size() + 1);
  const auto add = [&](const std::vector<int>& labels, const TensorDesc& desc, size_t operand) {
    for (size_t d = 0; d < labels.size(); ++d) {
      Loop& loop = loops[static_cast<size_t>(labels[d])];
      if (desc.dims[d] != 1) {
        loop.size = desc.dims[d];
        loop.steps[operand] += desc.strides[d];
      }
    }
  };
  add(equation.dst, call.dst[0], 0);
  for (size_t i = 0; i < call.src.size(); ++i) add(equation.src[i], call.src[i], i + 1);
  return loops;
}

// Calls f() for all values of the loops, with `offsets` moved along.
template <class F>
void RunLoops(const std::vector<const Loop*>& loops, std::vector<int64_t>* offsets, F&& f) {
  for (const Loop* loop : loops) {
    if (loop->size == 0) return;
  }
  std::vector<int64_t> index(loops.size());
  for (;;) {
    f();
    size_t i = loops.size();
    for (; i > 0; --i) {
      const Loop& loop = *loops[i - 1];
      const bool wraps = ++index[i - 1] == loop.size;
      const int64_t steps = wraps ? 1 - loop.size : 1;
      for (size_t o = 0; o < offsets->size(); ++o) (*offsets)[o] += steps * loop.steps[o];
      if (!wraps) break;
      index[i - 1] = 0;
    }
    if (i == 0) return;
  }
}

template <class Float>
Status EinsumReference(const ReferenceCall& reference) {
  const OpCall& call = reference.call;
  MOKA_ASSIGN_OR_RETURN(const EinsumEquation equation, EinsumEquation::From(call));
  const std::vector<Loop> loops = LoopsOf(equation, call);
  std::vector<const Loop*> outer, inner;
  for (const int label : equation.dst) outer.push_back(&loops[static_cast<size_t>(label)]);
  for (int label = 0; label < equation.num_labels; ++label) {
    const bool kept = std::find(equation.dst.begin(), equation.dst.end(), label) != equation.dst.end();
    if (!kept) inner.push_back(&loops[static_cast<size_t>(label)]);
  }
  std::vector<int64_t> offsets(call.src.size() + 1);
  return WithAccumulator<Float>(call.src[0].type, [&](auto accumulator) {
    using Acc = decltype(accumulator);
    RunLoops(outer, &offsets, [&] {
      Acc sum{};
      RunLoops(inner, &offsets, [&] {
        Acc product(1);
        for (size_t i = 0; i < call.src.size(); ++i) {
          product = WrappingMul(product, Load<Acc>(call.src[i], reference.src[i], offsets[i + 1]));
        }
        sum = WrappingAdd(sum, product);
      });
      Store<Acc>(call.dst[0], reference.dst[0], offsets[0], sum);
    });
    return Status();
  });
}

Cost EinsumCost(const OpCall& call) {
  const Result<EinsumEquation> equation = EinsumEquation::From(call);
  if (!equation.ok()) return {};
  double points = static_cast<double>(call.src.size());
  for (const Loop& loop : LoopsOf(*equation, call)) points *= static_cast<double>(loop.size);
  return {points};
}

}  // namespace

Result<EinsumEquation> EinsumEquation::Parse(std::string_view text, const std::vector<int>& ranks) {
  const size_t arrow = text.find("->");
  MOKA_ASSIGN_OR_RETURN(const std::vector<Term> terms, ParseSources(text.substr(0, arrow)));
  if (terms.size() != ranks.size()) {
    return InvalidModel("attribute 'equation' has ", terms.size(), " operands, the node ", ranks.size());
  }
  std::array<int, kLetters> label_of;
  label_of.fill(-1);
  EinsumEquation equation;
  std::vector<int> ellipsis(terms.size());
  int most = 0;
  bool has_ellipsis = false;
  for (size_t i = 0; i < terms.size(); ++i) {
    MOKA_ASSIGN_OR_RETURN(ellipsis[i], EllipsisRank(terms[i], i, ranks[i]));
    most = std::max(most, ellipsis[i]);
    has_ellipsis = has_ellipsis || terms[i].ellipsis >= 0;
    for (const int letter : terms[i].letters) {
      int& label = label_of[static_cast<size_t>(letter)];
      if (label < 0) label = equation.num_labels++;
    }
  }
  equation.first_ellipsis = equation.num_labels;
  equation.num_labels += most;
  for (size_t i = 0; i < terms.size(); ++i) {
    equation.src.push_back(LabelsOf(terms[i], label_of, ellipsis[i], equation.num_labels));
  }
  Term result = ImplicitResult(terms);
  if (arrow != std::string_view::npos) {
    MOKA_ASSIGN_OR_RETURN(result, ParseTerm(text.substr(arrow + 2)));
  }
  MOKA_RETURN_IF_ERROR(CheckResult(result, label_of, has_ellipsis));
  equation.dst = LabelsOf(result, label_of, most, equation.num_labels);
  return equation;
}

Result<EinsumEquation> EinsumEquation::From(const OpCall& call) {
  std::string_view text;
  MOKA_RETURN_IF_ERROR(ReadString(*call.attrs, "equation", "", &text));
  std::vector<int> ranks;
  for (const TensorDesc& desc : call.src) ranks.push_back(desc.rank);
  return Parse(text, ranks);
}

const OpSchema* EinsumSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "Einsum",
      .min_src = 1,
      .max_src = -1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .infer = InferEinsum,
      MOKA_REFERENCES(EinsumReference)  //
          .cost = EinsumCost,
  };
  return &kSchema;
}

}  // namespace moka
