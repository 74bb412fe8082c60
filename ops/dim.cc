#include "ops/dim.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/status.h"

namespace moka {

SymbolId SymbolTable::Add(std::string name) {
  const auto id = static_cast<SymbolId>(names_.size());
  ids_.emplace(name, id);
  names_.push_back(std::move(name));
  return id;
}

SymbolId SymbolTable::Intern(std::string_view name) {
  std::string key(name);
  const auto it = ids_.find(key);
  return it != ids_.end() ? it->second : Add(std::move(key));
}

SymbolId SymbolTable::Fresh(std::string_view hint) {
  std::string name(hint);
  for (size_t i = names_.size(); ids_.count(name) > 0; ++i) name = StrCat(hint, "_", i);
  return Add(std::move(name));
}

namespace {

// Larger expressions become kInvalid: they come from damaged or hostile files only.
constexpr int64_t kMaxTreeSize = 2048;

enum class AtomKind : uint8_t { kSymbol, kFloor, kMax, kMin, kInvalid };

struct Arguments {
  Dim a, b;
};

struct Atom {
  AtomKind kind;
  SymbolId symbol = 0;
  std::shared_ptr<const Arguments> args;  // of kFloor, kMax, kMin
};

// coefficient * product of atoms, atoms sorted.
struct Term {
  int64_t coefficient;
  std::vector<Atom> atoms;
};

}  // namespace

// The sum of terms that is not a constant. Terms are sorted by degree, highest first, then by atoms: a monomial order
// (it agrees with multiplication), which exact division relies on. No coefficient is 0.
struct Dim::Expr {
  std::vector<Term> terms;
  int64_t tree_size = 0;

  // ---- Order -------------------------------------------------------------------------------------------------------

  static int Compare(const Atom& x, const Atom& y) {
    if (x.kind != y.kind) return x.kind < y.kind ? -1 : 1;
    if (x.kind == AtomKind::kSymbol) return x.symbol == y.symbol ? 0 : x.symbol < y.symbol ? -1 : 1;
    if (x.args == y.args) return 0;
    const int c = Compare(x.args->a, y.args->a);
    return c != 0 ? c : Compare(x.args->b, y.args->b);
  }

  static int CompareMonomials(const Term& x, const Term& y) {
    if (x.atoms.size() != y.atoms.size()) return x.atoms.size() > y.atoms.size() ? -1 : 1;
    for (size_t i = 0; i < x.atoms.size(); ++i) {
      if (const int c = Compare(x.atoms[i], y.atoms[i]); c != 0) return c;
    }
    return 0;
  }

  static int Compare(const Dim& x, const Dim& y) {
    if (x.is_constant() || y.is_constant()) {
      if (x.is_constant() != y.is_constant()) return x.is_constant() ? -1 : 1;
      return x.value_ == y.value_ ? 0 : x.value_ < y.value_ ? -1 : 1;
    }
    if (x.expr_ == y.expr_) return 0;
    const auto& a = x.expr_->terms;
    const auto& b = y.expr_->terms;
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (size_t i = 0; i < a.size(); ++i) {
      if (const int c = CompareMonomials(a[i], b[i]); c != 0) return c;
      if (a[i].coefficient != b[i].coefficient) return a[i].coefficient < b[i].coefficient ? -1 : 1;
    }
    return 0;
  }

  // ---- Making ------------------------------------------------------------------------------------------------------

  static Dim Make(std::vector<Term> terms) {
    if (terms.empty()) return Dim(0);
    if (terms.size() == 1 && terms[0].atoms.empty()) return Dim(terms[0].coefficient);
    auto expr = std::make_shared<Expr>();
    for (const Term& term : terms) {
      ++expr->tree_size;
      if (term.coefficient == INT64_MIN) return Invalid();  // has no absolute value
      for (const Atom& atom : term.atoms) {
        expr->tree_size += atom.args == nullptr ? 1 : TreeSize(atom.args->a) + TreeSize(atom.args->b);
        if (atom.kind == AtomKind::kInvalid) return Invalid();
      }
    }
    if (expr->tree_size > kMaxTreeSize) return Invalid();
    expr->terms = std::move(terms);
    Dim dim;
    dim.expr_ = std::move(expr);
    return dim;
  }

  static Dim Invalid() {
    auto expr = std::make_shared<Expr>();
    expr->terms.push_back({1, {Atom{AtomKind::kInvalid, 0, nullptr}}});
    expr->tree_size = 1;
    Dim dim;
    dim.expr_ = std::move(expr);
    return dim;
  }

  static bool IsInvalid(const Dim& dim) {
    return !dim.is_constant() && dim.expr_->terms[0].atoms[0].kind == AtomKind::kInvalid;
  }

  static Dim OfAtom(Atom atom) { return Make({{1, {std::move(atom)}}}); }
  static Dim OfAtom(AtomKind kind, const Dim& a, const Dim& b) {
    if (IsInvalid(a) || IsInvalid(b)) return Invalid();
    return OfAtom(Atom{kind, 0, std::make_shared<const Arguments>(Arguments{a, b})});
  }

  static int64_t TreeSize(const Dim& dim) { return dim.is_constant() ? 1 : dim.expr_->tree_size; }

  static std::vector<Term> TermsOf(const Dim& dim) {
    if (!dim.is_constant()) return dim.expr_->terms;
    if (dim.value_ == 0) return {};
    return {{dim.value_, {}}};
  }

  // The only atom, where dim is 1 * that atom and it is of this kind.
  static const Atom* OnlyAtom(const Dim& dim, AtomKind kind) {
    if (dim.is_constant() || dim.expr_->terms.size() != 1) return nullptr;
    const Term& term = dim.expr_->terms[0];
    return term.coefficient == 1 && term.atoms.size() == 1 && term.atoms[0].kind == kind ? &term.atoms[0] : nullptr;
  }

  // ---- Arithmetic --------------------------------------------------------------------------------------------------

  // x + factor * y.
  static Dim AddScaled(const Dim& x, const Dim& y, int64_t factor) {
    if (IsInvalid(x) || IsInvalid(y)) return Invalid();
    const std::vector<Term> a = TermsOf(x), b = TermsOf(y);
    std::vector<Term> sum;
    size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
      const int c = i == a.size() ? 1 : j == b.size() ? -1 : CompareMonomials(a[i], b[j]);
      Term term = c <= 0 ? a[i] : Term{0, b[j].atoms};
      int64_t scaled = 0;
      if (c >= 0 && (__builtin_mul_overflow(b[j].coefficient, factor, &scaled) ||
                     __builtin_add_overflow(term.coefficient, scaled, &term.coefficient))) {
        return Invalid();
      }
      if (c <= 0) ++i;
      if (c >= 0) ++j;
      if (term.coefficient != 0) sum.push_back(std::move(term));
    }
    return Make(std::move(sum));
  }

  static bool MultiplyTerms(const Term& x, const Term& y, Term* product) {
    if (__builtin_mul_overflow(x.coefficient, y.coefficient, &product->coefficient)) return false;
    product->atoms.clear();
    std::merge(x.atoms.begin(), x.atoms.end(), y.atoms.begin(), y.atoms.end(), std::back_inserter(product->atoms),
               [](const Atom& a, const Atom& b) { return Compare(a, b) < 0; });
    return true;
  }

  static Dim Multiply(const Dim& x, const Dim& y) {
    if (IsInvalid(x) || IsInvalid(y) || TreeSize(x) * TreeSize(y) > kMaxTreeSize) return Invalid();
    Dim sum;
    for (const Term& a : TermsOf(x)) {
      for (const Term& b : TermsOf(y)) {
        Term product;
        if (!MultiplyTerms(a, b, &product)) return Invalid();
        sum = AddScaled(sum, Make({std::move(product)}), 1);
      }
    }
    return sum;
  }

  // x / y where it is a term again.
  static bool DivideTerms(const Term& x, const Term& y, Term* quotient) {
    if (x.coefficient == INT64_MIN || x.coefficient % y.coefficient != 0) return false;
    const auto less = [](const Atom& a, const Atom& b) { return Compare(a, b) < 0; };
    if (!std::includes(x.atoms.begin(), x.atoms.end(), y.atoms.begin(), y.atoms.end(), less)) return false;
    quotient->coefficient = x.coefficient / y.coefficient;
    quotient->atoms.clear();
    std::set_difference(x.atoms.begin(), x.atoms.end(), y.atoms.begin(), y.atoms.end(),
                        std::back_inserter(quotient->atoms), less);
    return true;
  }

  // a / b by long division, where b is no constant and the remainder is 0.
  static bool DivideExactly(const Dim& a, const Dim& b, Dim* quotient) {
    Dim rest = a, sum;
    while (!(rest.is_constant() && rest.value_ == 0)) {
      if (IsInvalid(rest)) return false;
      Term term;
      if (!DivideTerms(TermsOf(rest)[0], b.expr_->terms[0], &term)) return false;
      const Dim part = Make({std::move(term)});
      sum = AddScaled(sum, part, 1);
      rest = AddScaled(rest, Multiply(part, b), -1);
    }
    *quotient = sum;
    return true;
  }

  // floor(a / b), b > 1: what b divides goes in front of the floor, so that 0 <= constant < b is left inside, common
  // factors are cancelled, and floor((floor(x / c) + m) / b) is floor((x + m * c) / (b * c)).
  static Dim FloorByConstant(const Dim& a, int64_t b) {
    std::vector<Term> whole, rest;
    int64_t common = b, remainder = 0;
    for (Term term : TermsOf(a)) {
      if (term.atoms.empty()) {
        remainder = term.coefficient % b;
        term.coefficient = term.coefficient / b - (remainder < 0 ? 1 : 0);
        if (remainder < 0) remainder += b;
        if (term.coefficient != 0) whole.push_back(term);
      } else if (term.coefficient % b == 0) {
        term.coefficient /= b;
        whole.push_back(term);
      } else {
        common = std::gcd(common, term.coefficient);
        rest.push_back(term);
      }
    }
    const Dim outside = Make(std::move(whole));
    if (rest.empty()) return outside;
    for (Term& term : rest) term.coefficient /= common;
    b /= common;
    remainder /= common;
    const Dim inside = Make(std::move(rest));
    if (b == 1) return AddScaled(outside, inside, 1);
    int64_t divisor = 0;
    if (const Atom* inner = OnlyAtom(inside, AtomKind::kFloor);
        inner != nullptr && inner->args->b.is_constant() && inner->args->b.value_ > 0 &&
        !__builtin_mul_overflow(b, inner->args->b.value_, &divisor)) {
      const Dim shifted = AddScaled(inner->args->a, inner->args->b, remainder);
      return AddScaled(outside, FloorByConstant(shifted, divisor), 1);
    }
    return AddScaled(outside, OfAtom(AtomKind::kFloor, AddScaled(inside, Dim(remainder), 1), Dim(b)), 1);
  }

  static bool NonNegative(const Atom& atom) {
    if (atom.kind == AtomKind::kInvalid) return false;
    if (atom.kind == AtomKind::kSymbol) return true;
    const bool a = atom.args->a.IsNonNegative(), b = atom.args->b.IsNonNegative();
    return atom.kind == AtomKind::kMax ? a || b : a && b;
  }

  static Dim Extremum(AtomKind kind, const Dim& a, const Dim& b) {
    const Dim difference = AddScaled(a, b, -1);
    if (difference.IsNonNegative()) return kind == AtomKind::kMax ? a : b;
    if (AddScaled(b, a, -1).IsNonNegative()) return kind == AtomKind::kMax ? b : a;
    for (const auto& [x, y] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      const Atom* atom = OnlyAtom(*x, kind);
      if (atom != nullptr && (atom->args->a == *y || atom->args->b == *y)) return *x;
    }
    return Compare(a, b) < 0 ? OfAtom(kind, a, b) : OfAtom(kind, b, a);
  }

  // ---- Evaluation --------------------------------------------------------------------------------------------------

  static Result<int64_t> Evaluate(const Atom& atom, const std::vector<int64_t>& values) {
    if (atom.kind == AtomKind::kInvalid) return InvalidArgument("a dimension overflows 64 bits or is too complex");
    if (atom.kind == AtomKind::kSymbol) {
      if (static_cast<size_t>(atom.symbol) >= values.size()) {
        return InvalidArgument("symbol ", atom.symbol, " of a dimension has no value");
      }
      return values[static_cast<size_t>(atom.symbol)];
    }
    MOKA_ASSIGN_OR_RETURN(const int64_t a, atom.args->a.Evaluate(values));
    MOKA_ASSIGN_OR_RETURN(const int64_t b, atom.args->b.Evaluate(values));
    if (atom.kind == AtomKind::kMax) return std::max(a, b);
    if (atom.kind == AtomKind::kMin) return std::min(a, b);
    if (b == 0) return InvalidArgument("a dimension divides by zero");
    if (b == -1 && a == INT64_MIN) return InvalidArgument("a dimension overflows 64 bits");
    return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
  }

  static std::string Text(const Atom& atom, const SymbolTable& symbols) {
    if (atom.kind == AtomKind::kInvalid) return "overflow";
    if (atom.kind == AtomKind::kSymbol) return symbols.name(atom.symbol);
    const std::string a = atom.args->a.ToString(symbols), b = atom.args->b.ToString(symbols);
    if (atom.kind == AtomKind::kFloor) {
      return StrCat("floor((", a, ")/", atom.args->b.is_constant() ? b : "(" + b + ")", ")");
    }
    return StrCat(atom.kind == AtomKind::kMax ? "max(" : "min(", a, ", ", b, ")");
  }
};

Dim Dim::Symbol(SymbolId id) { return Expr::OfAtom(Atom{AtomKind::kSymbol, id, nullptr}); }

bool Dim::IsNonNegative() const {
  if (is_constant()) return value_ >= 0;
  return std::all_of(expr_->terms.begin(), expr_->terms.end(), [](const Term& term) {
    return term.coefficient > 0 &&
           std::all_of(term.atoms.begin(), term.atoms.end(), [](const Atom& atom) { return Expr::NonNegative(atom); });
  });
}

Dim Dim::operator+(const Dim& other) const { return Expr::AddScaled(*this, other, 1); }
Dim Dim::operator-(const Dim& other) const { return Expr::AddScaled(*this, other, -1); }
Dim Dim::operator*(const Dim& other) const { return Expr::Multiply(*this, other); }
bool Dim::operator==(const Dim& other) const { return Expr::Compare(*this, other) == 0; }

Dim Dim::FloorDiv(const Dim& a, const Dim& b) {
  if (Expr::IsInvalid(a) || Expr::IsInvalid(b)) return Expr::Invalid();
  if (!b.is_constant()) {
    Dim quotient;
    return Expr::DivideExactly(a, b, &quotient) ? quotient : Expr::OfAtom(AtomKind::kFloor, a, b);
  }
  if (b.value_ == 0 || b.value_ == INT64_MIN) return Expr::Invalid();
  if (b.value_ < 0) return FloorDiv(Dim(0) - a, Dim(-b.value_));
  return b.value_ == 1 ? a : Expr::FloorByConstant(a, b.value_);
}

Dim Dim::CeilDiv(const Dim& a, const Dim& b) {
  if (b.is_constant() && b.value_ > 0) return FloorDiv(a + (b - 1), b);
  return Dim(0) - FloorDiv(Dim(0) - a, b);
}
Dim Dim::Mod(const Dim& a, const Dim& b) { return a - b * FloorDiv(a, b); }
Dim Dim::Max(const Dim& a, const Dim& b) { return Expr::Extremum(AtomKind::kMax, a, b); }
Dim Dim::Min(const Dim& a, const Dim& b) { return Expr::Extremum(AtomKind::kMin, a, b); }

Result<int64_t> Dim::Evaluate(const std::vector<int64_t>& values) const {
  if (is_constant()) return value_;
  int64_t sum = 0;
  for (const Term& term : expr_->terms) {
    int64_t product = term.coefficient;
    for (const Atom& atom : term.atoms) {
      MOKA_ASSIGN_OR_RETURN(const int64_t factor, Expr::Evaluate(atom, values));
      if (__builtin_mul_overflow(product, factor, &product)) {
        return InvalidArgument("a dimension overflows 64 bits");
      }
    }
    if (__builtin_add_overflow(sum, product, &sum)) return InvalidArgument("a dimension overflows 64 bits");
  }
  return sum;
}

std::string Dim::ToString(const SymbolTable& symbols) const {
  if (is_constant()) return std::to_string(value_);
  std::string out;
  for (const Term& term : expr_->terms) {
    const std::string number = std::to_string(term.coefficient);
    const bool negative = term.coefficient < 0;
    const std::string magnitude = negative ? number.substr(1) : number;
    out += out.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    if (magnitude != "1" || term.atoms.empty()) out += magnitude;
    for (size_t i = 0; i < term.atoms.size(); ++i) {
      if (i > 0 || magnitude != "1") out += "*";
      out += Expr::Text(term.atoms[i], symbols);
    }
  }
  return out;
}

void Dim::AppendSymbols(std::vector<SymbolId>* out) const {
  if (is_constant()) return;
  for (const Term& term : expr_->terms) {
    for (const Atom& atom : term.atoms) {
      if (atom.kind == AtomKind::kSymbol) out->push_back(atom.symbol);
      if (atom.args == nullptr) continue;
      atom.args->a.AppendSymbols(out);
      atom.args->b.AppendSymbols(out);
    }
  }
}

}  // namespace moka
