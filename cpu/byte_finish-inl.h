// What becomes of vectors of sums (ByteFinish). Included inside the namespace of a target, which has D, V, VI, VBytes,
// kLanes, hn and
//   static VI RoundInRange(V): half to even; what is below i32 becomes its lowest, nothing is above;
//   static VBytes PackLanes(const VI (&)[4], VI bias): lanes plus bias, saturated to [0, 255], as bytes, 4 lanes of
//   each
//     vector in each 16 bytes. Lanes are at most 512.
// More than once in a file where a target has variants, so without a guard.

// Clips and rounds half to even.
static HWY_INLINE VI Round(V x, float lo, float hi) {
  const D d;
  return RoundInRange(hn::Min(hn::Max(x, hn::Set(d, lo)), hn::Set(d, hi)));
}

// The same where what is too low saturates later.
static HWY_INLINE VI RoundBelow(V x, float hi) { return RoundInRange(hn::Min(x, hn::Set(D(), hi))); }

static HWY_INLINE V Scaled(const ByteFinish& f, VI sum, int64_t at) {
  const D d;
  return hn::Mul(hn::ConvertTo(d, sum), hn::LoadU(d, f.scale + at));
}
// The sum with the residual: neither clipped nor rounded, without sum_zero.
static HWY_INLINE V AddResidual(const ByteFinish& f, V scaled, VI residual) {
  const D d;
  const DI di;
  const V y = hn::Round(hn::Min(hn::Max(scaled, hn::Set(d, f.lo)), hn::Set(d, f.hi)));
  const V other = hn::ConvertTo(d, hn::Sub(residual, hn::Set(di, f.residual_zero)));
  return hn::Add(hn::Mul(y, hn::Set(d, f.ratio)), hn::Mul(other, hn::Set(d, f.residual_ratio)));
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

// One vector of sums, rounded, not yet saturated from below, nor from above where the finish saturates.
template <bool kSaturates>
static HWY_INLINE VI FinishLanes(const ByteFinish& f, VI sum, int64_t at) {
  const V x = Scaled(f, sum, at);
  return kSaturates ? RoundInRange(x) : RoundBelow(x, f.hi);
}
template <bool kSaturates>
static HWY_INLINE VI FinishLanes(const ByteFinish& f, VI sum, int64_t at, VI residual) {
  const V x = AddResidual(f, Scaled(f, sum, at), residual);
  return kSaturates ? RoundInRange(x) : RoundBelow(x, f.sum_hi);
}
