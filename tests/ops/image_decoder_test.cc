#include "ops/image_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/ops/image_files.h"
#include "tests/ops/run_host_op.h"

namespace moka {
namespace {

using File = std::string;

File FromHex(const char* digits) {
  File file;
  for (; digits[0] != 0; digits += 2) file += static_cast<char>(std::stoi(std::string(digits, 2), nullptr, 16));
  return file;
}

Datum AsBytes(const File& file) {
  Tensor tensor = *Tensor::Create(DataType::kU8, {static_cast<int64_t>(file.size())});
  if (!file.empty()) std::memcpy(tensor.data(), file.data(), file.size());
  return Datum(std::move(tensor));
}

Result<Tensor> Decode(const File& file, const char* pixel_format = "RGB") {
  Attributes attrs;
  attrs.Set("pixel_format", std::string(pixel_format));
  Result<std::vector<Datum>> results = RunHostOp("ImageDecoder", {AsBytes(file)}, attrs);
  if (!results.ok()) return results.status();
  return (*results)[0].tensor();
}

void ExpectPicture(const Result<Tensor>& got, const Shape& shape, const std::vector<double>& pixels) {
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ(got->type(), DataType::kU8);
  EXPECT_EQ(got->shape(), shape);
  EXPECT_EQ(NumbersIn(*got), pixels);
}

bool CanDecode(std::string_view format) {
  const auto formats = ImageFormats();
  return std::any_of(formats.begin(), formats.end(), [&](const ImageFormat& f) { return f.name == format; });
}

// The picture of image_files.h.
std::vector<double> Colours() {
  std::vector<double> pixels;
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 5; ++x) pixels.insert(pixels.end(), {40. * x + 10, 80. * y + 20, 255. - 30 * x - 20 * y});
  }
  return pixels;
}

std::vector<double> Red() {
  std::vector<double> red, all = Colours();
  for (size_t i = 0; i < all.size(); i += 3) red.push_back(all[i]);
  return red;
}

File Little(std::initializer_list<std::pair<int, uint32_t>> fields) {
  File bytes;
  for (const auto& [size, value] : fields) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  }
  return bytes;
}

// A bitmap with `extra` (masks or colours) between its header of 40 bytes and its pixels.
File Bitmap(int32_t width, int32_t height, int bits, uint32_t compression, const File& extra, const File& pixels) {
  return "BM" + Little({{4, 0}, {4, 0}, {4, static_cast<uint32_t>(54 + extra.size())}}) +
         Little({{4, 40}, {4, static_cast<uint32_t>(width)}, {4, static_cast<uint32_t>(height)}, {2, 1}}) +
         Little({{2, static_cast<uint32_t>(bits)}, {4, compression}, {4, 0}, {4, 0}, {4, 0}, {4, 0}, {4, 0}}) + extra +
         pixels;
}

const File kFourColours = Little({{4, 0x0a0b0c}, {4, 0x646464}, {4, 0xff0000}, {4, 0x0000ff}});

File ColourBitmap() {
  const std::vector<double> colours = Colours();
  File pixels;
  for (int y = 2; y >= 0; --y) {
    for (int x = 0; x < 5; ++x) {
      for (int c = 2; c >= 0; --c) pixels += static_cast<char>(colours[static_cast<size_t>((y * 5 + x) * 3 + c)]);
    }
    pixels += '\0';
  }
  return Bitmap(5, 3, 24, 0, "", pixels);
}

File ColourPixmap() {
  File file = "P6\n# by hand\n5 3\n255\n";
  for (double v : Colours()) file += static_cast<char>(v);
  return file;
}

struct Sample {
  const char* format;
  File file;
};

// One file of each format that has the colours in full.
std::vector<Sample> Samples() {
  std::vector<Sample> samples;
  const auto add = [&](const char* format, File file) {
    if (CanDecode(format)) samples.push_back({format, std::move(file)});
  };
  add("bmp", ColourBitmap());
  add("jpeg2000", FromHex(kJp2));
  add("png", FromHex(kPng));
  add("pnm", ColourPixmap());
  add("tiff", FromHex(kTiff));
  add("webp", FromHex(kWebp));
  return samples;
}

TEST(ImageDecoder, EveryFormatGivesThePixels) {
  for (const Sample& sample : Samples()) {
    SCOPED_TRACE(sample.format);
    ExpectPicture(Decode(sample.file), {3, 5, 3}, Colours());
    std::vector<double> reversed = Colours();
    for (size_t i = 0; i < reversed.size(); i += 3) std::swap(reversed[i], reversed[i + 2]);
    ExpectPicture(Decode(sample.file, "BGR"), {3, 5, 3}, reversed);
    std::vector<double> luma, all = Colours();
    for (size_t i = 0; i < all.size(); i += 3) {
      luma.push_back(std::floor(0.299 * all[i] + 0.587 * all[i + 1] + 0.114 * all[i + 2] + 0.5));
    }
    ExpectPicture(Decode(sample.file, "Grayscale"), {3, 5, 1}, luma);
  }
}

TEST(ImageDecoder, GreyFilesStayGrey) {
  const std::pair<const char*, const char*> files[] = {{"tiff", kTiffGrey}, {"jpeg2000", kJp2Grey}};
  for (const auto& [format, digits] : files) {
    if (!CanDecode(format)) continue;
    SCOPED_TRACE(format);
    ExpectPicture(Decode(FromHex(digits), "Grayscale"), {3, 5, 1}, Red());
    std::vector<double> repeated;
    for (double v : Red()) repeated.insert(repeated.end(), 3, v);
    ExpectPicture(Decode(FromHex(digits)), {3, 5, 3}, repeated);
  }
}

TEST(ImageDecoder, KindsOfPng) {
  if (!CanDecode("png")) GTEST_SKIP() << "built without libpng";
  ExpectPicture(Decode(FromHex(kPngInterlaced)), {3, 5, 3}, Colours());
  ExpectPicture(Decode(FromHex(kPngPalette)), {3, 5, 3}, Colours());
  ExpectPicture(Decode(FromHex(kPngGreyAlpha), "Grayscale"), {2, 3, 1}, {1, 2, 3, 40, 50, 60});
  ExpectPicture(Decode(FromHex(kPng16), "Grayscale"), {2, 3, 1}, {0, 1, 255, 128, 128, 4});
}

TEST(ImageDecoder, AlphaIsDropped) {
  if (CanDecode("webp")) ExpectPicture(Decode(FromHex(kWebpAlpha)), {3, 5, 3}, Colours());
  if (CanDecode("tiff")) ExpectPicture(Decode(FromHex(kTiffAlpha)), {3, 5, 3}, Colours());
}

TEST(ImageDecoder, Jpeg) {
  if (!CanDecode("jpeg")) GTEST_SKIP() << "built without libjpeg";
  const auto one_colour = [](const std::vector<double>& colour) {
    std::vector<double> pixels;
    for (int i = 0; i < 64; ++i) pixels.insert(pixels.end(), colour.begin(), colour.end());
    return pixels;
  };
  ExpectPicture(Decode(FromHex(kJpeg)), {8, 8, 3}, one_colour({200, 60, 99}));
  ExpectPicture(Decode(FromHex(kJpeg), "BGR"), {8, 8, 3}, one_colour({99, 60, 200}));
  ExpectPicture(Decode(FromHex(kJpegGrey), "Grayscale"), {8, 8, 1}, one_colour({77}));
  // Ink (20, 200, 100, 30) of 255.
  ExpectPicture(Decode(FromHex(kJpegCmyk)), {8, 8, 3}, one_colour({207, 49, 137}));
}

TEST(ImageDecoder, KindsOfBitmap) {
  if (!CanDecode("bmp")) GTEST_SKIP() << "built without MOKA_IMAGE_DECODER";
  using namespace std::string_literals;
  // Rows from the bottom, each of a multiple of 4 bytes.
  ExpectPicture(Decode(Bitmap(3, 2, 1, 0, kFourColours.substr(0, 8), "\xa0\0\0\0\x40\0\0\0"s), "Grayscale"), {2, 3, 1},
                {11, 100, 11, 100, 11, 100});
  const std::vector<double> four = {10, 11, 12, 100, 100, 100, 255, 0, 0, 0, 0, 255};
  ExpectPicture(Decode(Bitmap(4, -1, 4, 0, kFourColours, "\x01\x23\0\0"s)), {1, 4, 3}, four);
  ExpectPicture(Decode(Bitmap(4, 1, 8, 0, kFourColours, "\0\1\2\3"s)), {1, 4, 3}, four);
  ExpectPicture(Decode(Bitmap(2, 1, 16, 0, "", Little({{2, 0x7c1f}, {2, 0x0200}}))), {1, 2, 3},
                {255, 0, 255, 0, 132, 0});
  ExpectPicture(Decode(Bitmap(1, 1, 16, 3, Little({{4, 0xf800}, {4, 0x07e0}, {4, 0x001f}}), Little({{4, 0x07e0}}))),
                {1, 1, 3}, {0, 255, 0});
  ExpectPicture(Decode(Bitmap(1, 1, 32, 0, "", Little({{4, 0xff010203}}))), {1, 1, 3}, {1, 2, 3});
  // Two of colour 1, the row ends, one move to the right, one pixel as it is.
  const File runs8 = "\2\1\0\0\0\2\1\0\1\3\0\1"s;
  ExpectPicture(Decode(Bitmap(2, 2, 8, 1, kFourColours, runs8), "Grayscale"), {2, 2, 1}, {11, 29, 100, 100});
  const File runs4 = "\3\x12\0\1"s, plain4 = "\0\3\x01\x30\0\1"s;
  ExpectPicture(Decode(Bitmap(3, 1, 4, 2, kFourColours, runs4), "Grayscale"), {1, 3, 1}, {100, 76, 100});
  ExpectPicture(Decode(Bitmap(3, 1, 4, 2, kFourColours, plain4), "Grayscale"), {1, 3, 1}, {11, 100, 29});
}

TEST(ImageDecoder, KindsOfPortableMaps) {
  if (!CanDecode("pnm")) GTEST_SKIP() << "built without MOKA_IMAGE_DECODER";
  using namespace std::string_literals;
  ExpectPicture(Decode("P1 3 2 101 0 1 0", "Grayscale"), {2, 3, 1}, {0, 255, 0, 255, 0, 255});
  ExpectPicture(Decode("P2 2 1 # text\n100 50 100", "Grayscale"), {1, 2, 1}, {128, 255});
  ExpectPicture(Decode("P3 1 1 255 1 2 3"), {1, 1, 3}, {1, 2, 3});
  ExpectPicture(Decode("P4 10 1 \xa0\x40"s, "Grayscale"), {1, 10, 1}, {0, 255, 0, 255, 255, 255, 255, 255, 255, 0});
  ExpectPicture(Decode("P5 2 1 65535 \xff\xff\x80\x80"s, "Grayscale"), {1, 2, 1}, {255, 128});
}

// Every beginning of every file: the picture, where only what is behind the pixels is missing, else nothing.
TEST(ImageDecoder, FilesThatEndEarlyGiveAnEmptyPicture) {
  std::vector<Sample> samples = Samples();
  if (CanDecode("jpeg")) samples.push_back({"jpeg", FromHex(kJpeg)});
  if (CanDecode("bmp")) samples.push_back({"bmp", Bitmap(2, 1, 8, 1, kFourColours, File("\2\1\0\1", 4))});
  for (const Sample& sample : samples) {
    for (size_t size = 0; size < sample.file.size(); ++size) {
      SCOPED_TRACE(testing::Message() << sample.format << ", the first " << size);
      const Result<Tensor> got = Decode(sample.file.substr(0, size));
      ASSERT_TRUE(got.ok()) << got.status().message();
      EXPECT_EQ(got->shape().back(), 3);
      EXPECT_LE(got->size(), size < sample.file.size() / 2 ? 0 : 8 * 8 * 3);
    }
  }
}

TEST(ImageDecoder, DamagedFilesGiveSomePictureOrNone) {
  std::vector<Sample> samples = Samples();
  if (CanDecode("jpeg")) samples.push_back({"jpeg", FromHex(kJpeg)});
  if (CanDecode("jpeg")) samples.push_back({"jpeg of inks", FromHex(kJpegCmyk)});
  if (CanDecode("png")) samples.push_back({"png with a palette", FromHex(kPngPalette)});
  for (const Sample& sample : samples) {
    for (size_t at = 0; at < sample.file.size(); ++at) {
      for (const int flip : {0xff, 0x01, 0x40}) {
        File file = sample.file;
        file[at] = static_cast<char>(file[at] ^ flip);
        const Result<Tensor> got = Decode(file, "Grayscale");
        if (got.ok()) {
          EXPECT_EQ(got->shape().back(), 1);
        } else {
          EXPECT_EQ(got.status().code(), StatusCode::kUnsupported) << sample.format << ": " << got.status().message();
        }
      }
    }
  }
}

TEST(ImageDecoder, WhatIsNoPictureIsEmpty) {
  ExpectPicture(Decode("GIF89a"), {0, 0, 3}, {});
  ExpectPicture(Decode(""), {0, 0, 3}, {});
  ExpectPicture(Decode("hello", "Grayscale"), {0, 0, 1}, {});
  if (!CanDecode("pnm")) return;
  for (const char* text :
       {"P2 0 1 255 ", "P2 2 1 0 1 1", "P2 2 1 70000 1 1", "P1 2 1 12", "P3 1 1 255 1 x", "P5 99999999999 1 255 "}) {
    SCOPED_TRACE(text);
    ExpectPicture(Decode(text), {0, 0, 3}, {});
  }
  for (const auto& [bits, compression] : {std::pair{7, 0u}, {8, 2u}, {24, 1u}, {24, 3u}, {8, 9u}}) {
    ExpectPicture(Decode(Bitmap(1, 1, bits, compression, kFourColours, "\0\0\0\0")), {0, 0, 3}, {});
  }
}

TEST(ImageDecoder, RefusesPicturesBeyondTheLimitBeforeMemoryIsTaken) {
  const auto expect_refusal = [](const File& file) {
    const Result<Tensor> got = Decode(file);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(got.status().message().find("at most"), std::string::npos) << got.status().message();
  };
  if (CanDecode("bmp")) expect_refusal(Bitmap(1 << 30, 1 << 20, 8, 1, kFourColours, ""));
  if (!CanDecode("jpeg")) GTEST_SKIP() << "built without libjpeg";
  File file = FromHex(kJpeg);
  const size_t header = file.find("\xff\xc0");
  ASSERT_NE(header, File::npos);
  file.replace(header + 5, 4, "\xff\x01\xff\x01");
  expect_refusal(file);
}

TEST(ImageDecoder, SaysWhichLibraryIsMissing) {
  const std::pair<const char*, const char*> files[] = {
      {"jpeg", kJpeg}, {"jpeg2000", kJp2}, {"png", kPng}, {"tiff", kTiff}, {"webp", kWebp}};
  for (const auto& [format, digits] : files) {
    if (CanDecode(format)) continue;
    const Result<Tensor> got = Decode(FromHex(digits));
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(got.status().message().find("MOKA_IMAGE_DECODER"), std::string::npos) << got.status().message();
  }
}

TEST(ImageDecoder, RefusesWrongOperandsAndAttributes) {
  Attributes wrong;
  wrong.Set("pixel_format", std::string("YUV"));
  ExpectHostRefusal("ImageDecoder", {AsBytes("P1 1 1 1")}, "pixel_format", wrong);
  Attributes number;
  number.Set("pixel_format", int64_t{1});
  ExpectHostRefusal("ImageDecoder", {AsBytes("P1 1 1 1")}, "pixel_format", number);
  ExpectHostRefusal("ImageDecoder", {NumbersOf({2}, {80, 49})}, "type f32");
  ExpectHostRefusal("ImageDecoder", {NumbersOf({1, 2}, {80, 49}, DataType::kU8)}, "rank 2");
  ExpectHostRefusal("ImageDecoder", {TextsOf({1}, {"P1 1 1 1"})}, "type string");
}

}  // namespace
}  // namespace moka
