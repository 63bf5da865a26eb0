// Advances partition clocks and says which limits hold for a run.
#include "collector/liveness.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace runfold::collector {

void PartitionClock::advance(TimeNs until_ns, std::chrono::nanoseconds settle) noexcept {
  if (until_ns <= covered_until_ns) return;
  if (covered_until_ns == 0) {
    clock_ns = std::max(clock_ns, until_ns);
  } else if (until_ns - covered_until_ns > kLongestGap.count()) {
    settled_at_ns = until_ns + settle.count();
  } else {
    clock_ns += std::max<TimeNs>(0, until_ns - std::max(covered_until_ns, settled_at_ns));
  }
  covered_until_ns = until_ns;
}

void PartitionClock::not_later_than(TimeNs now_ns) noexcept {
  if (covered_until_ns <= now_ns) return;
  settled_at_ns = std::max<TimeNs>(0, settled_at_ns - (covered_until_ns - now_ns));
  covered_until_ns = now_ns;
}

void CaughtUp::not_later_than(TimeNs now_ns) noexcept {
  if (at_ns_ > now_ns || (ahead_ && ahead_->at_ns > now_ns)) *this = {};
}

void CaughtUp::observe(std::int64_t next_offset, std::int64_t high, TimeNs asked_at_ns) noexcept {
  if (ahead_ && next_offset >= ahead_->offset) {
    at_ns_ = std::max(at_ns_, ahead_->at_ns);
    ahead_.reset();
  }
  if (next_offset >= high) {
    at_ns_ = std::max(at_ns_, asked_at_ns);
  } else if (!ahead_) {
    ahead_ = {high, asked_at_ns};
  }
}

std::chrono::nanoseconds LivenessLimits::silence_of(std::string_view connector_id,
                                                    std::optional<std::chrono::nanoseconds> heartbeat_interval) const {
  const auto own = connectors.find(connector_id);
  if (own != connectors.end() && own->second.silence) return *own->second.silence;
  if (!heartbeat_interval || heartbeat_interval->count() <= 0) return silence;
  if (*heartbeat_interval > kLongest / std::max<std::uint32_t>(1, missed_heartbeats)) return kLongest;
  return std::max(kLeastForHeartbeats, *heartbeat_interval * missed_heartbeats);
}

std::optional<std::chrono::nanoseconds> LivenessLimits::max_duration_of(std::string_view connector_id) const {
  const auto own = connectors.find(connector_id);
  return own != connectors.end() && own->second.max_duration ? own->second.max_duration : max_duration;
}

std::string span_text(std::chrono::nanoseconds span) {
  using std::chrono::milliseconds;
  constexpr std::array<std::pair<std::int64_t, const char*>, 4> kUnits{{{86'400, "d"}, {3'600, "h"}, {60, "min"}, {1, "s"}}};
  std::int64_t left = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  if (left < 1) return std::to_string(std::chrono::duration_cast<milliseconds>(span).count()) + " ms";
  std::string text;
  int units = 0;
  // Two units are enough to know how long it was.
  for (const auto& [seconds, name] : kUnits) {
    if (units > 0) ++units;
    if (const std::int64_t count = left / seconds; count > 0 && units <= 2) {
      text += (text.empty() ? "" : " ") + std::to_string(count) + " " + name;
      if (units == 0) units = 1;
    }
    left %= seconds;
  }
  return text;
}

}  // namespace runfold::collector
