// Gemm and MatMul.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "gpu/choose.h"
#include "gpu/epilogue.h"
#include "gpu/gemm.h"
#include "gpu/params.h"
#include "ops/gemm.h"
#include "ops/matmul.h"

namespace moka::gpu {
namespace {

constexpr int kTile = 64;  // rows and columns of a group in gemm_tile.k

bool Multiple(int64_t x) { return x % kVectorLanes == 0; }

// Whether gemm.k can read B as it lies: whole vectors along N, and no row beyond K is touched.
bool ReadsDirectly(const Product& m) { return m.b_col == 1 && Multiple(m.b_row) && m.b_row >= m.n && Multiple(m.k); }

double ProductCost(const Request& request, const Product& m, bool scalar) {
  const double flops = 2.0 * static_cast<double>(m.m) * static_cast<double>(m.n) * static_cast<double>(m.k) *
                       static_cast<double>(m.batches);
  const double bytes = BytesOf(request.src(0)) + BytesOf(request.src(1)) + BytesOf(request.dst());
  return Cost(request.profile, flops, bytes, scalar);
}

// The bias is block 0 and binding 3.
bool AddBias(const Product& m, Epilogue* epilogue) {
  if (m.bias >= 0 && !m.bias_per_channel) return epilogue->AddOperand(m.bias, 3);
  if (m.bias >= 0) {
    epilogue->AddVector(m.bias, 3, m.rows.channel);
  } else {
    epilogue->AddNothing();
  }
  return true;
}

void Offer2D(const Request& request, const Product& m, std::string_view kernel, const PackSpec* pack, Offer* offer) {
  Epilogue epilogue(request.call, false);
  const bool ok = AddBias(m, &epilogue) && epilogue.AddSources(4);
  if (!ok) return Refuse(offer, "gpu/gemm", "an operand does not broadcast to dst");
  epilogue.Layout(&m.rows);
  const int n4 = static_cast<int>(CeilDiv(m.n, kVectorLanes)), k4 = static_cast<int>(CeilDiv(m.k, kVectorLanes));
  GemmKernelParams p{};
  p.m = static_cast<int>(m.m);
  p.n = static_cast<int>(m.n);
  p.n4 = n4;
  p.k4 = k4;
  p.lda = static_cast<int>(m.a_row / kVectorLanes);
  p.ldb = pack != nullptr ? n4 : static_cast<int>(m.b_row / kVectorLanes);
  p.ldc = static_cast<int>(m.c_row / kVectorLanes);
  p.alpha = m.alpha;
  p.beta = m.bias < 0 ? 0 : m.beta;
  Launcher launcher(StrCat(kernel, epilogue.suffix()));
  if (const std::string reason = epilogue.Finish(&launcher, p.e, offsetof(GemmKernelParams, e)); !reason.empty()) {
    return Refuse(offer, "gpu/gemm", reason);
  }
  launcher.Params(p);
  launcher.Src(0, 0, offsetof(GemmKernelParams, a_at), 16);
  launcher.Bind(1, pack != nullptr ? Launch::Binding::kPack : Launch::Binding::kSrc, pack != nullptr ? 0 : 1,
                offsetof(GemmKernelParams, b_at), 16);
  launcher.Dst(2, 0, offsetof(GemmKernelParams, c_at), 16);
  launcher.BindRest(0);
  if (kernel == "gemm_tile") {
    const int64_t groups = CeilDiv(m.m, kTile) * CeilDiv(m.n, kTile);
    launcher.Grid(request.profile, groups * 64, 64);
  } else {
    launcher.Grid(request.profile, CeilDiv(m.m, 8) * CeilDiv(n4, 2), 32);
  }
  Choice choice = launcher.MakeChoice(ProductCost(request, m, false));
  if (pack != nullptr) choice.packs.push_back(*pack);
  offer->choices.push_back(std::move(choice));
}

void OfferAny(const Request& request, const Product& m, Offer* offer) {
  constexpr std::string_view kKernel = "gpu/matmul";
  if (m.batch.dims > 3) return Refuse(offer, kKernel, m.batch.dims, " batch dimensions, at most 3");
  Epilogue epilogue(request.call, false);
  const bool ok = AddBias(m, &epilogue) && epilogue.AddSources(4);
  if (!ok) return Refuse(offer, kKernel, "an operand does not broadcast to dst");
  epilogue.Layout(&m.rows);
  MatMulKernelParams p{};
  p.m = static_cast<int>(m.m);
  p.n = static_cast<int>(m.n);
  p.k = static_cast<int>(m.k);
  p.lanes = static_cast<int>(PaddedAxis(request.dst()) >= 0 && m.c_col == 1 && m.rows.channel >= 0 &&
                                     PaddedAxis(request.dst()) == m.rows.channel
                                 ? RoundUp(m.n, kVectorLanes)
                                 : m.n);
  const int64_t items = CeilDiv(p.lanes, kVectorLanes) * CeilDiv(m.m, 4) * m.batches;
  p.items = static_cast<int>(items);
  p.a_row = static_cast<int>(m.a_row);
  p.a_col = static_cast<int>(m.a_col);
  p.b_row = static_cast<int>(m.b_row);
  p.b_col = static_cast<int>(m.b_col);
  p.c_row = static_cast<int>(m.c_row);
  p.c_col = static_cast<int>(m.c_col);
  for (size_t d = 0; d < 2; ++d) p.size[d] = static_cast<int>(m.batch.dim[d].size);
  m.batch.Strides(0, p.c_batch);
  m.batch.Strides(1, p.a_batch);
  m.batch.Strides(2, p.b_batch);
  Launcher launcher(StrCat("matmul", epilogue.suffix()));
  if (const std::string reason = epilogue.Finish(&launcher, p.e, offsetof(MatMulKernelParams, e)); !reason.empty()) {
    return Refuse(offer, kKernel, reason);
  }
  launcher.SpecFloat("ALPHA", m.alpha);
  launcher.SpecFloat("BETA", m.bias < 0 ? 0 : m.beta);
  launcher.Params(p);
  launcher.Src(0, m.a_src, offsetof(MatMulKernelParams, a_at));
  launcher.Src(1, m.b_src, offsetof(MatMulKernelParams, b_at));
  launcher.Dst(2, 0, offsetof(MatMulKernelParams, c_at));
  launcher.BindRest(0);
  launcher.Grid(request.profile, items, 64);
  offer->choices.push_back(launcher.MakeChoice(ProductCost(request, m, true)));
}

bool RefuseTypes(const Request& request, std::string_view kernel, Offer* offer) {
  for (size_t i = 0; i < request.call.src.size(); ++i) {
    const TensorDesc& src = request.call.src[i];
    if (!src.present() || src.type == DataType::kF32) continue;
    Refuse(offer, kernel, "src ", i, ": type ", NameOf(src.type), ", not f32");
    return true;
  }
  return false;
}

}  // namespace

PackSpec RowsPack(int src, const PackedRows& r) {
  PackSpec pack;
  pack.src = src;
  pack.format = kRowsFormat;
  pack.params = {r.groups, r.taps, r.rows, r.cols, r.group_stride, r.tap_stride, r.row_stride, r.col_stride};
  const int64_t floats = r.groups * r.taps * RoundUp(r.rows, kVectorLanes) * RoundUp(r.cols, kVectorLanes);
  pack.bytes = static_cast<uint64_t>(floats) * sizeof(float);
  return pack;
}

void OfferProduct(const Request& request, const Product& product, Offer* offer) {
  Product m = product;
  if (m.a_src != 0) return OfferAny(request, m, offer);
  if (m.m == 1) {  // no next row: any stride will do
    if (Multiple(m.k)) m.a_row = m.k;
    if (Multiple(m.n) || PaddedAxis(request.dst()) == m.rows.channel) m.c_row = RoundUp(m.n, kVectorLanes);
  }
  // Vectors of A along K: the lanes beyond K are zero where A is padded, and so are the rows of a pack.
  const bool a_vectors = m.a_col == 1 && Multiple(m.a_row) && m.a_row >= m.k;
  const bool c_vectors = m.c_col == 1 && Multiple(m.c_row) && m.c_row >= m.n;
  const bool constant = request.constant(1);
  if (m.batches == 1 && a_vectors && c_vectors && (constant || ReadsDirectly(m))) {
    PackSpec pack;
    if (constant) pack = RowsPack(1, {1, 1, m.k, m.n, 0, 0, m.pack_row, m.pack_col});
    const uint64_t bytes = constant ? pack.bytes : 0;
    if (bytes <= request.profile.max_binding) {
      const bool tile = !request.profile.cpu_driver && request.profile.max_group_invocations >= 64 &&
                        request.profile.shared_bytes >= 8192;
      if (tile) Offer2D(request, m, "gemm_tile", constant ? &pack : nullptr, offer);
      Offer2D(request, m, "gemm", constant ? &pack : nullptr, offer);
    } else {
      Refuse(offer, "gpu/gemm", "src 1: ", bytes, " packed bytes, a binding holds ", request.profile.max_binding);
    }
  } else {
    Refuse(offer, "gpu/gemm", "needs one batch, rows at multiples of 4 and a stride of 1 along K (src 0) and N");
  }
  if (offer->choices.empty() && m.matrices) OfferAny(request, m, offer);
}

void ChooseGemm(const Request& request, Offer* offer) {
  if (RefuseTypes(request, "gpu/gemm", offer)) return;
  const Result<GemmParams> gemm = GemmParams::From(request.call);
  if (!gemm.ok()) return Refuse(offer, "gpu/gemm", gemm.status().message());
  Product m;
  m.m = gemm->m;
  m.n = gemm->n;
  m.k = gemm->k;
  m.a_row = gemm->a_row;
  m.a_col = gemm->a_col;
  m.b_row = gemm->b_row;
  m.b_col = gemm->b_col;
  m.c_row = request.dst().strides[0];
  m.c_col = request.dst().strides[1];
  m.pack_row = gemm->trans_b ? 1 : m.n;
  m.pack_col = gemm->trans_b ? m.k : 1;
  m.alpha = gemm->alpha;
  m.beta = gemm->beta;
  m.bias = request.call.has_src(2) ? 2 : -1;
  m.rows.axes = {0};
  m.rows.count = 1;
  m.rows.channel = 1;
  OfferProduct(request, m, offer);
}

void ChooseMatMul(const Request& request, Offer* offer) {
  if (RefuseTypes(request, "gpu/matmul", offer)) return;
  const Result<MatMulParams> matmul = MatMulParams::From(request.call);
  if (!matmul.ok()) return Refuse(offer, "gpu/matmul", matmul.status().message());
  const TensorDesc &a = request.src(0), &b = request.src(1), &dst = request.dst();
  Product m;
  m.m = matmul->m;
  m.n = matmul->n;
  m.k = matmul->k;
  m.a_row = matmul->a_row;
  m.a_col = matmul->a_col;
  m.b_row = matmul->b_row;
  m.b_col = matmul->b_col;
  m.c_row = matmul->dst_row;
  m.c_col = matmul->dst_col;
  m.pack_row = b.rank == 1 ? 1 : m.n;
  m.pack_col = 1;
  for (int i = 0; i < dst.rank; ++i) m.rows.axes[static_cast<size_t>(m.rows.count++)] = i;
  // A matrix times a column is a row times the transposed matrix, so that the result's only dimension is that of lanes.
  const bool swapped = b.rank == 1 && a.rank > 1;
  if (swapped) {
    std::swap(m.a_src, m.b_src);
    m.n = std::exchange(m.m, 1);
    m.b_col = std::exchange(m.a_row, 0);
    m.c_col = std::exchange(m.c_row, 0);
    std::swap(m.a_col, m.b_row);
  }
  if (dst.rank > 0 && (swapped || b.rank > 1)) m.rows.channel = m.rows.axes[static_cast<size_t>(--m.rows.count)];
  for (int i = matmul->batch_rank - 1; i >= 0; --i) {
    const size_t k = static_cast<size_t>(i);
    Loops::Dim d;
    d.size = matmul->batch[k];
    d.stride = {matmul->dst_batch[k], matmul->a_batch[k], matmul->b_batch[k]};
    if (swapped) std::swap(d.stride[1], d.stride[2]);
    m.batch.AddOutermost(d);
  }
  m.batch.Merge(false);
  m.batches = matmul->Batches();
  // Batches that only lengthen A are more rows of one product.
  const Loops::Dim& batch = m.batch.at(0);
  const bool rows_go_on = m.m == 1 || (batch.stride[0] == m.m * m.c_row && batch.stride[1] == m.m * m.a_row);
  if (m.batches > 1 && b.rank == 2 && m.batch.dims == 1 && a.rank > 2 && rows_go_on) {
    if (m.m == 1) {
      m.c_row = batch.stride[0];
      m.a_row = batch.stride[1];
    }
    m.m *= m.batches;
    m.batches = 1;
    m.batch = Loops{};
    m.batch.Merge(false);
  }
  OfferProduct(request, m, offer);
}

}  // namespace moka::gpu
