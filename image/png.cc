// PNG by libpng. It reports errors by longjmp, so nothing with a destructor lives in the functions that call setjmp.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

constexpr png_alloc_size_t kMaxChunkBytes = size_t{64} << 20;  // of text, profiles and the like, unpacked

class PngReader {
 public:
  explicit PngReader(Bytes bytes) : rest_(bytes) {
    png_ = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this,
        [](png_structp png, png_const_charp text) {
          static_cast<PngReader*>(png_get_error_ptr(png))->SetText(text);
          png_longjmp(png, 1);
        },
        [](png_structp, png_const_charp) {});
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Everything becomes 8-bit grey or RGB.
  bool ReadHeader() {
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, [](png_structp png, png_bytep to, size_t count) {
      static_cast<PngReader*>(png_get_io_ptr(png))->Take(png, to, count);
    });
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // MakePicture has the limit
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    return true;
  }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  bool grey() const { return (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0; }

  bool ReadRows(uint8_t* dst, size_t row_bytes) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes) png_error(png_, "rows of another size");
    const png_uint_32 rows = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes_; ++pass) {
      for (png_uint_32 y = 0; y < rows; ++y) png_read_row(png_, dst + y * row_bytes, nullptr);
    }
    png_read_end(png_, nullptr);
    return true;
  }

  Status status() const { return InvalidArgument(text_); }

 private:
  void SetText(const char* text) {
    size_t i = 0;
    for (; i + 1 < sizeof(text_) && text[i] != 0; ++i) text_[i] = text[i];
    text_[i] = 0;
  }

  void Take(png_structp png, uint8_t* to, size_t count) {
    if (count > rest_.size()) png_error(png, "the file ends early");
    std::copy_n(rest_.begin(), count, to);
    rest_ = rest_.subspan(count);
  }

  Bytes rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  char text_[128] = "cannot be read";
};

}  // namespace

Result<Tensor> DecodePng(Bytes bytes) {
  PngReader reader(bytes);
  if (!reader.ReadHeader()) return reader.status();
  const int64_t channels = reader.grey() ? 1 : 3;
  MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(reader.width(), reader.height(), channels));
  if (!reader.ReadRows(picture.as<uint8_t>(), static_cast<size_t>(reader.width() * channels))) return reader.status();
  return picture;
}

}  // namespace moka::image
