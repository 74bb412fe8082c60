#include "tests/conformance/cases.h"

#include <utility>

namespace moka {

OpCase MakeCase(const std::string& name, Attributes attrs, std::vector<CaseOperand> src) {
  OpCase op_case;
  op_case.name = name;
  op_case.op = name.substr(0, name.find('/'));
  op_case.attrs = std::move(attrs);
  op_case.src = std::move(src);
  return op_case;
}

OpCase WithEpilogue(OpCase op_case, const std::string& suffix, MicroProgram program, std::vector<CaseOperand> sources) {
  op_case.name += "_" + suffix;
  op_case.program = program;
  op_case.program_begin = static_cast<int>(op_case.src.size());
  for (CaseOperand& source : sources) op_case.src.push_back(std::move(source));
  return op_case;
}

OpCase MayFallBack(OpCase op_case) {
  op_case.own_on_cpu = op_case.own_on_gpu = false;
  return op_case;
}

OpCase CpuOnly(OpCase op_case) {
  op_case.own_on_gpu = false;
  return op_case;
}

MicroProgram ReluProgram() {
  return OfProgram([](MicroBuilder& b) { return b.Emit(MicroOp::kMax, MicroRegister(0), b.Constant(0)); });
}
MicroProgram Clip6Program() {
  return OfProgram(
      [](MicroBuilder& b) { return b.Emit(MicroOp::kClip, MicroRegister(0), b.Constant(0), b.Constant(6)); });
}
MicroProgram SiluProgram() {
  return OfProgram([](MicroBuilder& b) { return b.Emit(MicroOp::kSilu, MicroRegister(0)); });
}
MicroProgram AddReluProgram() {
  return OfProgram([](MicroBuilder& b) {
    return b.Emit(MicroOp::kMax, b.Emit(MicroOp::kAdd, MicroRegister(0), b.AddSource()), b.Constant(0));
  });
}
MicroProgram ScaleShiftProgram() {
  return OfProgram([](MicroBuilder& b) {
    const uint8_t scale = b.AddSource(), shift = b.AddSource();
    return b.Emit(MicroOp::kMulAdd, MicroRegister(0), scale, shift);
  });
}

std::vector<CaseFamily> CaseFamilies() {
  return {{"Conv", ConvCases},
          {"Pool", PoolCases},
          {"Product", ProductCases},
          {"Row", RowCases},
          {"Norm", NormCases},
          {"Search", SearchCases},
          {"Attention", AttentionCases},
          {"Move", MoveCases},
          {"Elementwise", ElementwiseCases},
          {"Spatial", SpatialCases},
          {"Index", IndexCases},
          {"Lane", LaneCases},
          {"Recurrent", RecurrentCases},
          {"Quant", QuantCases}};
}

}  // namespace moka
