// usage: make_seeds FOLDER COUNT
// Writes random models (random_model.h) for the model fuzzer to start from.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

#include "tests/fuzz/random_model.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::mt19937 generator(1);
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    std::string bytes(200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(generator());
    const std::string model = moka::fuzz::RandomModel(bytes);
    std::ofstream(std::string(argv[1]) + "/seed_" + std::to_string(i), std::ios::binary) << model;
  }
}
