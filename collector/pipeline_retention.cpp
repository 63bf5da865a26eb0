// Has the store remove what it is not to keep, a small step at a time, beside the commits and never in their way.
#include "collector/pipeline_retention.hpp"

#include "collector/pipeline_impl.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace runfold::collector {
namespace {

/// A store that nothing was committed to for this long has time to put its write-ahead log away.
constexpr std::chrono::seconds kQuiet{5};
constexpr int kPauseSteps = 4;

}  // namespace

Trimmer::Trimmer(WriterJobs& writer, Observer& observer, Retention keep, Pace pace)
    : writer_(writer), observer_(observer), keep_(keep), pace_(pace) {}

std::optional<Trimmer::Clock::time_point> Trimmer::due_at(bool committing) const {
  if (step_.valid()) return std::nullopt;
  return committing ? next_at_ + pace_.patience : next_at_;
}

std::optional<Trimmer::Said> Trimmer::advance(Clock::time_point now, bool committing) {
  if (committing) {
    quiet_since_.reset();
  } else if (!quiet_since_) {
    quiet_since_ = now;
  }
  if (step_.valid()) {
    if (step_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    return take(now);
  }
  if (now >= *due_at(committing)) begin(now);
  return std::nullopt;
}

void Trimmer::begin(Clock::time_point now) {
  TrimStep how;
  how.quiet = quiet_since_ && now - *quiet_since_ >= kQuiet;
  step_ = writer_.run([keep = keep_, how](Writer& writer) {
    const auto began = Clock::now();
    const auto trim = [&]() -> StoreResult<Trimmed> {
      try {
        return writer.trim(keep, how);
      } catch (const std::exception& error) {
        return StoreError{StoreErrc::kCorrupt, std::string("removing what is too old broke off: ") + error.what()};
      }
    };
    auto result = trim();
    return Step{std::move(result), Clock::now() - began};
  });
}

std::optional<Trimmer::Said> Trimmer::take(Clock::time_point now) {
  const Step step = step_.get();
  if (!step.result) {
    observer_.retention_failed();
    static_cast<void>(backoff_.due(now));
    next_at_ = backoff_.due_at();
    if (!mention_.due(now)) return std::nullopt;
    return Said{
        3, "what is too old or too much cannot be removed from the store, trying again; ingest goes on: " + step.result.error().message};
  }
  tell(*step.result);
  next_at_ = now + (step.result->more ? std::max(pace_.pause, kPauseSteps * step.took) : pace_.rest);
  if (!backoff_.running()) return std::nullopt;
  backoff_.reset();
  mention_.reset();
  return Said{5, "retention goes on"};
}

void Trimmer::tell(const Trimmed& trimmed) {
  const auto removed = [this](std::string_view kind, std::uint64_t count) {
    if (count > 0) observer_.removed(kind, count);
  };
  removed("runs", trimmed.runs);
  removed("log_records", trimmed.log_records);
  removed("api_failures", trimmed.api_failures);
  removed("api_failure_groups", trimmed.api_failure_groups);
  removed("operations", trimmed.operations);
  removed("rejected", trimmed.rejected);
  observer_.store_bytes("runs", trimmed.runs_bytes);
  observer_.store_bytes("logs", trimmed.logs_bytes);
  observer_.store_bytes("file", trimmed.file_bytes);
  observer_.store_bytes("free", trimmed.free_bytes);
}

void PipelineImpl::trim(Clock::time_point now) {
  if (failed_) return;
  if (const auto said = trimmer_.advance(now, committer_.busy())) log_(said->severity, said->text);
}

}  // namespace runfold::collector
