#include "tools/memory_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace moka::tools {
namespace {

constexpr double kWidth = 1200, kPanelHeight = 420, kLeft = 90, kRight = 20, kTop = 56, kGap = 64;

std::string Escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string Bytes(uint64_t bytes) {
  if (bytes >= 1 << 20) return fmt::format("{:.2f} MiB", bytes / 1048576.0);
  if (bytes >= 1 << 10) return fmt::format("{:.1f} KiB", bytes / 1024.0);
  return fmt::format("{} B", bytes);
}

// Neighbouring values get different hues: steps of the golden angle.
std::string Color(size_t i, bool alias) {
  return fmt::format("hsl({:.0f} {}% 62%)", std::fmod(static_cast<double>(i) * 137.508, 360.0), alias ? 18 : 58);
}

struct Panel {
  std::vector<const MemoryInterval*> intervals;
  uint64_t bytes = 0;
};

void DrawPanel(const std::string& device, const Panel& panel, int steps, double y0, std::string& svg) {
  auto out = std::back_inserter(svg);
  const double plot = kWidth - kLeft - kRight, y1 = y0 + kPanelHeight;
  const double per_step = plot / std::max(1, steps), per_byte = kPanelHeight / std::max<double>(1, panel.bytes);
  fmt::format_to(out, "<text x='{}' y='{}' class='t'>arena of {}: {}</text>\n", kLeft, y0 - 10, Escape(device),
                 Bytes(panel.bytes));
  fmt::format_to(out, "<rect x='{}' y='{}' width='{}' height='{}' class='frame'/>\n", kLeft, y0, plot, kPanelHeight);
  for (int tick = 0; tick <= 4; tick++)
    fmt::format_to(out, "<text x='{}' y='{:.1f}' class='n' text-anchor='end'>{}</text>\n", kLeft - 8,
                   y1 - tick * kPanelHeight / 4 + 4, Bytes(panel.bytes * tick / 4));
  for (size_t i = 0; i < panel.intervals.size(); i++) {
    const MemoryInterval& v = *panel.intervals[i];
    const double x = kLeft + std::max(0, v.first_step) * per_step;
    const double width = (v.last_step - std::max(0, v.first_step) + 1) * per_step;
    const double height = v.bytes * per_byte;
    fmt::format_to(
        out,
        "<rect x='{:.2f}' y='{:.2f}' width='{:.2f}' height='{:.2f}' fill='{}' class='v'><title>{}: {} at {}, "
        "steps {} to {}{}</title></rect>\n",
        x, y1 - v.offset * per_byte - height, width, height, Color(i, v.alias), Escape(v.value), Bytes(v.bytes),
        v.offset, v.first_step, v.last_step, v.alias ? ", a view" : "");
    if (height > 13 && width > 7.0 * static_cast<double>(v.value.size()))
      fmt::format_to(out, "<text x='{:.2f}' y='{:.2f}' class='n'>{}</text>\n", x + 4,
                     y1 - v.offset * per_byte - height / 2 + 4, Escape(v.value));
  }
  fmt::format_to(out, "<text x='{}' y='{}' class='n' text-anchor='end'>step {}</text>\n", kWidth - kRight, y1 + 18,
                 steps - 1);
}

}  // namespace

std::string MemorySvg(const PlanInfo& plan, const std::string& title) {
  std::map<std::string, Panel> panels;
  for (const MemoryInterval& v : plan.intervals) {
    Panel& panel = panels[v.device];
    panel.intervals.push_back(&v);
    panel.bytes = std::max(panel.bytes, v.offset + v.bytes);
  }
  const double height = kTop + static_cast<double>(panels.size()) * (kPanelHeight + kGap);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}'>\n"
      "<style>text{{font-family:sans-serif;fill:#222}}.h{{font-size:18px}}.t{{font-size:14px}}.n{{font-size:11px}}"
      ".frame{{fill:#fafafa;stroke:#999}}.v{{stroke:#fff;stroke-width:.6}}</style>\n"
      "<rect width='100%' height='100%' fill='white'/>\n<text x='{2}' y='26' class='h'>{3}</text>\n",
      kWidth, height, kLeft, Escape(title));
  double y = kTop + 24;
  for (const auto& [device, panel] : panels) {
    DrawPanel(device, panel, static_cast<int>(plan.steps.size()), y, svg);
    y += kPanelHeight + kGap;
  }
  return svg + "</svg>\n";
}

}  // namespace moka::tools
