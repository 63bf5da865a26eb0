// Keeps a run's records in order: once one of a run waits, so do the later ones.
#pragma once

#include "sinks/sink.hpp"

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace runfold::sinks {

/// The runs of one deliver() that have a record which must be tried again. Views: the items must outlive it.
class RunOrder {
 public:
  [[nodiscard]] bool waits(const Item& item) const { return waiting_.contains(item.run_id); }
  void note(const Item& item, const Verdict& verdict) {
    if (verdict.outcome == Outcome::kRetry) waiting_.insert(item.run_id);
  }

 private:
  std::unordered_set<std::string_view> waiting_;
};

/// The verdict of a record that was not sent.
[[nodiscard]] inline Verdict not_tried(std::string reason, std::chrono::milliseconds retry_after = {}) {
  return {Outcome::kRetry, std::move(reason), retry_after, false};
}

}  // namespace runfold::sinks
