#include "examples/fashion_mnist/canvas.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_TRUETYPE_IMPLEMENTATION
#include <stb_image_write.h>
#include <stb_truetype.h>

#include <cmath>
#include <fstream>
#include <iterator>

struct Font::State {
  std::string bytes;
  stbtt_fontinfo info{};
};

Font::Font() : state_(std::make_unique<State>()) {}
Font::~Font() = default;
Font::Font(Font&&) noexcept = default;

moka::Result<Font> Font::Load(const std::string& path) {
  Font font;
  std::ifstream file(path, std::ios::binary);
  font.state_->bytes.assign(std::istreambuf_iterator<char>(file), {});
  const auto* bytes = reinterpret_cast<const unsigned char*>(font.state_->bytes.data());
  if (font.state_->bytes.empty() || !stbtt_InitFont(&font.state_->info, bytes, stbtt_GetFontOffsetForIndex(bytes, 0)))
    return moka::Status(moka::StatusCode::kNotFound, "cannot read the font " + path + " (package fonts-dejavu-core)");
  return font;
}

Canvas::Canvas(int width, int height, Color background)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width) * height * 3) {
  Fill(0, 0, width, height, background);
}

void Canvas::Fill(int x, int y, int width, int height, Color color) {
  for (int j = y; j < y + height; j++)
    for (int i = x; i < x + width; i++) Blend(i, j, color, 255);
}

void Canvas::Blend(int x, int y, Color color, int coverage) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  uint8_t* p = &pixels_[(static_cast<size_t>(y) * width_ + x) * 3];
  const uint8_t channels[3] = {color.r, color.g, color.b};
  for (int c = 0; c < 3; c++)
    p[c] = static_cast<uint8_t>((p[c] * (255 - coverage) + channels[c] * coverage + 127) / 255);
}

int Canvas::Text(const Font& font, float pixels, int x, int baseline, const std::string& text, Color color) {
  const stbtt_fontinfo* info = &font.state_->info;
  const float scale = stbtt_ScaleForPixelHeight(info, pixels);
  float pen = static_cast<float>(x);
  for (size_t i = 0; i < text.size(); i++) {
    int width = 0, height = 0, left = 0, top = 0, advance = 0, bearing = 0;
    const float start = std::floor(pen);
    unsigned char* glyph = stbtt_GetCodepointBitmapSubpixel(
        info, scale, scale, pen - start, 0, static_cast<unsigned char>(text[i]), &width, &height, &left, &top);
    for (int j = 0; j < height; j++)
      for (int k = 0; k < width; k++)
        Blend(static_cast<int>(start) + left + k, baseline + top + j, color, glyph[j * width + k]);
    stbtt_FreeBitmap(glyph, nullptr);
    stbtt_GetCodepointHMetrics(info, static_cast<unsigned char>(text[i]), &advance, &bearing);
    pen += scale * static_cast<float>(advance);
    if (i + 1 < text.size())
      pen += scale * static_cast<float>(stbtt_GetCodepointKernAdvance(info, text[i], text[i + 1]));
  }
  return static_cast<int>(std::ceil(pen)) - x;
}

int Canvas::TextWidth(const Font& font, float pixels, const std::string& text) const {
  Canvas nowhere(1, 1, {0, 0, 0});
  return nowhere.Text(font, pixels, 0, -10000, text, {0, 0, 0});
}

moka::Status Canvas::SavePng(const std::string& path) const {
  if (stbi_write_png(path.c_str(), width_, height_, 3, pixels_.data(), width_ * 3)) return moka::Status();
  return moka::Status(moka::StatusCode::kNotFound, "cannot write " + path);
}
