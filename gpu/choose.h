// What the files choose_*.cc share: a request, refusals, and the families of kernels.
#ifndef MOKA_GPU_CHOOSE_H_
#define MOKA_GPU_CHOOSE_H_

#include <string_view>

#include "base/str_cat.h"
#include "gpu/launcher.h"
#include "gpu/loops.h"

namespace moka::gpu {

struct Request {
  const Profile& profile;
  const OpCall& call;

  const TensorDesc& src(int i) const { return call.src[static_cast<size_t>(i)]; }
  const TensorDesc& dst(int i = 0) const { return call.dst[static_cast<size_t>(i)]; }
  bool constant(int i) const {
    return static_cast<size_t>(i) < call.constants.size() && call.constants[static_cast<size_t>(i)] != nullptr;
  }
};

template <class... Args>
void Refuse(Offer* offer, std::string_view kernel, const Args&... reason) {
  offer->refusals.push_back({kernel, StrCat(reason...)});
}

using ChooseFunction = void (*)(const Request&, Offer*);

void ChooseBatchNorm(const Request& request, Offer* offer);
void ChooseCast(const Request& request, Offer* offer);
void ChooseConcat(const Request& request, Offer* offer);
void ChooseConv(const Request& request, Offer* offer);
void ChooseCopy(const Request& request, Offer* offer);  // operators whose result is a view of source 0
void ChooseElementwise(const Request& request, Offer* offer);
void ChooseGather(const Request& request, Offer* offer);
void ChooseGemm(const Request& request, Offer* offer);
void ChooseMatMul(const Request& request, Offer* offer);
void ChoosePad(const Request& request, Offer* offer);
void ChoosePool(const Request& request, Offer* offer);
void ChooseReduce(const Request& request, Offer* offer);
void ChooseSoftmax(const Request& request, Offer* offer);
void ChooseSplit(const Request& request, Offer* offer);

// 4-byte words of an element in kernels that move words; 0 for the types that they cannot.
int WordsOf(DataType type);

}  // namespace moka::gpu

#endif  // MOKA_GPU_CHOOSE_H_
