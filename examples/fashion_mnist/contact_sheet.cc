#include "examples/fashion_mnist/contact_sheet.h"

#include <fmt/core.h>

#include <algorithm>

#include "examples/fashion_mnist/canvas.h"

namespace {

constexpr int kColumns = 10, kRows = 6, kWrong = 9;
constexpr int kZoom = 4, kPicture = Dataset::kSide * kZoom, kCaption = 58, kGap = 16, kMargin = 40, kHeader = 104;
constexpr int kCellWidth = kPicture + kGap, kCellHeight = kPicture + kCaption + kGap;

constexpr Color kPaper{250, 248, 245}, kInk{52, 43, 36}, kFaint{140, 128, 118}, kTrack{228, 222, 214};
constexpr Color kRightColor{58, 135, 92}, kWrongColor{196, 72, 52}, kFront{54, 40, 30}, kBack{243, 236, 226};

// The first images, with a few wrong ones spread among them.
std::vector<int> Select(const Dataset& dataset, const std::vector<Prediction>& predictions) {
  std::vector<int> right, wrong, cells;
  for (int i = 0; i < dataset.count; i++) (predictions[i].label == dataset.labels[i] ? right : wrong).push_back(i);
  const int cells_wanted = kColumns * kRows, every = cells_wanted / kWrong;
  size_t r = 0, w = 0;
  for (int cell = 0; cell < cells_wanted && (r < right.size() || w < wrong.size()); cell++) {
    const bool take_wrong = (cell % every == every - 2 && w < wrong.size()) || r == right.size();
    cells.push_back(take_wrong ? wrong[w++] : right[r++]);
  }
  return cells;
}

void DrawPicture(Canvas& canvas, const uint8_t* pixels, int x, int y) {
  canvas.Fill(x, y, kPicture, kPicture, kBack);
  for (int j = 0; j < kPicture; j++)
    for (int i = 0; i < kPicture; i++)
      canvas.Blend(x + i, y + j, kFront, pixels[j / kZoom * Dataset::kSide + i / kZoom]);
}

void DrawCell(Canvas& canvas, const Font& font, const uint8_t* pixels, const Prediction& said, const std::string& label,
              const std::string& truth, int x, int y) {
  const bool right = label == truth;
  const Color color = right ? kRightColor : kWrongColor;
  DrawPicture(canvas, pixels, x, y);
  canvas.Fill(x, y + kPicture + 5, kPicture, 4, kTrack);
  canvas.Fill(x, y + kPicture + 5, static_cast<int>(kPicture * said.probability + 0.5f), 4, color);
  canvas.Text(font, 15, x, y + kPicture + 25, label, color);
  const std::string percent = fmt::format("{:.0f}%", 100 * said.probability);
  canvas.Text(font, 13, x + kPicture - canvas.TextWidth(font, 13, percent), y + kPicture + 25, percent, kFaint);
  canvas.Text(font, 13, x, y + kPicture + 42, right ? "right" : "is: " + truth, right ? kFaint : kInk);
}

}  // namespace

moka::Status DrawContactSheet(const std::string& path, const Dataset& dataset,
                              const std::vector<Prediction>& predictions, const std::vector<std::string>& labels,
                              const std::string& font_path, const std::string& title, const std::string& subtitle) {
  moka::Result<Font> font = Font::Load(font_path);
  if (!font.ok()) return font.status();
  Canvas canvas(2 * kMargin + kColumns * kCellWidth - kGap, kHeader + kRows * kCellHeight + kMargin - kGap, kPaper);
  canvas.Text(*font, 30, kMargin, 50, title, kInk);
  canvas.Text(*font, 16, kMargin, 78, subtitle, kFaint);
  const std::vector<int> cells = Select(dataset, predictions);
  for (size_t cell = 0; cell < cells.size(); cell++) {
    const int i = cells[cell], column = static_cast<int>(cell) % kColumns, row = static_cast<int>(cell) / kColumns;
    DrawCell(canvas, *font, &dataset.pixels[static_cast<size_t>(i) * Dataset::kPixels], predictions[i],
             labels[predictions[i].label], labels[dataset.labels[i]], kMargin + column * kCellWidth,
             kHeader + row * kCellHeight);
  }
  return canvas.SavePng(path);
}
