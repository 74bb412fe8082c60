// The shipped model in WebAssembly. JavaScript writes pictures into the memory of classify_input and calls classify.
#include <emscripten.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "moka/moka.h"

namespace {

constexpr int kPixels = 28 * 28;

struct Classifier {
  std::string file;  // the model's bytes, which the model reads its weights from
  moka::Result<moka::Model> model = moka::Status(moka::StatusCode::kNotFound, "no model yet");
  moka::Result<moka::Session> session = moka::Status(moka::StatusCode::kNotFound, "no session yet");
  float picture[kPixels];
};

Classifier& TheClassifier() {
  static Classifier classifier;
  return classifier;
}

int Fail(const moka::Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return -1;
}

}  // namespace

extern "C" {

// Memory for the model's `bytes` bytes.
EMSCRIPTEN_KEEPALIVE char* classify_model(int bytes) {
  TheClassifier().file.resize(static_cast<size_t>(bytes));
  return TheClassifier().file.data();
}

// 0, or -1 with a message on standard error.
EMSCRIPTEN_KEEPALIVE int classify_load() {
  Classifier& c = TheClassifier();
  c.model = moka::Model::FromMemory(c.file);
  if (!c.model.ok()) return Fail(c.model.status());
  c.session = moka::Session::Create(*c.model);
  return c.session.ok() ? 0 : Fail(c.session.status());
}

// Where the 28x28 pixels go, 0 to 1.
EMSCRIPTEN_KEEPALIVE float* classify_input() { return TheClassifier().picture; }

// The class of the picture, or -1.
EMSCRIPTEN_KEEPALIVE int classify() {
  Classifier& c = TheClassifier();
  moka::Result<std::vector<moka::Tensor>> out = c.session->Run({{moka::DataType::kF32, {1, 1, 28, 28}, c.picture}});
  if (!out.ok()) return Fail(out.status());
  const float* p = out->front().as<float>();
  return static_cast<int>(std::max_element(p, p + 10) - p);
}

}  // extern "C"
