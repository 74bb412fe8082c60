// usage: custom_op MODEL [LIBRARY]
// Runs a model that uses com.example.Histogram on a ramp from 0 to 1. The operator is the program's own, or, with
// LIBRARY, that of a shared library.
#include <cstdio>

#include "examples/custom_op/histogram.h"
#include "moka/moka.h"

namespace {

int Fail(const moka::Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: custom_op MODEL [LIBRARY]\n");
    return 2;
  }
  if (argc == 3) {
    const moka::Result<int> loaded = moka::LoadCustomOps(argv[2]);
    if (!loaded.ok()) return Fail(loaded.status());
  } else if (const moka::Status status = moka::RegisterCustomOp(MakeHistogram()); !status.ok()) {
    return Fail(status);
  }
  moka::Result<moka::Model> model = moka::Model::Load(argv[1]);
  if (!model.ok()) return Fail(model.status());
  moka::Result<moka::Session> session = moka::Session::Create(*model);
  if (!session.ok()) return Fail(session.status());
  moka::Result<moka::Tensor> ramp = moka::Tensor::Create(moka::DataType::kF32, {1000});
  if (!ramp.ok()) return Fail(ramp.status());
  for (int i = 0; i < 1000; ++i) ramp->as<float>()[i] = static_cast<float>(i) / 1000.0f;
  const auto outputs = session->Run({ramp->view()});
  if (!outputs.ok()) return Fail(outputs.status());
  const moka::Tensor& counts = (*outputs)[0];
  for (int64_t i = 0; i < counts.size(); ++i) std::printf("%lld\n", static_cast<long long>(counts.as<int64_t>()[i]));
}
