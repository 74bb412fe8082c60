// usage: fuzz_operators AT_LEAST
// Which operators the graph fuzzer's calls run to the end, without damage: prints the others, and fails where there are
// fewer than AT_LEAST.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/random_model.h"
#include "tests/fuzz/run_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int passed = 0;
  const std::vector<std::string> names = moka::fuzz::RecipeOperators();
  for (const std::string& name : names) {
    const moka::fuzz::RandomModel model = moka::fuzz::ModelOf(moka::fuzz::FirstRecipe(name));
    const moka::Status status = moka::fuzz::RunModel(model.bytes, &model.inputs);
    passed += status.ok() ? 1 : 0;
    if (!status.ok()) std::printf("%s: %s\n", name.c_str(), status.message().c_str());
  }
  std::printf("%d of %zu operators run\n", passed, names.size());
  return passed >= std::atoi(argv[1]) ? 0 : 1;
}
