// A micro-program at the end of a kernel, its words specialization constants: the driver folds the switch away, and
// what remains is what one would write by hand. Built three times (MICRO_OPS): 16 words, 4 words, and 0 for the form
// that most layers of a convolutional network need, clip(x + source 0, low, high).
//
// The result of a kernel is seen as rows of `inner` channels. Source k has a block in p.e: start, stride between
// channels, stride of each of the ROW_DIMS dimensions into which the number of a row is taken apart (outermost first).
// Before the blocks: the sizes of the row dimensions but the outermost.
SPEC(0, W0, 0) SPEC(1, W1, 0) SPEC(2, W2, 0) SPEC(3, W3, 0) SPEC(4, W4, 0) SPEC(5, W5, 0) SPEC(6, W6, 0)
SPEC(7, W7, 0) SPEC(8, W8, 0) SPEC(9, W9, 0) SPEC(10, W10, 0) SPEC(11, W11, 0) SPEC(12, W12, 0) SPEC(13, W13, 0)
SPEC(14, W14, 0) SPEC(15, W15, 0)
SPEC(16, K0, 0) SPEC(17, K1, 0) SPEC(18, K2, 0) SPEC(19, K3, 0) SPEC(20, K4, 0) SPEC(21, K5, 0) SPEC(22, K6, 0)
SPEC(23, K7, 0)
// Two bits a block: 0 vectors (start and strides in float4), 1 scalars with a stride between channels, 2 one scalar a
// row, 3 the block is not used.
SPEC(24, BLOCK_MODES, 0) SPEC(25, ROW_DIMS, 1)

#define BLOCK_MODE(block) ((BLOCK_MODES >> (2 * (block))) & 3)
#define BLOCK(block) (BLOCK_MODE(block) == 3 ? 0 : ROW_DIMS - 1 + (block) * (2 + ROW_DIMS))

// Declares `at`: where row `row` starts in the operand of `block`.
#define ROW_START(at, block, row) \
  int at = p.e[BLOCK(block)]; \
  { \
    int rest_ = row; \
    for (int d_ = ROW_DIMS - 1; d_ > 0; d_--) { \
      at += rest_ % p.e[d_ - 1] * p.e[BLOCK(block) + 2 + d_]; \
      rest_ = rest_ / p.e[d_ - 1]; \
    } \
    at += rest_ * p.e[BLOCK(block) + 2]; \
  }

// Declares `value`: channels 4 * c4 ... of row `row` of the operand of `block`, which lies in `buffer`. Padding lanes
// hold anything.
#define LOAD_BLOCK(value, buffer, block, row, c4, inner) \
  float4 value = splat4(0.0f); \
  if (BLOCK_MODE(block) != 3) { \
    ROW_START(at_, block, row) \
    if (BLOCK_MODE(block) == 0) { \
      value = buffer[at_ + (c4)]; \
    } else if (BLOCK_MODE(block) == 2) { \
      value = splat4(LOAD1(buffer, at_)); \
    } else { \
      const int step_ = p.e[BLOCK(block) + 1], last_ = (inner) - 1, c_ = 4 * (c4); \
      value = make4(LOAD1(buffer, at_ + step_ * min(c_, last_)), LOAD1(buffer, at_ + step_ * min(c_ + 1, last_)), \
                    LOAD1(buffer, at_ + step_ * min(c_ + 2, last_)), LOAD1(buffer, at_ + step_ * min(c_ + 3, last_))); \
    } \
  }

#define CONSTANT4(k) splat4(bits_float(k))

#if MICRO_OPS == 0
// W0: bit 0, add source 0; bit 1, clip to [K0, K1].
#define EPILOGUE(x, first, row, c4, inner) \
  if ((W0 & 1) != 0) { \
    LOAD_BLOCK(v0_, s0, first, row, c4, inner) \
    x = x + v0_; \
  } \
  if ((W0 & 2) != 0) { \
    x = MAP3(clip_nan, x, CONSTANT4(K0), CONSTANT4(K1)); \
  }
#else
#if MICRO_OPS == 4
#define MICRO_WORDS {W0, W1, W2, W3}
#else
#define MICRO_WORDS {W0, W1, W2, W3, W4, W5, W6, W7, W8, W9, W10, W11, W12, W13, W14, W15}
#endif
#define MICRO_OPERAND(i) \
  ((i) < 8 ? r_[(i) & 7] : (i) == 8 ? v0_ : (i) == 9 ? v1_ : (i) == 10 ? v2_ : (i) == 11 ? v3_ \
   : (i) == 16 ? CONSTANT4(K0) : (i) == 17 ? CONSTANT4(K1) : (i) == 18 ? CONSTANT4(K2) : (i) == 19 ? CONSTANT4(K3) \
   : (i) == 20 ? CONSTANT4(K4) : (i) == 21 ? CONSTANT4(K5) : (i) == 22 ? CONSTANT4(K6) : CONSTANT4(K7))
// x <- the program's result with r0 = x; `first` is the block of source 0. Word 0 does nothing.
#define EPILOGUE(x, first, row, c4, inner) \
  { \
    LOAD_BLOCK(v0_, s0, first, row, c4, inner) \
    LOAD_BLOCK(v1_, s1, (first) + 1, row, c4, inner) \
    LOAD_BLOCK(v2_, s2, (first) + 2, row, c4, inner) \
    LOAD_BLOCK(v3_, s3, (first) + 3, row, c4, inner) \
    const int words_[MICRO_OPS] = MICRO_WORDS; \
    float4 r_[8]; \
    UNROLL for (int i_ = 0; i_ < 8; i_++) r_[i_] = splat4(0.0f); \
    r_[0] = x; \
    UNROLL for (int n_ = 0; n_ < MICRO_OPS; n_++) { \
      const int w_ = words_[n_]; \
      if (w_ != 0) { \
        r_[(w_ >> 8) & 7] = micro_apply(w_ & 255, MICRO_OPERAND((w_ >> 11) & 31), MICRO_OPERAND((w_ >> 16) & 31), \
                                        MICRO_OPERAND((w_ >> 21) & 31)); \
      } \
    } \
    x = r_[0]; \
  }
#endif
