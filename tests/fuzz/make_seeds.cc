// usage: make_seeds FOLDER COUNT
// Writes what the model fuzzer starts from: a call of each operator, and COUNT random models.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

#include "tests/fuzz/random_model.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(std::string(argv[1]) + "/seed_" + name, std::ios::binary) << bytes;
  };
  for (const std::string& name : moka::fuzz::RecipeOperators()) {
    write(name, moka::fuzz::ModelOf(moka::fuzz::FirstRecipe(name)).bytes);
  }
  std::mt19937 generator(1);
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    std::string bytes(64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(generator());
    write(std::to_string(i), moka::fuzz::MakeRandomModel(bytes).bytes);
  }
}
