// Reads /proc/self as Prometheus' own clients do, under the same names.
#include "transport/metrics/process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>

namespace runfold::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const char* name, const char* what, MetricType type, double value) {
  ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return {name, what, type, {metric}};
}

/// The fields of /proc/self/stat from the third on: the second, the program's name, may hold spaces.
std::vector<double> stat_fields() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > text.size()) return {};
  std::istringstream rest(text.substr(name_end + 4));  // past ") S"
  return {std::istream_iterator<double>(rest), {}};
}

/// When the system was started, Unix time in seconds.
std::optional<double> boot_time_s() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  // Places in stat_fields(), which begins with the fourth field of proc(5).
  constexpr std::size_t kUserTicks = 10, kSystemTicks = 11, kStartTicks = 18, kVirtualBytes = 19, kResidentPages = 20;
  std::vector<MetricFamily> families;
  const auto fields = stat_fields();
  if (fields.size() > kResidentPages) {
    const auto ticks_a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    families.push_back(family("process_cpu_seconds_total", "CPU time this process used, user and system.", MetricType::Counter,
                              (fields[kUserTicks] + fields[kSystemTicks]) / ticks_a_second));
    families.push_back(family("process_virtual_memory_bytes", "Virtual memory of this process.", MetricType::Gauge, fields[kVirtualBytes]));
    families.push_back(family("process_resident_memory_bytes", "Resident memory of this process.", MetricType::Gauge,
                              fields[kResidentPages] * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    if (const auto booted = boot_time_s()) {
      families.push_back(family("process_start_time_seconds", "When this process started, Unix time.", MetricType::Gauge,
                                *booted + fields[kStartTicks] / ticks_a_second));
    }
  }
  std::error_code unreadable;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", unreadable);
  if (!unreadable) {
    families.push_back(family("process_open_fds", "File descriptors this process has open.", MetricType::Gauge,
                              static_cast<double>(std::distance(begin(descriptors), end(descriptors)))));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    families.push_back(
        family("process_max_fds", "File descriptors this process may have open.", MetricType::Gauge, static_cast<double>(limit.rlim_cur)));
  }
  return families;
}

}  // namespace runfold::metrics
