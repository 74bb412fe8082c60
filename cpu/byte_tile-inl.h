// The tiles of cpu/byte_tile.h over a function Dot4. Included inside the namespace of a target, which has D, V, kLanes,
// hn and
//   struct Weights: a vector of weights [kLanes][4] as Dot4 wants it;  static Weights Load(const int8_t*);
//   struct Inputs: 4 elements of A for each lane;                      static Inputs Make(VI bytes);
//   static VI Dot4(VI sum, const Inputs&, const Weights&): adds the 4 products of each lane, exactly;
//   static VBytes PackLanes(const VI (&)[4], VI bias): lanes plus bias, saturated to [0, 255], as bytes, 4 lanes of
//   each
//     vector in each 16 bytes. Lanes are at most 512.
// More than once in a file where a target has variants, so without a guard.

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

// Clips and rounds half to even.
static HWY_INLINE VI Round(V x, float lo, float hi) {
  const D d;
  return hn::NearestInt(hn::Min(hn::Max(x, hn::Set(d, lo)), hn::Set(d, hi)));
}

// The same where what is too low saturates later.
static HWY_INLINE VI RoundBelow(V x, float hi) { return hn::NearestInt(hn::Min(x, hn::Set(D(), hi))); }

// y of ByteFinish, without its zero.
static HWY_INLINE VI Requantize(const ByteFinish& f, VI sum, int64_t at) {
  const D d;
  return Round(hn::Mul(hn::ConvertTo(d, sum), hn::LoadU(d, f.scale + at)), f.lo, f.hi);
}
// Without sum_zero.
static HWY_INLINE VI AddResidual(const ByteFinish& f, VI y, VI residual) {
  const D d;
  const DI di;
  const V other = hn::ConvertTo(d, hn::Sub(residual, hn::Set(di, f.residual_zero)));
  const V x = hn::Add(hn::Mul(hn::ConvertTo(d, y), hn::Set(d, f.ratio)), hn::Mul(other, hn::Set(d, f.residual_ratio)));
  return Round(x, f.sum_lo, f.sum_hi);
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
  VI y = Requantize(f, sum, at);
  if (args.residual != nullptr) y = AddResidual(f, y, LoadBytes(args.residual[row] + to, left, f.residual_signed));
  y = hn::Add(y, hn::Set(di, args.residual != nullptr ? f.sum_zero : f.zero));
  StoreBytes(y, static_cast<uint8_t*>(args.dst[row]) + to, left);
}

// What makes lanes bytes: they are packed as u8, so i8 needs a bias to get there and its sign bit flipped to get back.
struct Packing {
  VI bias;
  VBytes lowest, flip;

  Packing(const ByteFinish& f, bool residual) {
    const int32_t sign = f.dst_signed != 0 ? 128 : 0;
    const int32_t zero = residual ? f.sum_zero : f.zero;
    bias = hn::Set(DI(), zero + sign);
    lowest = hn::Set(DBytes(), static_cast<uint8_t>(static_cast<int32_t>(residual ? f.sum_lo : f.lo) + zero + sign));
    flip = hn::Set(DBytes(), static_cast<uint8_t>(sign));
  }
  HWY_INLINE VBytes Pack(const VI (&lanes)[4]) const { return hn::Max(PackLanes(lanes, bias), lowest); }
};

// The last step of 4 vectors of one row: rounded, not yet saturated from below.
static HWY_INLINE VI FinishLanes(const ByteFinish& f, VI sum, int64_t at) {
  const D d;
  return RoundBelow(hn::Mul(hn::ConvertTo(d, sum), hn::LoadU(d, f.scale + at)), f.hi);
}

// The `count` first bytes of 64 in the order of columns.
static HWY_INLINE void StoreColumns(VBytes bytes, uint8_t* p, int64_t count) {
  const DBytes d;
  if (count >= 4 * kLanes) return hn::StoreU(bytes, d, p);
  hn::BlendedStore(bytes, hn::FirstN(d, static_cast<size_t>(count)), d, p);
}

static HWY_INLINE VI LoadResidual(const uint8_t* p, int64_t count, int32_t is_signed) {
  const DB d;
  if (count >= kLanes) return Promote(hn::LoadU(d, p), is_signed);
  return Promote(hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count > 0 ? count : 0)), d, p), is_signed);
}

// All of a tile of vectors of 16 lanes that becomes bytes: rows are stored at once. Masks are cheap on such targets.
template <int kRows, int kVectors>
static HWY_INLINE void FinishBytes(const ByteTileArgs& args, VI (&acc)[kRows][kVectors]) {
  const DI di;
  const ByteFinish& f = args.finish;
  const bool has_residual = args.residual != nullptr;
  const Packing packing(f, has_residual);
  alignas(64) static constexpr int32_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const auto order = hn::SetTableIndices(di, kOrder);
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    VI y[4];
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) {
      if (!has_residual) {
        y[j] = FinishLanes(f, acc[i][j], j * kLanes);
        continue;
      }
      const uint8_t* residual = args.residual[i] + args.col + j * kLanes;
      y[j] = AddResidual(f, Requantize(f, acc[i][j], j * kLanes),
                         LoadResidual(residual, args.cols - j * kLanes, f.residual_signed));
    }
    MOKA_UNROLL for (int j = kVectors; j < 4; ++j) y[j] = y[0];
    const VBytes bytes = hn::BitCast(DBytes(), hn::TableLookupLanes(hn::BitCast(di, packing.Pack(y)), order));
    StoreColumns(hn::Xor(bytes, packing.flip), static_cast<uint8_t*>(args.dst[i]) + args.col, args.cols);
  }
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
    std::memcpy(&quad, a[i] + at, kWhole ? 4 : static_cast<size_t>(rest));
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

// ---- Depthwise ----------------------------------------------------------------------------------------------------

inline constexpr int kBlockChannels = 4 * kLanes;

static HWY_INLINE VBytes LoadTap(const uint8_t* p, int64_t left) {
  const DBytes d;
  if (left >= kBlockChannels) return hn::LoadU(d, p);
#if HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(left)), d, p);
#else
  HWY_ALIGN uint8_t bytes[kBlockChannels] = {};
  std::memcpy(bytes, p, static_cast<size_t>(left));
  return hn::Load(d, bytes);
#endif
}

// The opposite of PackLanes: the bytes of channels as lanes of 4 vectors.
static HWY_INLINE VI UnpackBlock(VBytes bytes, int j, int32_t is_signed) {
  const DBytes d;
  const DI di;
  alignas(16) static constexpr uint8_t kFrom[4][16] = {
      {0, 128, 128, 128, 1, 128, 128, 128, 2, 128, 128, 128, 3, 128, 128, 128},
      {4, 128, 128, 128, 5, 128, 128, 128, 6, 128, 128, 128, 7, 128, 128, 128},
      {8, 128, 128, 128, 9, 128, 128, 128, 10, 128, 128, 128, 11, 128, 128, 128},
      {12, 128, 128, 128, 13, 128, 128, 128, 14, 128, 128, 128, 15, 128, 128, 128}};
  const VI lanes = hn::BitCast(di, hn::TableLookupBytesOr0(bytes, hn::LoadDup128(d, kFrom[j])));
  return is_signed != 0 ? hn::ShiftRight<24>(hn::ShiftLeft<24>(lanes)) : lanes;
}

// Adds the sums of a block of channels, lanes as PackLanes wants them.
static HWY_INLINE void SumTaps(const ByteDepthwiseArgs& args, int64_t at, int64_t left, const int8_t* weights,
                               VI (&acc)[4]) {
  const DBytes d;
  const hn::Repartition<uint16_t, D> d16;
  const DI di;
  const VI flip = hn::Set(di, static_cast<int32_t>(args.flip));
  for (int64_t q = 0; q < args.quads; ++q) {
    const uint8_t* const* taps = args.taps + 4 * q;
    const VBytes t0 = LoadTap(taps[0] + at, left), t1 = LoadTap(taps[1] + at, left);
    const VBytes t2 = LoadTap(taps[2] + at, left), t3 = LoadTap(taps[3] + at, left);
    const auto lower01 = hn::BitCast(d16, hn::InterleaveLower(d, t0, t1));
    const auto upper01 = hn::BitCast(d16, hn::InterleaveUpper(d, t0, t1));
    const auto lower23 = hn::BitCast(d16, hn::InterleaveLower(d, t2, t3));
    const auto upper23 = hn::BitCast(d16, hn::InterleaveUpper(d, t2, t3));
    const VI bytes[4] = {
        hn::BitCast(di, hn::InterleaveLower(d16, lower01, lower23)),
        hn::BitCast(di, hn::InterleaveUpper(d16, lower01, lower23)),
        hn::BitCast(di, hn::InterleaveLower(d16, upper01, upper23)),
        hn::BitCast(di, hn::InterleaveUpper(d16, upper01, upper23)),
    };
    MOKA_UNROLL for (int j = 0; j < 4; ++j) {
      acc[j] = Dot4(acc[j], Make(hn::Xor(flip, bytes[j])), Load(weights));
      weights += 4 * kLanes;
    }
  }
}

// A block of one pixel: `c` is its first channel, `at` that of the weights.
static HWY_INLINE VBytes DepthwiseBlock(const ByteDepthwiseArgs& args, int64_t pixel, int64_t c, int64_t at,
                                        const Packing& packing) {
  const DI di;
  const ByteFinish& f = args.finish;
  const bool has_residual = args.residual != nullptr;
  const int64_t left = args.channels - c;
  VI y[4];
  MOKA_UNROLL for (int j = 0; j < 4; ++j) y[j] = hn::LoadU(di, f.offset + at + j * kLanes);
  SumTaps(args, pixel * args.tap_step + c, left, args.weights + at * args.quads * 4, y);
  VBytes residual = hn::Zero(DBytes());
  if (has_residual) residual = LoadTap(args.residual + pixel * args.residual_step + c, left);
  MOKA_UNROLL for (int j = 0; j < 4; ++j) {
    y[j] = has_residual
               ? AddResidual(f, Requantize(f, y[j], at + j * kLanes), UnpackBlock(residual, j, f.residual_signed))
               : FinishLanes(f, y[j], at + j * kLanes);
  }
  return hn::Xor(packing.Pack(y), packing.flip);
}

static void ByteDepthwise(const ByteDepthwiseArgs& args) {
  const DBytes d;
  const Packing packing(args.finish, args.residual != nullptr);
  for (int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    uint8_t* dst = args.dst + pixel * args.dst_step;
    for (int64_t c = 0, at = 0; c < args.channels; c += kBlockChannels, at += kBlockChannels) {
      if (at == args.period) at = 0;
      const VBytes bytes = DepthwiseBlock(args, pixel, c, at, packing);
      if (args.channels - c >= kBlockChannels) {
        hn::StoreU(bytes, d, dst + c);
      } else {
        HWY_ALIGN uint8_t lanes[kBlockChannels];
        hn::Store(bytes, d, lanes);
        std::memcpy(dst + c, lanes, static_cast<size_t>(args.channels - c));
      }
    }
  }
}
