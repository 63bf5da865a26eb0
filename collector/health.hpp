// Why the collector is not ready, gathered from its parts and shown by /readyz.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Holds one reason a component that is not ready.
///
/// Thread: any.
class Health {
 public:
  /// `reason` is one sentence for an operator, for example
  /// "no Kafka broker answers at 127.0.0.1:9092 (connection refused); retrying". Replaces the component's former reason.
  void not_ready(std::string_view component, std::string reason) {
    const std::scoped_lock lock(mutex_);
    reasons_.insert_or_assign(std::string(component), std::move(reason));
  }
  void ready(std::string_view component) {
    const std::scoped_lock lock(mutex_);
    reasons_.erase(std::string(component));
  }
  /// Component to reason; empty when all are ready.
  [[nodiscard]] std::map<std::string, std::string> reasons() const {
    const std::scoped_lock lock(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
};

}  // namespace runfold::collector
