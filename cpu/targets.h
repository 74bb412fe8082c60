// Which SIMD targets are compiled. Include first in every file that includes hwy/foreach_target.h.
//
// x86: AVX3 (AVX-512), AVX2, SSE4 and whatever the compiler's baseline is: SSE2 with newer Highway, SCALAR with 1.0.3.
// For SCALAR and EMU128 no kernel is compiled (MOKA_SIMD is 0 there): such machines run the references. The variants
// of AVX-512 would cost build time without a gain for f32; SVE needs other kernels (vectors without a fixed size).
#ifndef MOKA_CPU_TARGETS_H_
#define MOKA_CPU_TARGETS_H_

// The numbers of the targets are part of Highway's ABI; their names are not all known to every version.
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#define HWY_DISABLED_TARGETS ((0xFFLL) | (1LL << 10) | (1LL << 12))  // AVX10, AVX3_{SPR,ZEN4,DL}; AVX; SSSE3
#elif defined(__aarch64__)
#define HWY_DISABLED_TARGETS (0xFLL << 24)  // SVE2_128, SVE_256, SVE2, SVE
#endif

#endif  // MOKA_CPU_TARGETS_H_
