// Windows and OS/2 bitmaps of 1 to 32 bits a pixel: plain, with bit masks, and run-length encoded.
#include <algorithm>
#include <array>
#include <bit>
#include <initializer_list>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

enum Compression : uint32_t { kPlain = 0, kRuns8 = 1, kRuns4 = 2, kMasks = 3, kMasksWithAlpha = 6 };

constexpr size_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40;

Status EndsEarly() { return InvalidArgument("the file ends early"); }

// A field of consecutive bits of a pixel, as 0 to 255.
struct Mask {
  int shift = 0;
  uint32_t largest = 0;

  Status Set(uint32_t mask) {
    shift = mask == 0 ? 0 : std::countr_zero(mask);
    largest = mask >> shift;
    return (largest & (largest + 1)) == 0 ? Status() : InvalidArgument("a mask of bits has gaps");
  }
  uint8_t Of(uint32_t pixel) const { return largest == 0 ? 0 : ToByte(pixel >> shift & largest, largest); }
};

class BmpReader {
 public:
  explicit BmpReader(Bytes bytes) : bytes_(bytes) {}

  Result<Tensor> Read() {
    MOKA_RETURN_IF_ERROR(ReadHeader());
    const bool runs = compression_ == kRuns8 || compression_ == kRuns4;
    const int64_t stride = (width_ * bits_ + 31) / 32 * 4;
    const auto rest = static_cast<int64_t>(bytes_.size() - pixels_at_);
    if (!runs && (height_ > rest || stride > rest / height_)) return EndsEarly();
    MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(width_, height_, 3));
    auto* dst = picture.as<uint8_t>();
    if (runs) {
      MOKA_RETURN_IF_ERROR(ReadRuns(dst));
      return picture;
    }
    for (int64_t y = 0; y < height_; ++y) {
      const uint8_t* src = bytes_.data() + pixels_at_ + static_cast<size_t>(y * stride);
      uint8_t* row = dst + RowOf(y) * width_ * 3;
      for (int64_t x = 0; x < width_; ++x) Store(PixelAt(src, x), row + x * 3);
    }
    return picture;
  }

 private:
  uint32_t Little(size_t at, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value |= uint32_t{bytes_[at + i]} << (8 * i);
    return value;
  }
  int64_t RowOf(int64_t y) const { return top_down_ ? y : height_ - 1 - y; }

  Status ReadHeader() {
    if (bytes_.size() < kFileHeader + kCoreHeader) return EndsEarly();
    const size_t header = Little(kFileHeader, 4);
    const bool core = header == kCoreHeader;
    if (!core && header < kInfoHeader) return InvalidArgument("a header of ", header, " bytes");
    if (header > bytes_.size() - kFileHeader) return EndsEarly();
    width_ = core ? int64_t{Little(18, 2)} : static_cast<int32_t>(Little(18, 4));
    height_ = core ? int64_t{Little(20, 2)} : static_cast<int32_t>(Little(22, 4));
    top_down_ = height_ < 0;
    if (top_down_) height_ = -height_;
    bits_ = static_cast<int>(Little(core ? 24 : 28, 2));
    compression_ = core ? kPlain : Little(30, 4);
    if (width_ < 1 || height_ < 1) return InvalidArgument("a picture of ", width_, " x ", height_);
    pixels_at_ = Little(10, 4);
    if (pixels_at_ > bytes_.size()) return EndsEarly();
    MOKA_RETURN_IF_ERROR(CheckEncoding());
    size_t palette_at = kFileHeader + header;
    if (bits_ == 16 || bits_ == 32) return ReadMasks(header);
    if (bits_ > 8) return Status();
    const size_t entry = core ? 3 : 4;
    for (size_t i = 0; i < size_t{1} << bits_ && palette_at + entry <= pixels_at_; ++i, palette_at += entry) {
      palette_[i] = Little(palette_at, 3);
    }
    return Status();
  }

  Status CheckEncoding() const {
    const auto is = [&](std::initializer_list<int> bits) {
      return std::find(bits.begin(), bits.end(), bits_) != bits.end();
    };
    switch (compression_) {
      case kPlain:
        if (is({1, 4, 8, 16, 24, 32})) return Status();
        break;
      case kRuns8:
        if (is({8}) && !top_down_) return Status();
        break;
      case kRuns4:
        if (is({4}) && !top_down_) return Status();
        break;
      case kMasks:
      case kMasksWithAlpha:
        if (is({16, 32})) return Status();
        break;
      default:
        break;
    }
    return InvalidArgument(bits_, " bits a pixel with compression ", compression_);
  }

  Status ReadMasks(size_t header) {
    std::array<uint32_t, 3> masks = {0xff0000, 0xff00, 0xff};
    if (bits_ == 16) masks = {0x7c00, 0x3e0, 0x1f};
    if (compression_ != kPlain) {
      // Behind a header of 40 bytes, inside of longer ones: at the same place.
      if (kFileHeader + std::max(header, kInfoHeader + 12) > bytes_.size()) return EndsEarly();
      for (size_t i = 0; i < 3; ++i) masks[i] = Little(kFileHeader + kInfoHeader + 4 * i, 4);
    }
    for (size_t i = 0; i < 3; ++i) MOKA_RETURN_IF_ERROR(masks_[i].Set(masks[i]));
    return Status();
  }

  uint32_t PixelAt(const uint8_t* row, int64_t x) const {
    if (bits_ < 8) return row[x * bits_ / 8] >> (8 - bits_ - x * bits_ % 8) & ((1u << bits_) - 1);
    const int64_t size = bits_ / 8;
    uint32_t pixel = 0;
    for (int64_t i = 0; i < size; ++i) pixel |= uint32_t{row[x * size + i]} << (8 * i);
    return pixel;
  }

  void Store(uint32_t pixel, uint8_t* rgb) const {
    if (bits_ == 16 || bits_ == 32) {
      for (size_t i = 0; i < 3; ++i) rgb[i] = masks_[i].Of(pixel);
      return;
    }
    if (bits_ <= 8) pixel = palette_[pixel];
    for (int i = 0; i < 3; ++i) rgb[i] = static_cast<uint8_t>(pixel >> (16 - 8 * i));
  }

  // Pairs: count and pixel; or 0 and an escape: the end of a row (0), of the picture (1), a move (2), or as many pixels
  // as they are (3 and more, in an even number of bytes). Pixels that nothing is said of have index 0.
  Status ReadRuns(uint8_t* dst) {
    for (int64_t i = 0; i < width_ * height_; ++i) Store(0, dst + i * 3);
    int64_t x = 0, y = 0;
    const auto put = [&](uint32_t index) {
      if (x < width_ && y < height_) Store(index, dst + (RowOf(y) * width_ + x) * 3);
      ++x;
    };
    for (size_t at = pixels_at_; at + 2 <= bytes_.size();) {
      const uint8_t count = bytes_[at], value = bytes_[at + 1];
      at += 2;
      if (count > 0) {
        const std::array<uint32_t, 2> pair = Pair(value);
        for (size_t i = 0; i < count; ++i) put(pair[i % 2]);
      } else if (value == 0) {
        x = 0;
        ++y;
      } else if (value == 1) {
        return Status();
      } else if (value == 2) {
        if (at + 2 > bytes_.size()) return EndsEarly();
        x += bytes_[at];
        y += bytes_[at + 1];
        at += 2;
      } else {
        const size_t used = bits_ == 8 ? value : (value + 1u) / 2;
        if (at + used > bytes_.size()) return EndsEarly();
        for (size_t i = 0; i < value; ++i) put(bits_ == 8 ? bytes_[at + i] : Pair(bytes_[at + i / 2])[i % 2]);
        at += (used + 1) / 2 * 2;
      }
    }
    return EndsEarly();
  }

  std::array<uint32_t, 2> Pair(uint8_t value) const {
    if (bits_ == 8) return {value, value};
    return {uint32_t{value} >> 4, value & 15u};
  }

  Bytes bytes_;
  size_t pixels_at_ = 0;
  int64_t width_ = 0, height_ = 0;
  int bits_ = 0;
  uint32_t compression_ = kPlain;
  bool top_down_ = false;
  std::array<uint32_t, 256> palette_{};
  std::array<Mask, 3> masks_;
};

}  // namespace

Result<Tensor> DecodeBmp(Bytes bytes) { return BmpReader(bytes).Read(); }

}  // namespace moka::image
