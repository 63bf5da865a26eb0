// Metrics as Prometheus scrapes them.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace runfold::metrics {

/// Counters and gauges in Prometheus' text format 0.0.4; families of other types are left out.
///
/// The library's own writer does the same, and more; but Debian has it as a shared library only, which with the C++ library
/// that it shares would cost each `runfold exec` a millisecond and more at its start (docs/adr/0004-runfold-is-one-file.md).
/// Thread: any.
[[nodiscard]] std::string exposition(const std::vector<prometheus::MetricFamily>& families);

}  // namespace runfold::metrics
