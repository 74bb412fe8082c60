// The tiles of cpu/byte_tile.h over a function Dot4. Included behind cpu/byte_finish-inl.h, and like it; the target
// also has
//   Weights: a vector of weights [kLanes][4] as Dot4 wants it;  static Weights Load(const int8_t*);
//   Inputs: 4 elements of A for each lane;                      static Inputs Make(VI bytes);
//   static VI Dot4(VI sum, const Inputs&, const Weights&): adds the 4 products of each lane, exactly.

using DB = hn::Rebind<uint8_t, D>;

static HWY_INLINE VI Promote(hn::Vec<DB> bytes, int32_t is_signed) {
  const DI d;
  return is_signed != 0 ? hn::PromoteTo(d, hn::BitCast(hn::RebindToSigned<DB>(), bytes)) : hn::PromoteTo(d, bytes);
}

// The `count` first of kLanes bytes.
static HWY_INLINE VI LoadBytes(const uint8_t* p, int64_t count, int32_t is_signed) {
  const DB d;
  if (count >= kLanes) return Promote(hn::LoadU(d, p), is_signed);
  HWY_ALIGN uint8_t lanes[kLanes < 16 ? 16 : kLanes] = {};
  std::memcpy(lanes, p, static_cast<size_t>(count));
  return Promote(hn::Load(d, lanes), is_signed);
}

static HWY_INLINE void StoreBytes(VI values, uint8_t* p, int64_t count) {
  const DB d;
  const auto bytes = hn::TruncateTo(d, hn::BitCast(hn::RebindToUnsigned<DI>(), values));
  if (count >= kLanes) return hn::StoreU(bytes, d, p);
  HWY_ALIGN uint8_t lanes[kLanes < 16 ? 16 : kLanes];
  hn::Store(bytes, d, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(count));
}

static HWY_INLINE void StoreFloats(V x, float* p, int64_t count) {
  count >= kLanes ? hn::StoreU(x, D(), p) : StorePart(x, p, count);
}

// One vector of sums of one row; `at` is its column in the panel, `left` the columns from there on.
static HWY_INLINE void FinishVector(const ByteTileArgs& args, int row, VI sum, int64_t at, int64_t left) {
  const D d;
  const DI di;
  const ByteFinish& f = args.finish;
  if (f.b_zero != nullptr) sum = hn::Sub(sum, hn::Mul(hn::LoadU(di, f.b_zero + at), hn::Set(di, args.sums[row])));
  const int64_t to = args.col + at;
  if (f.kind == ByteFinish::kI32) {
    return StoreFloats(hn::BitCast(d, sum), static_cast<float*>(args.dst[row]) + to, left);
  }
  if (f.kind == ByteFinish::kF32) {
    V x = hn::Mul(hn::ConvertTo(d, sum), hn::LoadU(d, f.scale + at));
    if (f.bias != nullptr) x = hn::Add(x, hn::LoadU(d, f.bias + at));
    return StoreFloats(x, static_cast<float*>(args.dst[row]) + to, left);
  }
  V x = Scaled(f, sum, at);
  if (args.residual != nullptr) x = AddResidual(f, x, LoadBytes(args.residual[row] + to, left, f.residual_signed));
  const VI y = args.residual != nullptr ? Round(x, f.sum_lo, f.sum_hi) : Round(x, f.lo, f.hi);
  const VI zero = hn::Set(di, args.residual != nullptr ? f.sum_zero : f.zero);
  StoreBytes(hn::Add(y, zero), static_cast<uint8_t*>(args.dst[row]) + to, left);
}

// kVectors * kLanes bytes, or the `count` first.
template <bool kWhole, int kVectors>
static HWY_INLINE void StoreColumns(VBytes bytes, uint8_t* p, int64_t count) {
  const DBytes d;
  if constexpr (!kWhole || kVectors == 3) {
    hn::BlendedStore(bytes, hn::FirstN(d, static_cast<size_t>(count)), d, p);
  } else if constexpr (kVectors == 4) {
    hn::StoreU(bytes, d, p);
  } else if constexpr (kVectors == 2) {
    const hn::Half<DBytes> half;
    hn::StoreU(hn::LowerHalf(half, bytes), half, p);
  } else {
    const DB quarter;
    hn::StoreU(hn::LowerHalf(quarter, hn::LowerHalf(hn::Half<DBytes>(), bytes)), quarter, p);
  }
}

template <bool kWhole>
static HWY_INLINE VI LoadResidual(const uint8_t* p, int64_t count, hn::Vec<DB> flip) {
  const DB d;
  if constexpr (kWhole) return hn::PromoteTo(DI(), hn::Xor(flip, hn::LoadU(d, p)));
  const auto mask = hn::FirstN(d, static_cast<size_t>(count > 0 ? count : 0));
  return hn::PromoteTo(DI(), hn::Xor(flip, hn::MaskedLoad(mask, d, p)));
}

// One row of a tile of vectors of 16 lanes that becomes bytes. The residual is u8.
template <bool kResidual, bool kSaturates, bool kWhole, int kVectors>
static HWY_INLINE void FinishRow(const ByteFinish& f, const Packing& packing, hn::Vec<DB> residual_flip,
                                 const VI (&sums)[kVectors], const uint8_t* residual, uint8_t* dst, int64_t cols) {
  const DI di;
  alignas(64) static constexpr int32_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const auto order = hn::SetTableIndices(di, kOrder);
  VI y[4];
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
    const int at = j * kLanes;
    if constexpr (kResidual) {
      y[j] = FinishLanes<kSaturates>(f, sums[j], at, LoadResidual<kWhole>(residual + at, cols - at, residual_flip));
    } else {
      y[j] = FinishLanes<kSaturates>(f, sums[j], at);
    }
  }
  MOKA_UNROLL for (int j = kVectors; j < 4; ++j) y[j] = y[j % kVectors];
  const VBytes bytes = hn::BitCast(DBytes(), hn::TableLookupLanes(hn::BitCast(di, packing.Pack(y)), order));
  StoreColumns<kWhole, kVectors>(hn::Xor(bytes, packing.flip), dst, cols);
}

// A copy in which the residual is u8. Being local it need not be read again after each row.
static HWY_INLINE ByteFinish LocalFinish(const ByteFinish& finish) {
  ByteFinish f = finish;
  f.residual_zero += f.residual_signed != 0 ? 128 : 0;
  return f;
}
static HWY_INLINE hn::Vec<DB> ResidualFlip(const ByteFinish& f) {
  return hn::Set(DB(), static_cast<uint8_t>(f.residual_signed != 0 ? 128 : 0));
}

// Rows of whole vectors, from registers.
template <bool kResidual, int kRows, int kVectors>
static HWY_INLINE void FinishRows(const ByteTileArgs& args, const VI (&acc)[kRows][kVectors]) {
  const ByteFinish f = LocalFinish(args.finish);
  const Packing packing(f, kResidual);
  const hn::Vec<DB> flip = ResidualFlip(f);
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    const uint8_t* residual = kResidual ? args.residual[i] + args.col : nullptr;
    uint8_t* dst = static_cast<uint8_t*>(args.dst[i]) + args.col;
    FinishRow<kResidual, true, true>(f, packing, flip, acc[i], residual, dst, kVectors * kLanes);
  }
}

// Any rows, from memory: once per width.
template <bool kResidual, bool kSaturates, int kVectors>
static void FinishStored(const ByteTileArgs& args, const int32_t* sums, int rows) {
  const DI d;
  const ByteFinish f = LocalFinish(args.finish);
  const Packing packing(f, kResidual);
  const hn::Vec<DB> flip = ResidualFlip(f);
  const int64_t col = args.col, cols = args.cols;
  for (int i = 0; i < rows; ++i, sums += kVectors * kLanes) {
    VI row[kVectors];
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) row[j] = hn::Load(d, sums + j * kLanes);
    const uint8_t* residual = kResidual ? args.residual[i] + col : nullptr;
    uint8_t* dst = static_cast<uint8_t*>(args.dst[i]) + col;
    FinishRow<kResidual, kSaturates, false>(f, packing, flip, row, residual, dst, cols);
  }
}

template <int kRows, int kVectors>
static HWY_INLINE void FinishBytes(const ByteTileArgs& args, const VI (&acc)[kRows][kVectors]) {
  const bool residual = args.residual != nullptr, saturates = args.finish.saturates != 0;
  if (args.cols == kVectors * kLanes && saturates) {
    return residual ? FinishRows<true>(args, acc) : FinishRows<false>(args, acc);
  }
  const DI d;
  HWY_ALIGN int32_t sums[kRows * kVectors * kLanes];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) hn::Store(acc[i][j], d, sums + (i * kVectors + j) * kLanes);
  }
  if (residual) {
    saturates ? FinishStored<true, true, kVectors>(args, sums, kRows)
              : FinishStored<true, false, kVectors>(args, sums, kRows);
  } else {
    saturates ? FinishStored<false, true, kVectors>(args, sums, kRows)
              : FinishStored<false, false, kVectors>(args, sums, kRows);
  }
}

// The `rest` first of 4 bytes, 1 to 3.
static HWY_INLINE int32_t LoadPartOfQuad(const uint8_t* p, int64_t rest) {
  int32_t quad = p[0];
  if (rest > 1) quad |= p[1] << 8;
  if (rest > 2) quad |= p[2] << 16;
  return quad;
}

// The 4 elements of each row at `at`, or the `rest` last ones.
template <bool kWhole, int kRows, int kVectors>
static HWY_INLINE void AddQuad(const uint8_t* const (&a)[kRows], int64_t at, int64_t rest, VI flip, const int8_t* b,
                               VI (&acc)[kRows][kVectors]) {
  const DI d;
  Weights weights[kVectors];
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) weights[j] = Load(b + j * 4 * kLanes);
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    int32_t quad = 0;
    kWhole ? static_cast<void>(std::memcpy(&quad, a[i] + at, 4))
           : static_cast<void>(quad = LoadPartOfQuad(a[i] + at, rest));
    const Inputs x = Make(hn::Xor(flip, hn::Set(d, quad)));
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = Dot4(acc[i][j], x, weights[j]);
  }
}

template <int kRows, int kVectors>
static void ByteTile(const ByteTileArgs& args) {
  const DI d;
  constexpr int64_t kStep = 4 * kLanes * kVectors;
  VI acc[kRows][kVectors];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = hn::LoadU(d, args.finish.offset + j * kLanes);
  }
  const VI flip = hn::Set(d, static_cast<int32_t>(args.flip));
  const int8_t* b = args.b;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const uint8_t* a[kRows];
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) a[i] = args.rows[i] + args.segments[s];
    for (int64_t q = 0; q < args.quads; ++q, b += kStep) AddQuad<true, kRows, kVectors>(a, 4 * q, 0, flip, b, acc);
    if (args.rest == 0) continue;
    AddQuad<false, kRows, kVectors>(a, 4 * args.quads, args.rest, flip, b, acc);
    b += kStep;
  }
  if constexpr (kLanes == 16) {
    if (args.finish.kind == ByteFinish::kBytes && args.finish.b_zero == nullptr) {
      return FinishBytes<kRows, kVectors>(args, acc);
    }
  }
  // Through memory, so that the loop over rows need not be unrolled: with it the sums would live in memory above, too.
  HWY_ALIGN int32_t sums[kRows][kVectors * kLanes];
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) hn::Store(acc[i][j], d, &sums[i][j * kLanes]);
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j * kLanes < args.cols && j < kVectors; ++j) {
      FinishVector(args, i, hn::Load(d, &sums[i][j * kLanes]), j * kLanes, args.cols - j * kLanes);
    }
  }
}
