// Makes the topics that are missing, beside the collector's start, until it is done.
#include "collector/topics_at_start.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace runfold::collector {

namespace {
constexpr std::string_view kComponent = "topics";
}  // namespace

TopicsAtStart::TopicsAtStart(Create create, Health& health, Log log, std::function<void()> tried, Pace pace)
    : create_(std::move(create)), health_(health), log_(std::move(log)), tried_(std::move(tried)), pace_(pace) {
  health_.not_ready(kComponent, "the topics are being looked for");
  thread_ = std::thread([this] { work(); });
}

TopicsAtStart::~TopicsAtStart() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void TopicsAtStart::work() {
  bool done = try_once(pace_.first_limit);
  tried_();
  auto wait = pace_.first_wait;
  while (!done) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, wait, [this] { return stopped_; })) {
        return;
      }
    }
    wait = std::min(wait * 2, pace_.longest_wait);
    done = try_once(pace_.limit);
  }
}

bool TopicsAtStart::try_once(std::chrono::milliseconds limit) {
  const auto reports = create_(limit);
  if (!reports && reports.error().retryable()) {
    // The pipeline tells the operator of the same trouble; here it is only why we are not ready.
    health_.not_ready(kComponent, reports.error().message + "; trying again");
    return false;
  }
  health_.ready(kComponent);
  if (!reports) {
    log_(4, "the topics were not made or compared: " + reports.error().message +
                "; have them made by `runfold topics create`, or set topics.create to false");
    return true;
  }
  std::string made;
  for (const auto& report : *reports) {
    if (report.created) {
      made += made.empty() ? "" : ", ";
      made += report.name;
    }
    for (const auto& difference : report.differences) {
      log_(4, "topic " + report.name + " is left as it is: " + difference);
    }
  }
  if (!made.empty()) {
    log_(6, "made the topics " + made);
  }
  return true;
}

}  // namespace runfold::collector
