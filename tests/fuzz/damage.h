// What makes a sound call of an operator doubtful.
#ifndef MOKA_TESTS_FUZZ_DAMAGE_H_
#define MOKA_TESTS_FUZZ_DAMAGE_H_

#include "tests/fuzz/choices.h"
#include "tests/fuzz/recipes.h"

namespace moka::fuzz {

// One change of a shape, type, element, attribute, or of which operands are there.
void Damage(Choices& choices, Recipe* recipe);

}  // namespace moka::fuzz

#endif  // MOKA_TESTS_FUZZ_DAMAGE_H_
