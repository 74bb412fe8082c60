#include <cstdio>

#include "moka/moka.h"

int main(int argc, char** argv) {
  moka::Result<moka::Model> model = moka::Model::Load(argc > 1 ? argv[1] : "models/fashion_mnist.onnx");
  if (!model.ok()) return std::puts(model.status().message().c_str()), 1;
  moka::Result<moka::Session> session = moka::Session::Create(*model, {});
  if (!session.ok()) return std::puts(session.status().message().c_str()), 1;
  std::vector<float> picture(28 * 28, 0.5f);
  moka::Result<std::vector<moka::Tensor>> out = session->Run({{moka::DataType::kF32, {1, 1, 28, 28}, picture.data()}});
  if (!out.ok()) return std::puts(out.status().message().c_str()), 1;
  for (int i = 0; i < 10; i++) std::printf("%d: %.4f\n", i, out->front().as<float>()[i]);
}
