// usage: replay FILE...
// Runs the fuzzer that it is linked with on the inputs of kept corpora (scripts/fuzz_corpus.py), without libFuzzer.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int inputs = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    uint32_t length = 0;
    for (size_t at = 0; at + sizeof(length) <= bytes.size(); at += sizeof(length) + length, ++inputs) {
      std::memcpy(&length, bytes.data() + at, sizeof(length));
      if (length > bytes.size() - at - sizeof(length)) {
        std::printf("%s: input %d is cut off\n", argv[i], inputs);
        return 1;
      }
      // A copy, so that sanitizers see a read beyond its end.
      const std::string input = bytes.substr(at + sizeof(length), length);
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    }
  }
  std::printf("%d inputs replayed\n", inputs);
  return inputs > 0 ? 0 : 1;
}
