// Makes the topics that are missing, beside the collector's start, until it is done.
#pragma once

#include "collector/health.hpp"
#include "transport/kafka/topics.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace runfold::collector {

/// A thread that tries to make the topics, at growing intervals while no broker answers.
///
/// A collector does not need it to start or to stop; it is not ready before it is done. When the cluster refuses (no right to make topics,
/// a policy it does not take), that is said once and left to the operator: the topics may well be there. Thread: one; what it calls is
/// called on its own.
class TopicsAtStart {
 public:
  using Create = std::function<kafka::Result<std::vector<kafka::TopicReport>>(std::chrono::milliseconds limit)>;
  using Log = std::function<void(int severity, std::string_view message)>;

  struct Pace {
    /// Bound on the first try, for which the pipeline waits.
    std::chrono::milliseconds first_limit{1'000};
    /// Bound on each later try, and so on how long the destructor may take.
    std::chrono::milliseconds limit{3'000};
    std::chrono::milliseconds first_wait{1'000};
    std::chrono::milliseconds longest_wait{30'000};
  };

  /// `tried` runs once, after the first try, whatever came of it. `health` outlives this.
  TopicsAtStart(Create create, Health& health, Log log, std::function<void()> tried, Pace pace);
  /// Gives up and waits for a try under way.
  ~TopicsAtStart();
  TopicsAtStart(const TopicsAtStart&) = delete;
  TopicsAtStart& operator=(const TopicsAtStart&) = delete;

 private:
  void work();
  /// True when there is nothing more to do.
  bool try_once(std::chrono::milliseconds limit);

  const Create create_;
  Health& health_;
  const Log log_;
  const std::function<void()> tried_;
  const Pace pace_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace runfold::collector
