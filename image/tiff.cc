// TIFF by libtiff, of any encoding that it turns into 8-bit RGB: the first picture of the file.
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

constexpr tmsize_t kMaxAllocation = tmsize_t{1} << 30;

// A file in memory, and the first error that libtiff had with it.
struct TiffFile {
  Bytes bytes;
  toff_t at = 0;
  char text[160] = "cannot be read";
  bool failed = false;
};

tmsize_t Read(thandle_t handle, void* to, tmsize_t count) {
  auto* file = static_cast<TiffFile*>(handle);
  if (file->at >= file->bytes.size() || count <= 0) return 0;
  const size_t taken = std::min(static_cast<size_t>(count), file->bytes.size() - static_cast<size_t>(file->at));
  std::copy_n(file->bytes.begin() + static_cast<ptrdiff_t>(file->at), taken, static_cast<uint8_t*>(to));
  file->at += taken;
  return static_cast<tmsize_t>(taken);
}

tmsize_t Write(thandle_t, void*, tmsize_t) { return 0; }

toff_t Seek(thandle_t handle, toff_t to, int from) {
  auto* file = static_cast<TiffFile*>(handle);
  if (from == SEEK_CUR) to += file->at;
  if (from == SEEK_END) to += file->bytes.size();
  return file->at = to;
}

int Close(thandle_t) { return 0; }

toff_t Size(thandle_t handle) { return static_cast<TiffFile*>(handle)->bytes.size(); }

int NoteError(TIFF*, void* file_of_handler, const char*, const char* format, va_list arguments) {
  auto* file = static_cast<TiffFile*>(file_of_handler);
  if (!file->failed) std::vsnprintf(file->text, sizeof(file->text), format, arguments);
  file->failed = true;
  return 1;
}

int IgnoreWarning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using Handle = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Handle Open(TiffFile* file) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), NoteError, file);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), IgnoreWarning, nullptr);
  // "m": not mapped, read
  return {TIFFClientOpenExt("memory", "rm", file, Read, Write, Seek, Close, Size, nullptr, nullptr, options.get()),
          TIFFClose};
}

// libtiff multiplies colours with alpha that is not in them yet. Alpha is dropped here, so let it believe that it is.
void KeepColours(TIFF* tiff) {
  uint16_t count = 0, *kinds = nullptr, associated = EXTRASAMPLE_ASSOCALPHA;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
  if (count == 1 && kinds[0] == EXTRASAMPLE_UNASSALPHA) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &associated);
}

}  // namespace

Result<Tensor> DecodeTiff(Bytes bytes) {
  TiffFile file;
  file.bytes = bytes;
  const Handle tiff = Open(&file);
  uint32_t width = 0, height = 0;
  const bool sized = tiff != nullptr && TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) == 1 &&
                     TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) == 1;
  if (!sized) return InvalidArgument(file.text);
  MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(width, height, 3));
  MOKA_ASSIGN_OR_RETURN(Tensor raster, Tensor::Create(DataType::kU32, {height, width}));
  KeepColours(tiff.get());
  auto* words = raster.as<uint32_t>();
  if (TIFFReadRGBAImageOriented(tiff.get(), width, height, words, ORIENTATION_TOPLEFT, /*stop=*/1) == 0 ||
      file.failed) {
    return InvalidArgument(file.text);
  }
  auto* dst = picture.as<uint8_t>();
  for (int64_t i = 0; i < raster.size(); ++i, dst += 3) {
    dst[0] = TIFFGetR(words[i]);
    dst[1] = TIFFGetG(words[i]);
    dst[2] = TIFFGetB(words[i]);
  }
  return picture;
}

}  // namespace moka::image
