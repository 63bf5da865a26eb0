// Named places at which a test lets the collector die, as a power cut would.
#pragma once

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace runfold::collector {

/// Ends this process with SIGKILL when it passes here, if the environment's RUNFOLD_FAILPOINT says so: "NAME" at the first
/// passing, "NAME:N" at the N-th. Costs a look at a constant otherwise; it stands beside transactions, never beside records.
///
/// Thread: each place is passed by one thread only.
inline void failpoint(std::string_view name) noexcept {
  static const std::string_view kWanted = [] {
    const char* wanted = std::getenv("RUNFOLD_FAILPOINT");
    return std::string_view(wanted == nullptr ? "" : wanted);
  }();
  static int left = [] {
    const auto colon = kWanted.find(':');
    return colon == std::string_view::npos ? 1 : std::atoi(kWanted.data() + colon + 1);
  }();
  if (kWanted.empty() || kWanted.substr(0, kWanted.find(':')) != name) return;
  if (--left <= 0) static_cast<void>(std::raise(SIGKILL));
}

}  // namespace runfold::collector
