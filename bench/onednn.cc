#include <omp.h>

#include <algorithm>
#include <memory>
#include <random>
#include <unordered_map>
#include <utility>

#include "bench/contender.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace moka::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& TheEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc Desc(const memory::dims& dims, Tag tag = Tag::any) { return {dims, memory::data_type::f32, tag}; }

memory Filled(const memory::desc& desc) {
  memory result(desc, TheEngine());
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-0.1f, 0.1f);
  auto* values = static_cast<float*>(result.get_data_handle());
  std::generate_n(values, desc.get_size() / sizeof(float), [&] { return uniform(random); });
  return result;
}

template <class Primitive>
struct Call {
  Primitive primitive;
  std::unordered_map<int, memory> arguments;
  dnnl::stream stream{TheEngine()};

  void operator()() {
    primitive.execute(stream, arguments);
    stream.wait();
  }
};

// One contender for each implementation behind `desc` that is new and no reference; `suffix` goes behind its name.
template <class Primitive>
void AddAll(const typename Primitive::desc& desc, const dnnl::primitive_attr& attr, const char* suffix,
            std::vector<Contender>& into) {
  try {
    typename Primitive::primitive_desc candidate(desc, attr, TheEngine());
    do {
      const std::string name = candidate.impl_info_str() + std::string(suffix);
      const bool known = std::any_of(into.begin(), into.end(), [&](const Contender& c) { return c.kernel == name; });
      if (known || name.find("ref") != std::string::npos) continue;
      Call<Primitive> call{Primitive(candidate),
                           {{DNNL_ARG_SRC, Filled(candidate.src_desc())},
                            {DNNL_ARG_WEIGHTS, Filled(candidate.weights_desc())},
                            {DNNL_ARG_BIAS, Filled(candidate.bias_desc())},
                            {DNNL_ARG_DST, Filled(candidate.dst_desc())}}};
      into.push_back({"onednn", name, std::move(call)});
    } while (candidate.next_impl());
  } catch (const dnnl::error&) {
    // It has no such implementation for this shape or this CPU.
  }
}

}  // namespace

std::vector<Contender> OneDnn(const ProductShape& shape, int threads) {
  omp_set_num_threads(threads);
  std::vector<Contender> result;
  AddAll<dnnl::matmul>({Desc({shape.m, shape.k}, Tag::ab), Desc({shape.k, shape.n}), Desc({1, shape.n}, Tag::ab),
                        Desc({shape.m, shape.n}, Tag::ab)},
                       {}, "", result);
  AddAll<dnnl::inner_product_forward>({dnnl::prop_kind::forward_inference, Desc({shape.m, shape.k}),
                                       Desc({shape.n, shape.k}), Desc({shape.n}, Tag::a), Desc({shape.m, shape.n})},
                                      {}, "", result);
  return result;
}

std::vector<Contender> OneDnn(const ConvolutionShape& shape, int threads) {
  omp_set_num_threads(threads);
  const int64_t side = shape.kernel, pad = shape.pad();
  memory::dims weights{shape.outputs, shape.channels / shape.groups, side, side};
  if (shape.groups > 1)
    weights = {shape.groups, shape.outputs / shape.groups, shape.channels / shape.groups, side, side};
  dnnl::post_ops relu;
  relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  dnnl::primitive_attr attr;
  attr.set_post_ops(relu);
  const memory::dims src{1, shape.channels, shape.size, shape.size}, dst{1, shape.outputs, shape.out(), shape.out()};
  std::vector<Contender> result;
  // Pixels side by side, as moka has them, and blocks of channels.
  for (const Tag tag : {Tag::any, Tag::nhwc})
    for (const auto algorithm : {dnnl::algorithm::convolution_auto, dnnl::algorithm::convolution_direct,
                                 dnnl::algorithm::convolution_winograd})
      AddAll<dnnl::convolution_forward>({dnnl::prop_kind::forward_inference,
                                         algorithm,
                                         Desc(src, tag),
                                         Desc(weights),
                                         Desc({shape.outputs}, Tag::a),
                                         Desc(dst, tag),
                                         {shape.stride, shape.stride},
                                         {pad, pad},
                                         {pad, pad}},
                                        attr, tag == Tag::nhwc ? " nhwc" : "", result);
  return result;
}

}  // namespace moka::bench
