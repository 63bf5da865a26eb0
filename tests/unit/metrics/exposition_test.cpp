// The text of counters and gauges, against prometheus-cpp's own writer.
#include "transport/metrics/exposition.hpp"

#include "transport/metrics/process.hpp"

#include <prometheus/text_serializer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace runfold::metrics {
namespace {

using ::prometheus::ClientMetric;
using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

using Values = std::vector<std::pair<std::vector<ClientMetric::Label>, double>>;

MetricFamily family(MetricType type, const Values& values, std::string help = "Help.") {
  MetricFamily out{"runfold_things", std::move(help), type, {}};
  for (const auto& [labels, value] : values) {
    ClientMetric metric;
    metric.label = labels;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    out.metric.push_back(std::move(metric));
  }
  return out;
}

TEST(Exposition, IsWhatTheLibraryWrites) {
  const std::vector<MetricFamily> families{
      family(MetricType::Counter, {{{}, 0}}),
      family(MetricType::Counter,
             {{{{"topic", "runfold.logs"}, {"outcome", "dropped"}}, 1'000'000}, {{{"topic", "t"}}, 9'007'199'254'740'991}}),
      family(MetricType::Gauge, {{{}, -2.5}, {{{"a", "b"}}, 1'790'000'000.25}}),
      family(MetricType::Gauge, {{{}, std::numeric_limits<double>::infinity()}, {{}, -std::numeric_limits<double>::infinity()}}),
      family(MetricType::Gauge, {{{{"path", "C:\\x"}, {"quote", "say \"so\""}, {"lines", "one\ntwo"}, {"empty", ""}}, 1}}),
      family(MetricType::Counter, {}),
  };
  for (const auto& one : families) EXPECT_EQ(exposition({one}), ::prometheus::TextSerializer().Serialize({one}));
  EXPECT_EQ(exposition(families), ::prometheus::TextSerializer().Serialize(families));
}

TEST(Exposition, EscapesTheHelpToo) {
  EXPECT_THAT(exposition({family(MetricType::Gauge, {}, "A \\ and\na \"quote\".")}),
              testing::StartsWith("# HELP runfold_things A \\\\ and\\na \"quote\".\n# TYPE runfold_things gauge\n"));
}

TEST(Exposition, LosesNothingOfANumber) {
  for (const double value : {0.1, 1e-9, 123456.789012345, 1e300, 5e-324}) {
    const std::string text = exposition({family(MetricType::Gauge, {{{}, value}})});
    EXPECT_EQ(std::strtod(text.c_str() + text.rfind(' '), nullptr), value) << text;
  }
  EXPECT_THAT(exposition({family(MetricType::Gauge, {{{}, std::numeric_limits<double>::quiet_NaN()}})}), testing::EndsWith(" NaN\n"));
}

TEST(Exposition, LeavesOutWhatIsNeitherACounterNorAGauge) {
  EXPECT_EQ(exposition({family(MetricType::Histogram, {{{}, 1}})}), "");
}

TEST(Exposition, WritesTheProcessMetrics) {
  EXPECT_THAT(exposition(ProcessMetrics().Collect()), testing::HasSubstr("\nprocess_resident_memory_bytes "));
}

}  // namespace
}  // namespace runfold::metrics
