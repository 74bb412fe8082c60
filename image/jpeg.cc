// JPEG by libjpeg. It reports errors by longjmp, so nothing with a destructor lives in the functions that call setjmp.
// jpeglib.h needs what is before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>

#include "base/status.h"
#include "image/decode.h"

namespace moka::image {
namespace {

constexpr int kMaxScans = 500;  // a small file may ask for any number of passes over a large picture

class JpegReader {
 public:
  explicit JpegReader(Bytes bytes) {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = [](j_common_ptr jpeg) { From(jpeg)->Leave(); };
    errors_.emit_message = [](j_common_ptr jpeg, int level) {
      if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) From(jpeg)->Leave();
    };
    created_ = Create(bytes);
  }
  ~JpegReader() {
    if (created_) jpeg_destroy_decompress(&jpeg_);
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool ReadHeader() {
    if (!created_ || setjmp(leave_) != 0) return false;
    jpeg_read_header(&jpeg_, TRUE);
    const J_COLOR_SPACE space = jpeg_.jpeg_color_space;
    jpeg_.out_color_space = JCS_RGB;
    if (space == JCS_GRAYSCALE) jpeg_.out_color_space = JCS_GRAYSCALE;
    if (space == JCS_CMYK || space == JCS_YCCK) jpeg_.out_color_space = JCS_CMYK;
    return true;
  }
  int64_t width() const { return jpeg_.image_width; }
  int64_t height() const { return jpeg_.image_height; }
  bool grey() const { return jpeg_.out_color_space == JCS_GRAYSCALE; }
  bool cmyk() const { return jpeg_.out_color_space == JCS_CMYK; }

  // Rows of 1, 3 or, CMYK, 4 bytes a pixel; `dst` and `row` (of one row) are written.
  bool ReadRows(uint8_t* dst, uint8_t* row) {
    if (setjmp(leave_) != 0) return false;
    jpeg_start_decompress(&jpeg_);
    const size_t channels = grey() ? 1 : 3;
    while (jpeg_.output_scanline < jpeg_.output_height) {
      uint8_t* at = dst + size_t{jpeg_.output_scanline} * jpeg_.output_width * channels;
      JSAMPROW rows[1] = {cmyk() ? row : at};
      jpeg_read_scanlines(&jpeg_, rows, 1);
      if (cmyk()) CmykToRgb(row, at);
    }
    jpeg_finish_decompress(&jpeg_);
    return true;
  }

  Status status() const { return InvalidArgument(text_); }

 private:
  static JpegReader* From(j_common_ptr jpeg) { return static_cast<JpegReader*>(jpeg->client_data); }

  [[noreturn]] void Leave() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&jpeg_), text_);
    std::longjmp(leave_, 1);
  }

  bool Create(Bytes bytes) {
    if (setjmp(leave_) != 0) return false;
    jpeg_create_decompress(&jpeg_);
    progress_.progress_monitor = [](j_common_ptr jpeg) {
      if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kMaxScans) From(jpeg)->Leave();
    };
    jpeg_.progress = &progress_;
    jpeg_mem_src(&jpeg_, bytes.data(), static_cast<unsigned long>(bytes.size()));  // NOLINT: libjpeg's type
    return true;
  }

  // Adobe's files hold ink inverted: 255 is none.
  void CmykToRgb(const uint8_t* cmyk, uint8_t* rgb) const {
    const auto light = [&](uint8_t ink) -> uint32_t { return jpeg_.saw_Adobe_marker ? ink : 255u - ink; };
    for (JDIMENSION x = 0; x < jpeg_.output_width; ++x, cmyk += 4, rgb += 3) {
      for (int i = 0; i < 3; ++i) rgb[i] = ToByte(light(cmyk[i]) * light(cmyk[3]), 255 * 255);
    }
  }

  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf leave_;
  char text_[JMSG_LENGTH_MAX] = "cannot be read";
  bool created_ = false;
};

}  // namespace

Result<Tensor> DecodeJpeg(Bytes bytes) {
  JpegReader reader(bytes);
  if (!reader.ReadHeader()) return reader.status();
  MOKA_ASSIGN_OR_RETURN(Tensor picture, MakePicture(reader.width(), reader.height(), reader.grey() ? 1 : 3));
  MOKA_ASSIGN_OR_RETURN(Tensor row, Tensor::Create(DataType::kU8, {reader.cmyk() ? reader.width() * 4 : 0}));
  if (!reader.ReadRows(picture.as<uint8_t>(), row.as<uint8_t>())) return reader.status();
  return picture;
}

}  // namespace moka::image
