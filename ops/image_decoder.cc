#include "ops/image_decoder.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "ops/op.h"
#include "ops/params.h"
#include "ops/schemas.h"

namespace moka {
namespace {

enum class PixelFormat : uint8_t { kRgb, kBgr, kGrayscale };

struct Signature {
  std::string_view format;
  size_t at;
  std::string_view bytes;
  std::string_view needs;  // the library that reads it
};

using namespace std::string_view_literals;
constexpr Signature kSignatures[] = {
    {"bmp", 0, "BM"sv, "none"},
    {"jpeg", 0, "\xff\xd8\xff"sv, "libjpeg"},
    {"jpeg2000", 0, "\x00\x00\x00\x0cjP  \r\n\x87\n"sv, "libopenjp2"},
    {"jpeg2000", 0, "\xff\x4f\xff\x51"sv, "libopenjp2"},
    {"png", 0, "\x89PNG\r\n\x1a\n"sv, "libpng"},
    {"pnm", 0, "P1"sv, "none"},
    {"pnm", 0, "P2"sv, "none"},
    {"pnm", 0, "P3"sv, "none"},
    {"pnm", 0, "P4"sv, "none"},
    {"pnm", 0, "P5"sv, "none"},
    {"pnm", 0, "P6"sv, "none"},
    {"tiff", 0, "II*\x00"sv, "libtiff"},
    {"tiff", 0, "MM\x00*"sv, "libtiff"},
    {"webp", 8, "WEBPVP8"sv, "libwebp"},
};

const Signature* Recognize(std::span<const uint8_t> bytes) {
  for (const Signature& signature : kSignatures) {
    if (bytes.size() < signature.at + signature.bytes.size()) continue;
    const auto same = [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; };
    if (std::equal(signature.bytes.begin(), signature.bytes.end(), bytes.begin() + signature.at, same)) {
      return &signature;
    }
  }
  return nullptr;
}

Result<Tensor> Decode(std::span<const uint8_t> bytes) {
  const Signature* const signature = Recognize(bytes);
  if (signature == nullptr) return InvalidArgument("src 0 (encoded_stream) is of no known image format");
  for (const ImageFormat& format : ImageFormats()) {
    if (format.name != signature->format) continue;
    Result<Tensor> picture = format.decode(bytes);
    if (picture.ok()) return picture;
    return picture.status().WithContext(StrCat("src 0 (encoded_stream), ", signature->format));
  }
  return Unsupported("src 0 (encoded_stream) is ", signature->format, ", which this build of moka does not decode ",
                     "(MOKA_IMAGE_DECODER; library: ", signature->needs, ")");
}

// ITU-R BT.601 luma in 16-bit fixed point, rounded; the weights add up to 1.
uint8_t Luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16);
}

Result<Tensor> AsPixelFormat(const HostCall& call, const Tensor& picture, PixelFormat format) {
  const int64_t channels = format == PixelFormat::kGrayscale ? 1 : 3, src_channels = picture.shape()[2];
  MOKA_ASSIGN_OR_RETURN(Tensor result,
                        call.NewTensor(DataType::kU8, {picture.shape()[0], picture.shape()[1], channels}));
  const auto* src = picture.as<uint8_t>();
  auto* dst = result.as<uint8_t>();
  const int64_t pixels = picture.size() / src_channels;
  for (int64_t i = 0; i < pixels; ++i, src += src_channels, dst += channels) {
    const std::array<uint8_t, 3> rgb = {src[0], src[src_channels == 3 ? 1 : 0], src[src_channels == 3 ? 2 : 0]};
    if (format == PixelFormat::kRgb) std::copy(rgb.begin(), rgb.end(), dst);
    if (format == PixelFormat::kBgr) std::reverse_copy(rgb.begin(), rgb.end(), dst);
    if (format == PixelFormat::kGrayscale) dst[0] = src_channels == 1 ? src[0] : Luma(rgb.data());
  }
  return result;
}

// What cannot be decoded becomes an empty picture, as the standard demands; what this build or its limits refuse does
// not.
Status ExecuteImageDecoder(HostCall& call) {
  static constexpr std::string_view kNames[] = {"RGB", "BGR", "Grayscale"};
  PixelFormat format = PixelFormat::kRgb;
  MOKA_RETURN_IF_ERROR(ReadEnum(*call.attrs, "pixel_format", kNames, &format));
  MOKA_ASSIGN_OR_RETURN(const Tensor* const bytes, call.SrcTensor(0));
  if (bytes->type() != DataType::kU8)
    return InvalidArgument("src 0 (encoded_stream): type ", NameOf(bytes->type()), ", expected u8");
  if (bytes->shape().size() != 1)
    return InvalidArgument("src 0 (encoded_stream): rank ", bytes->shape().size(), ", expected 1");
  Result<Tensor> picture = Decode({bytes->as<uint8_t>(), static_cast<size_t>(bytes->size())});
  if (!picture.ok() && picture.status().code() == StatusCode::kInvalidArgument) {
    const int64_t channels = format == PixelFormat::kGrayscale ? 1 : 3;
    picture = Tensor::Create(DataType::kU8, {0, 0, channels});
  }
  if (!picture.ok()) return picture.status();
  if (static_cast<int64_t>(picture->bytes()) > call.max_tensor_bytes) {
    return OutOfMemory("the picture has ", picture->bytes(), " bytes, more than the limit of ", call.max_tensor_bytes);
  }
  const bool done = format == PixelFormat::kRgb && picture->shape()[2] == 3;
  if (!done) picture = AsPixelFormat(call, *picture, format);
  if (!picture.ok()) return picture.status();
  call.dst[0] = std::move(*picture);
  return Status();
}

}  // namespace

Status CheckPictureSize(int64_t width, int64_t height) {
  if (width < 1 || height < 1) return InvalidArgument("a picture of ", width, " x ", height);
  if (width > kMaxPixels || height > kMaxPixels / width) {
    return Unsupported("a picture of ", width, " x ", height, " pixels, at most ", kMaxPixels);
  }
  return Status();
}

Result<Tensor> MakePicture(int64_t width, int64_t height, int64_t channels) {
  MOKA_RETURN_IF_ERROR(CheckPictureSize(width, height));
  return Tensor::Create(DataType::kU8, {height, width, channels});
}

const OpSchema* ImageDecoderSchema() {
  static constexpr OpSchema kSchema = {
      .domain = "",
      .name = "ImageDecoder",
      .min_src = 1,
      .max_src = 1,
      .min_dst = 1,
      .max_dst = 1,
      .layout = LayoutRule::kRowMajor,
      .execute = ExecuteImageDecoder,
  };
  return &kSchema;
}

}  // namespace moka
