// Portable bitmaps, greymaps and pixmaps, P1 to P6 (netpbm's pbm(5), pgm(5), ppm(5)).
#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

constexpr uint32_t kLargest = 65535;

class PnmReader {
 public:
  explicit PnmReader(Bytes bytes) : bytes_(bytes) {}

  Result<Tensor> Read() {
    const int kind = bytes_[1] - '0';
    bits_ = kind == 1 || kind == 4;
    const int64_t channels = kind == 3 || kind == 6 ? 3 : 1;
    uint32_t width = 0, height = 0;
    MOKA_RETURN_IF_ERROR(Number(&width));
    MOKA_RETURN_IF_ERROR(Number(&height));
    if (!bits_) MOKA_RETURN_IF_ERROR(Number(&largest_));
    if (largest_ < 1 || largest_ > kLargest)
      return InvalidArgument("largest value ", largest_, ", not 1 to ", kLargest);
    // Each number takes a byte at least; a bit of a packed row takes less.
    const int64_t samples = int64_t{width} * channels;
    const int64_t row_bytes = kind == 4 ? (samples + 7) / 8 : samples * (kind > 4 && largest_ > 255 ? 2 : 1);
    if (kind > 3) ++at_;  // one white space
    if (at_ > bytes_.size() || static_cast<double>(row_bytes) * height > static_cast<double>(bytes_.size() - at_)) {
      return InvalidArgument("the file ends early");
    }
    MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(width, height, channels));
    auto* dst = picture.as<uint8_t>();
    for (int64_t y = 0; y < height; ++y, dst += samples) {
      if (kind > 3) {
        Binary(samples, dst);
      } else {
        MOKA_RETURN_IF_ERROR(Text(samples, dst));
      }
    }
    return picture;
  }

 private:
  void SkipSpace() {
    while (at_ < bytes_.size()) {
      const uint8_t c = bytes_[at_];
      if (c == '#') {
        while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
      } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  Status Number(uint32_t* value) {
    SkipSpace();
    const size_t first = at_;
    for (*value = 0; at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9'; ++at_) {
      if (*value > 100'000'000) return InvalidArgument("a number is too large");
      *value = *value * 10 + (bytes_[at_] - '0');
    }
    return at_ > first ? Status() : InvalidArgument("a number is missing at byte ", at_);
  }

  Status Text(int64_t samples, uint8_t* dst) {
    for (int64_t i = 0; i < samples; ++i) {
      if (bits_) {  // digits need no space between them
        SkipSpace();
        if (at_ >= bytes_.size() || (bytes_[at_] | 1) != '1') return InvalidArgument("a bit is missing at byte ", at_);
        dst[i] = bytes_[at_++] == '1' ? 0 : 255;
      } else {
        uint32_t value = 0;
        MOKA_RETURN_IF_ERROR(Number(&value));
        dst[i] = ToByte(value, largest_);
      }
    }
    return Status();
  }

  void Binary(int64_t samples, uint8_t* dst) {
    const uint8_t* src = bytes_.data() + at_;
    for (int64_t i = 0; i < samples; ++i) {
      if (bits_) {
        dst[i] = (src[i / 8] >> (7 - i % 8) & 1) != 0 ? 0 : 255;
      } else {
        dst[i] = ToByte(largest_ > 255 ? src[2 * i] * 256u + src[2 * i + 1] : src[i], largest_);
      }
    }
    at_ += static_cast<size_t>(bits_ ? (samples + 7) / 8 : samples * (largest_ > 255 ? 2 : 1));
  }

  Bytes bytes_;
  size_t at_ = 2;
  bool bits_ = false;
  uint32_t largest_ = 1;
};

}  // namespace

Result<Tensor> DecodePnm(Bytes bytes) { return PnmReader(bytes).Read(); }

}  // namespace moka::image
