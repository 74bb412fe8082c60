// A small RGB picture to draw on: rectangles and anti-aliased text.
#ifndef MOKA_EXAMPLES_FASHION_MNIST_CANVAS_H_
#define MOKA_EXAMPLES_FASHION_MNIST_CANVAS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moka/status.h"

struct Color {
  uint8_t r, g, b;
};

class Font {
 public:
  static moka::Result<Font> Load(const std::string& path);
  ~Font();
  Font(Font&&) noexcept;

 private:
  friend class Canvas;
  struct State;
  Font();
  std::unique_ptr<State> state_;
};

class Canvas {
 public:
  Canvas(int width, int height, Color background);
  int width() const { return width_; }
  int height() const { return height_; }

  void Fill(int x, int y, int width, int height, Color color);
  // Mixes `color` into a pixel; coverage 255 replaces it. Outside of the picture nothing happens.
  void Blend(int x, int y, Color color, int coverage);
  // UTF-8 is not decoded: Latin letters only. `baseline` is y of the line that letters stand on; returns the width.
  int Text(const Font& font, float pixels, int x, int baseline, const std::string& text, Color color);
  int TextWidth(const Font& font, float pixels, const std::string& text) const;
  moka::Status SavePng(const std::string& path) const;

 private:
  int width_, height_;
  std::vector<uint8_t> pixels_;
};

#endif  // MOKA_EXAMPLES_FASHION_MNIST_CANVAS_H_
