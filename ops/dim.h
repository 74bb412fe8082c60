// A dimension as an integer expression over named symbols ("batch", "height"), kept in a canonical form: a sum of
// integer multiples of products of atoms, where an atom is a symbol or one of floor(a/b), max(a,b), min(a,b).
// Symbols are sizes, so never negative. Equal canonical forms are equal for every such value of the symbols; unequal
// forms may still be equal for some.
#ifndef MOKA_OPS_DIM_H_
#define MOKA_OPS_DIM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "moka/status.h"

namespace moka {

using SymbolId = int32_t;

class SymbolTable {
 public:
  // The id of a name, added when it is new.
  SymbolId Intern(std::string_view name);
  // A new symbol that equals no other; its name is made unique.
  SymbolId Fresh(std::string_view hint);
  const std::string& name(SymbolId id) const { return names_[static_cast<size_t>(id)]; }
  size_t size() const { return names_.size(); }

 private:
  SymbolId Add(std::string name);

  std::vector<std::string> names_;
  std::unordered_map<std::string, SymbolId> ids_;
};

class Dim {
 public:
  Dim(int64_t value = 0) : value_(value) {}  // NOLINT(google-explicit-constructor): 3 is a dimension
  static Dim Symbol(SymbolId id);

  bool is_constant() const { return expr_ == nullptr; }
  int64_t constant() const { return value_; }  // only when is_constant()

  // Whether it is proven for all values of the symbols, which are sizes and so never negative.
  bool IsNonNegative() const;

  Dim operator+(const Dim& other) const;
  Dim operator-(const Dim& other) const;
  Dim operator*(const Dim& other) const;
  bool operator==(const Dim& other) const;
  bool operator!=(const Dim& other) const { return !(*this == other); }
  // Rounded towards minus infinity; exact when every coefficient is divisible. `b` must not be the constant 0.
  static Dim FloorDiv(const Dim& a, const Dim& b);
  static Dim CeilDiv(const Dim& a, const Dim& b);
  static Dim Mod(const Dim& a, const Dim& b);  // a - b * FloorDiv(a, b)
  static Dim Max(const Dim& a, const Dim& b);
  static Dim Min(const Dim& a, const Dim& b);

  // values[id] is the value of symbol id. Fails on overflow of int64 and on a divisor of 0.
  Result<int64_t> Evaluate(const std::vector<int64_t>& values) const;
  std::string ToString(const SymbolTable& symbols) const;
  void AppendSymbols(std::vector<SymbolId>* out) const;

  struct Expr;  // in dim.cc

 private:
  int64_t value_ = 0;
  std::shared_ptr<const Expr> expr_;
};

}  // namespace moka

#endif  // MOKA_OPS_DIM_H_
