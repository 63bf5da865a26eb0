// Help, type, and a line for each value.
#include "transport/metrics/exposition.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace runfold::metrics {
namespace {

using ::prometheus::ClientMetric;
using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

void append_escaped(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (quoted && c == '"')) {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 512> digits;  // fixed: 309 before the point, and few after it where they are so many
    const auto form = std::abs(value) >= 1e-6 || value == 0 ? std::chars_format::fixed : std::chars_format::scientific;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, form);
    out.append(digits.data(), end.ptr);
  }
}

void append_labels(std::string& out, const std::vector<ClientMetric::Label>& labels) {
  char before = '{';
  for (const auto& [name, value] : labels) {
    out += before;
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
    before = ',';
  }
  if (!labels.empty()) out += '}';
}

void append_family(std::string& out, const MetricFamily& family) {
  const bool counts = family.type == MetricType::Counter;
  out += "# HELP " + family.name + ' ';
  append_escaped(out, family.help, false);
  out += "\n# TYPE " + family.name + (counts ? " counter\n" : " gauge\n");
  for (const auto& metric : family.metric) {
    out += family.name;
    append_labels(out, metric.label);
    out += ' ';
    append_number(out, counts ? metric.counter.value : metric.gauge.value);
    out += '\n';
  }
}

}  // namespace

std::string exposition(const std::vector<MetricFamily>& families) {
  std::string out;
  for (const auto& family : families) {
    if (family.type == MetricType::Counter || family.type == MetricType::Gauge) append_family(out, family);
  }
  return out;
}

}  // namespace runfold::metrics
