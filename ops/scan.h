#ifndef MOKA_OPS_SCAN_H_
#define MOKA_OPS_SCAN_H_

namespace moka {

// Attribute of Scan that the reader adds to its first form (opset 8), whose operands have a batch in front.
inline constexpr char kScanBatched[] = "moka.batched";

}  // namespace moka

#endif  // MOKA_OPS_SCAN_H_
