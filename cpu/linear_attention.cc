// LinearAttention: a unit is one head of one batch, whose state [size, v_size] stays in scratch from token to token.
#include "ops/linear_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/kernel.h"
#include "cpu/row.h"

namespace moka::cpu {
namespace {

struct LinearLaunch {
  LinearAttentionParams p;
  int64_t length;
  int64_t src[6][4], dst[2][4];  // strides
  int32_t past, present, output;
};

Status ChooseLinear(const Kernel&, const OpCall& call, Choice* choice) {
  MOKA_RETURN_IF_ERROR(RequireF32(call));
  LinearLaunch launch{};
  MOKA_ASSIGN_OR_RETURN(launch.p, LinearAttentionParams::From(call));
  const auto take = [](const TensorDesc& desc, int64_t* strides) {
    std::copy_n(desc.strides.begin(), 4, strides);
    const auto last = static_cast<size_t>(desc.rank - 1);
    return !desc.present() || desc.dims[last] <= 1 || desc.strides[last] == 1;
  };
  for (size_t i = 0; i < call.src.size(); ++i) {
    if (!take(call.src[i], launch.src[i])) return Unsupported("src ", i, " is not contiguous");
  }
  for (size_t i = 0; i < call.dst.size(); ++i) {
    if (!take(call.dst[i], launch.dst[i])) return Unsupported("dst ", i, " is not contiguous");
  }
  const TensorDesc& query = call.src[kLinearQuery];
  launch.length = query.dims[1];
  launch.past = call.has_src(kLinearPast) ? 1 : 0;
  launch.output = call.dst[0].present() ? 1 : 0;
  launch.present = call.dst.size() > 1 && call.dst[1].present() ? 1 : 0;
  choice->units = query.dims[0] * launch.p.kv_heads;
  choice->scratch_per_worker =
      static_cast<uint64_t>(RoundUp(launch.p.size * launch.p.v_size, 16) + 3 * RoundUp(launch.p.v_size, 16)) *
      sizeof(float);
  choice->cost_us = static_cast<double>(8 * choice->units * launch.length * launch.p.size) *
                    static_cast<double>(launch.p.v_size) / kFlopsPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

class Head {
 public:
  Head(const KernelArgs& args, const LinearLaunch& launch, float* scratch)
      : args_(args), launch_(launch), p_(launch.p), table_(*args.simd->row), state_(scratch) {
    value_ = state_ + RoundUp(p_.size * p_.v_size, 16);
    recalled_ = value_ + RoundUp(p_.v_size, 16);
    sum_ = recalled_ + RoundUp(p_.v_size, 16);
  }

  void Run(int64_t unit) {
    b_ = unit / p_.kv_heads;
    head_ = unit % p_.kv_heads;
    for (int64_t d = 0; d < p_.size; ++d) {
      if (launch_.past != 0) {
        const int64_t* strides = launch_.src[kLinearPast];
        const float* from = args_.Src(kLinearPast) + b_ * strides[0] + head_ * strides[1] + d * strides[2];
        std::copy_n(from, p_.v_size, row(d));
      } else {
        std::fill_n(row(d), p_.v_size, 0.0f);
      }
    }
    for (int64_t t = 0; t < launch_.length; ++t) {
      Update(t);
      if (launch_.output != 0) Read(t);
    }
    for (int64_t d = 0; launch_.present != 0 && d < p_.size; ++d) {
      const int64_t* strides = launch_.dst[1];
      std::copy_n(row(d), p_.v_size, args_.Dst(1) + b_ * strides[0] + head_ * strides[1] + d * strides[2]);
    }
  }

 private:
  float* row(int64_t d) const { return state_ + d * p_.v_size; }
  const float* Token(int source, int64_t t) const {
    return args_.Src(source) + b_ * launch_.src[source][0] + t * launch_.src[source][1];
  }

  void Update(int64_t t) {
    const float* key = Token(kLinearKey, t) + head_ * p_.size;
    if (p_.gated) {
      const float* decay = Token(kLinearDecay, t) + (p_.decay_per_head ? head_ : head_ * p_.size);
      for (int64_t d = 0; d < p_.size; ++d) {
        table_.scale(row(d), std::exp(decay[p_.decay_per_head ? 0 : d]), p_.v_size);
      }
    }
    const float* value = Token(kLinearValue, t) + head_ * p_.v_size;
    if (p_.delta) {
      const float beta = Token(kLinearBeta, t)[p_.beta_shared ? 0 : head_];
      std::fill_n(recalled_, p_.v_size, 0.0f);
      table_.add_weighted(key, state_, p_.v_size, p_.size, p_.v_size, recalled_);
      for (int64_t m = 0; m < p_.v_size; ++m) value_[m] = beta * (value[m] - recalled_[m]);
      value = value_;
    }
    for (int64_t d = 0; d < p_.size; ++d) table_.add_weighted(key + d, value, 0, 1, p_.v_size, row(d));
  }

  void Read(int64_t t) {
    const int64_t group = p_.q_heads / p_.kv_heads;
    for (int64_t h = head_ * group; h < (head_ + 1) * group; ++h) {
      std::fill_n(sum_, p_.v_size, 0.0f);
      table_.add_weighted(Token(kLinearQuery, t) + h * p_.size, state_, p_.v_size, p_.size, p_.v_size, sum_);
      table_.scale(sum_, p_.scale, p_.v_size);
      std::copy_n(sum_, p_.v_size, args_.Dst() + b_ * launch_.dst[0][0] + t * launch_.dst[0][1] + h * p_.v_size);
    }
  }

  const KernelArgs& args_;
  const LinearLaunch& launch_;
  const LinearAttentionParams& p_;
  const RowTable& table_;
  float *state_, *value_, *recalled_, *sum_;
  int64_t b_ = 0, head_ = 0;
};

void RunLinear(const KernelArgs& args, int64_t begin, int64_t end, int worker) {
  Head head(args, args.Launch<LinearLaunch>(), args.WorkerScratch(worker));
  for (int64_t unit = begin; unit < end; ++unit) head.Run(unit);
}

}  // namespace

std::span<const KernelRow> LinearAttentionRows() {
  static constexpr KernelRow kRows[] = {{"LinearAttention", "linear_attention", &ChooseLinear, &RunLinear}};
  return kRows;
}

}  // namespace moka::cpu
