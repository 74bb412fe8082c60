// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. The sum over all samples has one order, so there is one unit.
#include "ops/loss.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernel.h"
#include "cpu/nest.h"
#include "cpu/row.h"
#include "ops/element.h"

namespace moka::cpu {
namespace {

constexpr int64_t kMostColumns = 256;  // of a block of samples
enum : size_t { kScores, kClasses, kLoss, kLogs };

struct LossLaunch {
  LossReduction reduction;
  int32_t softmax, has_weights, has_logs, has_ignored;
  int64_t ignored;
  Nest<4> outer;  // samples: strides of scores, classes, the loss, the logarithms
  int64_t cols;   // samples beside each other; 0: the scores of a sample are contiguous
  Nest<4>::Strides col_step;
  int64_t classes, class_step, log_step;
};

template <bool kSoftmax>
Status ChooseLoss(const Kernel&, const OpCall& call, Choice* choice) {
  const TensorDesc &x = call.src[0], &labels = call.src[1];
  for (const size_t i : {size_t{0}, size_t{2}}) {
    if (call.has_src(static_cast<int>(i)) && call.src[i].type != DataType::kF32) {
      return Unsupported("src ", i, ": ", NameOf(call.src[i].type), ", not f32");
    }
  }
  if (!call.dst[0].present()) return Unsupported("dst 0 is absent");
  MOKA_ASSIGN_OR_RETURN(const LossParams params, LossParams::From(*call.attrs));
  LossLaunch launch{};
  launch.reduction = params.reduction;
  launch.softmax = kSoftmax ? 1 : 0;
  launch.has_weights = call.has_src(2) ? 1 : 0;
  launch.has_logs = call.dst.size() > 1 && call.dst[1].present() ? 1 : 0;
  launch.has_ignored = params.ignored ? 1 : 0;
  launch.ignored = params.ignored.value_or(0);
  launch.classes = x.dims[1];
  launch.class_step = x.strides[1];
  launch.log_step = launch.has_logs != 0 ? call.dst[1].strides[1] : 0;
  for (size_t d = 0; d < static_cast<size_t>(labels.rank); ++d) {
    const size_t of_x = d == 0 ? 0 : d + 1;
    launch.outer.Add(labels.dims[d], {x.strides[of_x], labels.strides[d],
                                      params.reduction == LossReduction::kNone ? call.dst[0].strides[d] : 0,
                                      launch.has_logs != 0 ? call.dst[1].strides[of_x] : 0});
  }
  launch.outer.Merge();
  const bool logs_along = launch.has_logs == 0 || launch.log_step == 1;
  if (launch.class_step != 1 || launch.classes == 1 || !logs_along) {
    launch.cols = 1;
    const int64_t last = launch.outer.rank - 1;
    const auto contiguous = [&](size_t operand) { return launch.outer.strides[last][operand] == 1; };
    if (last >= 0 && launch.outer.dims[last] > 0 && contiguous(kScores) && (launch.has_logs == 0 || contiguous(kLogs))) {
      launch.cols = launch.outer.dims[last];
      launch.col_step = launch.outer.strides[last];
      launch.outer.Remove(last);
    }
  }
  choice->units = 1;
  choice->cost_us =
      static_cast<double>((kSoftmax ? 12 : 0) * x.NumElements() + 16 * labels.NumElements()) / kBytesPerMicrosecond;
  choice->launch = Blob::Of(launch);
  return Status();
}

class LossRun {
 public:
  explicit LossRun(const KernelArgs& args) : args_(args), launch_(args.Launch<LossLaunch>()) {}

  Status Run() {
    const int64_t count = launch_.outer.Count(), cols = std::max<int64_t>(launch_.cols, 1);
    if (count * cols != 0) {
      int64_t i = 0;
      for (Walk<4> at(launch_.outer); i < count; ++i, at.Next()) {
        for (int64_t first = 0; first < cols; first += kMostColumns) {
          MOKA_RETURN_IF_ERROR(Samples(at, first, std::min(cols - first, kMostColumns)));
        }
      }
    }
    if (launch_.reduction == LossReduction::kNone) return Status();
    *args_.Dst() = static_cast<float>(launch_.reduction == LossReduction::kMean ? sum_ / weights_ : sum_);
    return Status();
  }

 private:
  // Fills less_ with what is taken from the scores of each sample.
  void Logarithms(const float* src, int64_t cols) {
    const VectorTable& vector = *args_.simd->vector;
    const RowTable& row = *args_.simd->row;
    const auto max = static_cast<size_t>(Fold::kMax);
    if (launch_.cols == 0) {
      const float largest = vector.fold_run[max](src, launch_.classes);
      less_[0] = largest + std::log(row.sum_exp(src, largest, launch_.classes));
      return;
    }
    float largest[kMostColumns];
    const Taps taps = {{1, 1, launch_.classes}, {0, 0, launch_.class_step}};
    vector.fold_columns[max](src, taps, 1.0f, largest, cols);
    row.sum_exp_columns(src, taps, largest, less_, cols);
    for (int64_t j = 0; j < cols; ++j) less_[j] = largest[j] + std::log(less_[j]);
  }

  void StoreLogarithms(const float* src, float* dst, int64_t cols) const {
    static constexpr float kZeros[kMostColumns] = {};
    const VectorTable& vector = *args_.simd->vector;
    if (launch_.cols == 0) return vector.normalize_run(src, less_[0], 1, 0, dst, launch_.classes);
    float ones[kMostColumns];
    std::fill_n(ones, cols, 1.0f);
    for (int64_t c = 0; c < launch_.classes; ++c) {
      vector.normalize_columns(src + c * launch_.class_step, less_, ones, kZeros, dst + c * launch_.log_step, cols);
    }
  }

  Status Samples(const Walk<4>& at, int64_t first, int64_t cols) {
    const float* src = args_.Src(0) + at[kScores] + first * launch_.col_step[kScores];
    std::fill_n(less_, cols, 0.0f);
    if (launch_.softmax != 0) Logarithms(src, cols);
    if (launch_.has_logs != 0) {
      StoreLogarithms(src, args_.Dst(1) + at[kLogs] + first * launch_.col_step[kLogs], cols);
    }
    const TensorDesc& labels = args_.src_desc[1];
    for (int64_t j = 0; j < cols; ++j) {
      const int64_t label =
          Load<int64_t>(labels, args_.src[1], at[kClasses] + (first + j) * launch_.col_step[kClasses]);
      float loss = 0;
      if (launch_.has_ignored == 0 || label != launch_.ignored) {
        if (label < 0 || label >= launch_.classes) {
          return InvalidArgument("src 1: class ", label, ", expected 0 to ", launch_.classes - 1);
        }
        const float weight = launch_.has_weights != 0 ? args_.Src(2)[label * args_.src_desc[2].strides[0]] : 1.0f;
        loss = (less_[j] - src[j + label * launch_.class_step]) * weight;
        sum_ += static_cast<double>(loss);
        weights_ += static_cast<double>(weight);
      }
      if (launch_.reduction == LossReduction::kNone) {
        args_.Dst()[at[kLoss] + (first + j) * launch_.col_step[kLoss]] = loss;
      }
    }
    return Status();
  }

  const KernelArgs& args_;
  const LossLaunch& launch_;
  double sum_ = 0, weights_ = 0;
  float less_[kMostColumns];
};

void RunLoss(const KernelArgs& args, int64_t, int64_t, int) {
  Status status = LossRun(args).Run();
  if (!status.ok()) args.error->Set(std::move(status));
}

}  // namespace

std::span<const KernelRow> LossRows() {
  static constexpr KernelRow kRows[] = {
      {"NegativeLogLikelihoodLoss", "loss", &ChooseLoss<false>, &RunLoss},
      {"SoftmaxCrossEntropyLoss", "loss", &ChooseLoss<true>, &RunLoss},
  };
  return kRows;
}

}  // namespace moka::cpu
