// Tiles of products of bf16 (cpu/bf16_tile.h). Included inside the namespace of a target, which has D, V, kLanes, hn,
// StoreTile and
//   kElement, kParts: bytes of an element of A; into how many products per lane a pair is taken apart;
//   Input, Weight: vectors;
//   template <int kPart, bool kWhole> static Input LoadInput(const char* a): a pair of A, or its first element;
//   template <int kPart> static Weight LoadWeight(const uint16_t* b);
//   static V Dot(V sum, Input, Weight).
// More than once in a file where a target has variants, so without a guard.

// A part of the pair of each row at byte `at`, times the weights. Parts go one after the other: the weights of both
// would not fit into 16 registers.
template <int kPart, bool kWhole, int kRows, int kVectors>
static HWY_INLINE void AddPart(const char* const (&a)[kRows], int64_t at, const uint16_t* b,
                               V (&acc)[kRows][kVectors]) {
  Weight weights[kVectors];
  MOKA_UNROLL for (int j = 0; j < kVectors; ++j) weights[j] = LoadWeight<kPart>(b + 2 * j * kLanes);
  MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
    const Input x = LoadInput<kPart, kWhole>(a[i] + at);
    MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[i][j] = Dot(acc[i][j], x, weights[j]);
  }
}
template <bool kWhole, int kRows, int kVectors>
static HWY_INLINE void AddPair(const char* const (&a)[kRows], int64_t at, const uint16_t* b,
                               V (&acc)[kRows][kVectors]) {
  AddPart<0, kWhole>(a, at, b, acc);
  if constexpr (kWhole && kParts == 2) AddPart<1, kWhole>(a, at, b, acc);
}

template <bool kFetch>
static HWY_INLINE void FetchLine(const float*& next) {
  if constexpr (kFetch) {
    __builtin_prefetch(next, 0, 2);
    next += kPrefetchStep;
  }
}

// One row is bound by the latency of its additions unless several sums run beside each other.
template <int kRows, int kVectors, bool kFetch>
static HWY_INLINE void MultiplyPairs(const TileArgs& args) {
  const D d;
  constexpr int kSums = kRows == 1 ? 4 : 1;
  constexpr int64_t kStep = 2 * kLanes * kVectors;
  V acc[kSums][kRows][kVectors];
  MOKA_UNROLL for (int u = 0; u < kSums; ++u) {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[u][i][j] = hn::Zero(d);
    }
  }
  const auto* b = reinterpret_cast<const uint16_t*>(args.b);
  const float* next = args.next;
  const int64_t pairs = args.k_len / 2;
  for (int64_t s = 0; s < args.num_segments; ++s) {
    const char* a[kRows];
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      a[i] = reinterpret_cast<const char*>(args.rows[i]) + args.segments[s] * kElement;
    }
    int64_t p = 0;
    for (; p + kSums <= pairs; p += kSums, b += kSums * kStep) {
      MOKA_UNROLL for (int u = 0; u < kSums; ++u) {
        AddPair<true>(a, 2 * kElement * (p + u), b + u * kStep, acc[u]);
        FetchLine<kFetch>(next);
      }
    }
    for (; p < pairs; ++p, b += kStep) {
      AddPair<true>(a, 2 * kElement * p, b, acc[0]);
      FetchLine<kFetch>(next);
    }
    if (args.k_len % 2 == 0) continue;
    AddPair<false>(a, 2 * kElement * pairs, b, acc[0]);
    b += kStep;
  }
  MOKA_UNROLL for (int u = 1; u < kSums; ++u) {
    MOKA_UNROLL for (int i = 0; i < kRows; ++i) {
      MOKA_UNROLL for (int j = 0; j < kVectors; ++j) acc[0][i][j] = hn::Add(acc[0][i][j], acc[u][i][j]);
    }
  }
  StoreTile(args, acc[0]);
}

template <int kRows, int kVectors>
static void Bf16Tile(const TileArgs& args) {
  if (args.next != nullptr) {
    FetchResult<kRows, kVectors>(args);
    MultiplyPairs<kRows, kVectors, true>(args);
  } else {
    MultiplyPairs<kRows, kVectors, false>(args);
  }
}
