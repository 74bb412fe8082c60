// JPEG 2000 by OpenJPEG, files (JP2) and bare codestreams: grey, RGB and YCbCr.
#include <openjpeg.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

constexpr OPJ_UINT32 kMaxComponents = 4;
constexpr OPJ_SIZE_T kBufferBytes = 1 << 16;

// A file in memory, and the first error that OpenJPEG had with it.
struct Source {
  Bytes bytes;
  size_t at = 0;
  std::string text;
};

OPJ_SIZE_T Read(void* to, OPJ_SIZE_T count, void* user) {
  auto* source = static_cast<Source*>(user);
  const size_t taken = std::min<size_t>(count, source->bytes.size() - source->at);
  if (taken == 0) return static_cast<OPJ_SIZE_T>(-1);  // the end
  std::copy_n(source->bytes.begin() + static_cast<ptrdiff_t>(source->at), taken, static_cast<uint8_t*>(to));
  source->at += taken;
  return taken;
}

OPJ_BOOL Seek(OPJ_OFF_T to, void* user) {
  auto* source = static_cast<Source*>(user);
  if (to < 0 || static_cast<uint64_t>(to) > source->bytes.size()) return OPJ_FALSE;
  source->at = static_cast<size_t>(to);
  return OPJ_TRUE;
}

OPJ_OFF_T Skip(OPJ_OFF_T count, void* user) {
  auto* source = static_cast<Source*>(user);
  const auto rest = static_cast<OPJ_OFF_T>(source->bytes.size() - source->at);
  if (count < 0 || rest == 0) return -1;
  count = std::min(count, rest);
  source->at += static_cast<size_t>(count);
  return count;
}

void NoteError(const char* text, void* user) {
  auto* source = static_cast<Source*>(user);
  if (source->text.empty()) source->text = text;
}

void Ignore(const char*, void*) {}

using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Image = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

Status CheckHeader(const opj_image_t& image) {
  const OPJ_UINT32 count = image.numcomps;
  if (count < 1 || count > kMaxComponents) return Unsupported(count, " components");
  if (image.color_space == OPJ_CLRSPC_CMYK || image.color_space == OPJ_CLRSPC_EYCC) return Unsupported("CMYK or e-YCC");
  for (OPJ_UINT32 i = 0; i < count; ++i) {
    const opj_image_comp_t& component = image.comps[i];
    if (component.prec < 1 || component.prec > 31) return Unsupported("samples of ", component.prec, " bits");
    MOKA_RETURN_IF_ERROR(CheckPictureSize(component.w, component.h));
  }
  return Status();
}

// Reads header and samples. On failure source->text may say why.
Result<Image> ReadImage(Source* source) {
  const Stream stream(opj_stream_create(kBufferBytes, OPJ_TRUE), opj_stream_destroy);
  const bool codestream = source->bytes[0] == 0xff;
  const Codec codec(opj_create_decompress(codestream ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), opj_destroy_codec);
  if (stream == nullptr || codec == nullptr) return OutOfMemory("OpenJPEG's decoder");
  opj_stream_set_user_data(stream.get(), source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source->bytes.size());
  opj_stream_set_read_function(stream.get(), Read);
  opj_stream_set_seek_function(stream.get(), Seek);
  opj_stream_set_skip_function(stream.get(), Skip);
  opj_set_error_handler(codec.get(), NoteError, source);
  opj_set_warning_handler(codec.get(), Ignore, nullptr);
  opj_set_info_handler(codec.get(), Ignore, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* header = nullptr;
  if (opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) return Internal("OpenJPEG's defaults are refused");
  const bool known = opj_read_header(stream.get(), codec.get(), &header) != OPJ_FALSE;
  Image image(header, opj_image_destroy);
  if (!known || image == nullptr) return InvalidArgument(source->text);
  MOKA_RETURN_IF_ERROR(CheckHeader(*image));
  const bool read = opj_decode(codec.get(), stream.get(), image.get()) != OPJ_FALSE &&
                    opj_end_decompress(codec.get(), stream.get()) != OPJ_FALSE;
  if (!read) return InvalidArgument(source->text);
  for (OPJ_UINT32 i = 0; i < image->numcomps; ++i) {
    if (image->comps[i].data == nullptr) return InvalidArgument("component ", i, " has no samples");
  }
  return image;
}

// A component over the picture: those with fewer samples repeat them.
class Plane {
 public:
  Plane(const opj_image_comp_t& component, int64_t width, int64_t height)
      : component_(component),
        width_(width),
        height_(height),
        low_(component.sgnd != 0 ? -(int64_t{1} << (component.prec - 1)) : 0),
        largest_(static_cast<uint32_t>((int64_t{1} << component.prec) - 1)) {}

  uint8_t At(int64_t x, int64_t y) const {
    const int64_t column = x * component_.w / width_, row = y * component_.h / height_;
    const int64_t value = component_.data[row * component_.w + column] - low_;
    return ToByte(static_cast<uint32_t>(std::clamp<int64_t>(value, 0, largest_)), largest_);
  }

 private:
  const opj_image_comp_t& component_;
  int64_t width_, height_, low_;
  uint32_t largest_;
};

// ITU-R BT.601 with the full range of bytes, as in JFIF.
void YccToRgb(uint8_t* pixel) {
  const double y = pixel[0], blue = pixel[1] - 128.0, red = pixel[2] - 128.0;
  const double rgb[3] = {y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue};
  for (int i = 0; i < 3; ++i) pixel[i] = static_cast<uint8_t>(std::lround(std::clamp(rgb[i], 0.0, 255.0)));
}

}  // namespace

Result<Tensor> DecodeJpeg2000(Bytes bytes) {
  Source source;
  source.bytes = bytes;
  MOKA_ASSIGN_OR_RETURN(const Image image, ReadImage(&source));
  const int64_t channels = image->numcomps < 3 ? 1 : 3;  // what is more is opacity
  const int64_t width = image->comps[0].w, height = image->comps[0].h;
  MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(width, height, channels));
  for (int64_t c = 0; c < channels; ++c) {
    const Plane plane(image->comps[c], width, height);
    uint8_t* dst = picture.as<uint8_t>() + c;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x, dst += channels) *dst = plane.At(x, y);
    }
  }
  if (channels == 3 && image->color_space == OPJ_CLRSPC_SYCC) {
    for (int64_t i = 0; i < width * height; ++i) YccToRgb(picture.as<uint8_t>() + i * 3);
  }
  return picture;
}

}  // namespace moka::image
