// Depthwise convolutions of bytes. Included behind cpu/byte_finish-inl.h, like cpu/byte_tile-inl.h; the target also has
//   kLineTail: what computes the last channels of a line if they fill half a block at most, or null.

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

static HWY_INLINE void StoreBlock(VBytes bytes, uint8_t* p, int64_t left) {
  const DBytes d;
  if (left >= kBlockChannels) return hn::StoreU(bytes, d, p);
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(bytes, hn::FirstN(d, static_cast<size_t>(left)), d, p);
#else
  HWY_ALIGN uint8_t lanes[kBlockChannels];
  hn::Store(bytes, d, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(left));
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

// The bytes of a block at 4 taps, together by channel, in the lanes that PackLanes wants.
static HWY_INLINE void InterleaveTaps(VBytes t0, VBytes t1, VBytes t2, VBytes t3, VI (&quads)[4]) {
  const DBytes d;
  const DI di;
  const hn::Repartition<uint16_t, D> d16;
  const auto lower01 = hn::BitCast(d16, hn::InterleaveLower(d, t0, t1));
  const auto upper01 = hn::BitCast(d16, hn::InterleaveUpper(d, t0, t1));
  const auto lower23 = hn::BitCast(d16, hn::InterleaveLower(d, t2, t3));
  const auto upper23 = hn::BitCast(d16, hn::InterleaveUpper(d, t2, t3));
  quads[0] = hn::BitCast(di, hn::InterleaveLower(d16, lower01, lower23));
  quads[1] = hn::BitCast(di, hn::InterleaveUpper(d16, lower01, lower23));
  quads[2] = hn::BitCast(di, hn::InterleaveLower(d16, upper01, upper23));
  quads[3] = hn::BitCast(di, hn::InterleaveUpper(d16, upper01, upper23));
}

// Adds the sums of a block of channels.
static HWY_INLINE void SumTaps(const ByteDepthwiseArgs& args, int64_t at, int64_t left, const int8_t* weights,
                               VI (&acc)[4]) {
  const VI flip = hn::Set(DI(), static_cast<int32_t>(args.flip));
  for (int64_t q = 0; q < args.quads; ++q) {
    const uint8_t* const* taps = args.taps + 4 * q;
    VI bytes[4];
    InterleaveTaps(LoadTap(taps[0] + at, left), LoadTap(taps[1] + at, left), LoadTap(taps[2] + at, left),
                   LoadTap(taps[3] + at, left), bytes);
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
    y[j] = has_residual ? FinishLanes<false>(f, y[j], at + j * kLanes, UnpackBlock(residual, j, f.residual_signed))
                        : FinishLanes<false>(f, y[j], at + j * kLanes);
  }
  return hn::Xor(packing.Pack(y), packing.flip);
}

static HWY_MAYBE_UNUSED void ByteDepthwise(const ByteDepthwiseArgs& args) {
  const Packing packing(args.finish, args.residual != nullptr);
  for (int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    uint8_t* dst = args.dst + pixel * args.dst_step;
    for (int64_t c = 0, at = 0; c < args.channels; c += kBlockChannels, at += kBlockChannels) {
      if (at == args.period) at = 0;
      const VBytes bytes = DepthwiseBlock(args, pixel, c, at, packing);
      StoreBlock(bytes, dst + c, args.channels - c);
    }
  }
}

// ---- Three wide ---------------------------------------------------------------------------------------------------

// A line of results is computed block by block. Each pixel of the input is loaded and interleaved once, and meets the
// weights of its three columns.

static HWY_INLINE void LoadColumn(const ByteLineArgs& args, int64_t x, int64_t c, int64_t left, VBytes flip,
                                  Inputs (&inputs)[4]) {
  const bool inside = x >= 0 && x < args.in;
  const uint8_t *r0 = args.padding, *r1 = r0, *r2 = r0;
  if (inside) {
    r0 = args.rows[0] + x * args.pixel_steps[0];
    r1 = args.rows[1] + x * args.pixel_steps[1];
    r2 = args.rows[2] + x * args.pixel_steps[2];
  }
  const VBytes t0 = hn::Xor(flip, LoadTap(r0 + c, left)), t1 = hn::Xor(flip, LoadTap(r1 + c, left));
  const VBytes t2 = hn::Xor(flip, LoadTap(r2 + c, left));
  VI quads[4];
  InterleaveTaps(t0, t1, t2, t2, quads);
  MOKA_UNROLL for (int j = 0; j < 4; ++j) inputs[j] = Make(quads[j]);
}

static HWY_INLINE void AddColumn(const VI (&from)[4], const Inputs (&inputs)[4], const Weights (&weights)[4],
                                 VI (&to)[4]) {
  MOKA_UNROLL for (int j = 0; j < 4; ++j) to[j] = Dot4(from[j], inputs[j], weights[j]);
}
static HWY_INLINE void FirstColumn(const int32_t* offset, const Inputs (&inputs)[4], const Weights (&weights)[4],
                                   VI (&to)[4]) {
  const DI d;
  MOKA_UNROLL for (int j = 0; j < 4; ++j) to[j] = Dot4(hn::LoadU(d, offset + j * kLanes), inputs[j], weights[j]);
}

// The block of channels from c on. Next to the sums of the result that is due there are those of the next one, and
// with a stride of 1 of the one behind it.
template <int kStride, bool kSaturates>
static HWY_INLINE void ByteLineBlock(const ByteLineArgs& args, int64_t c) {
  const int64_t left = args.channels - c;
  const ByteFinish f = args.finish;
  const Packing packing(f, false);
  const VBytes flip = hn::Set(DBytes(), static_cast<uint8_t>(args.flip));
  const int32_t* offset = f.offset + c;
  Weights weights[3][4];
  MOKA_UNROLL for (int i = 0; i < 3; ++i) {
    MOKA_UNROLL for (int j = 0; j < 4; ++j) { weights[i][j] = Load(args.weights + 12 * c + (4 * i + j) * 4 * kLanes); }
  }
  Inputs inputs[4];
  VI due[4], next[4], later[4];
  int64_t x = -args.pad;
  LoadColumn(args, x++, c, left, flip, inputs);
  FirstColumn(offset, inputs, weights[0], next);
  if constexpr (kStride == 1) {
    LoadColumn(args, x++, c, left, flip, inputs);
    FirstColumn(offset, inputs, weights[0], later);
    AddColumn(next, inputs, weights[1], next);
  }
  uint8_t* dst = args.dst + c;
  for (int64_t i = 0; i < args.out; ++i, dst += args.dst_step) {
    if constexpr (kStride == 2) {
      LoadColumn(args, x++, c, left, flip, inputs);
      AddColumn(next, inputs, weights[1], next);
    }
    LoadColumn(args, x++, c, left, flip, inputs);
    AddColumn(next, inputs, weights[2], due);
    if constexpr (kStride == 1) {
      AddColumn(later, inputs, weights[1], next);
      FirstColumn(offset, inputs, weights[0], later);
    } else {
      FirstColumn(offset, inputs, weights[0], next);
    }
    MOKA_UNROLL for (int j = 0; j < 4; ++j) due[j] = FinishLanes<kSaturates>(f, due[j], c + j * kLanes);
    StoreBlock(hn::Xor(packing.Pack(due), packing.flip), dst, left);
  }
}

static void ByteLinePart(const ByteLineArgs& args, int64_t c) {
  if (args.finish.saturates != 0) {
    args.stride == 1 ? ByteLineBlock<1, true>(args, c) : ByteLineBlock<2, true>(args, c);
  } else {
    args.stride == 1 ? ByteLineBlock<1, false>(args, c) : ByteLineBlock<2, false>(args, c);
  }
}

static HWY_MAYBE_UNUSED void ByteLine(const ByteLineArgs& args) {
  for (int64_t c = 0; c < args.channels; c += kBlockChannels) {
    const bool tail = kLineTail != nullptr && args.channels - c <= kBlockChannels / 2;
    (tail ? kLineTail : &ByteLinePart)(args, c);
  }
}
