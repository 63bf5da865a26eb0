// Bounds, failures, and how often they are told.
#include "producer/delivery/spooling.hpp"

#include <algorithm>
#include <utility>

namespace runfold::delivery {
namespace {

constexpr std::chrono::seconds kShortestWait{1};
constexpr std::chrono::seconds kLongestWait{60};
constexpr std::chrono::minutes kTellEvery{10};

/// What a record takes beside its texts, at most.
constexpr std::size_t kFrameNumbers = 128;

}  // namespace

Spooling::Spooling(SpoolSettings settings)
    : settings_(std::move(settings)),
      own_path_(settings_.folder / (std::string(kProducerFolder) + settings_.name)),
      takeover_(own_path_, settings_.on_trouble) {}

Place Spooling::keep(const SpoolFrame& frame, bool parked) {
  if (!can_keep()) return {};
  if (!own_) {
    if (const auto error = open()) {
      fail(writing_, "cannot be used", error);
      return {};
    }
  }
  const std::size_t size = kFrameNumbers + frame.value.size() + frame.names.run_id.size() + frame.names.source_id.size() +
                           frame.names.connector_id.size() + frame.traceparent.size() + frame.tracestate.size();
  full_ = own_->bytes() + takeover_.bytes_beside() + size > settings_.limit_bytes;
  if (full_) return {};
  const auto ordinal = own_->append(frame, parked);
  if (!ordinal) {
    fail(writing_, "cannot be written", ordinal.error());
    return {};
  }
  writing_.retry_in = std::chrono::seconds(0);
  return {.spool = own_.get(), .ordinal = *ordinal};
}

DiskError Spooling::open() {
  auto folder = SpoolFolder::make(own_path_);
  if (!folder) return folder.error();
  own_ = std::make_unique<Spool>(std::move(*folder), Spool::Options{.file_bytes = file_bytes(), .tell = settings_.on_trouble});
  takeover_.measure();
  return {};
}

std::uint64_t Spooling::file_bytes() const noexcept {
  return std::clamp<std::uint64_t>(settings_.limit_bytes / 16, 64 * 1024, 4 * 1024 * 1024);
}

void Spooling::fail(Attempt& attempt, const std::string& what, const DiskError& error) {
  attempt.refused = true;
  attempt.retry_in = std::clamp(attempt.retry_in * 2, kShortestWait, kLongestWait);
  attempt.retry_at = now_ + attempt.retry_in;
  if (attempt.told_at && now_ - *attempt.told_at < kTellEvery) return;
  attempt.told_at = now_;
  const std::string then = &attempt == &reading_
                               ? "): what waits there is tried again"
                               : "): records are kept in memory alone until it can; make space there, or let this user write there";
  settings_.on_trouble("the spool " + settings_.folder.string() + " " + what + " (" + error.message() + then);
}

std::optional<Spooling::Stored> Spooling::next_parked() {
  if (!own_ || reading_.refused) return std::nullopt;
  const auto frame = own_->read_next();
  if (!frame) {
    fail(reading_, "cannot be read", frame.error());
    return std::nullopt;
  }
  reading_.retry_in = std::chrono::seconds(0);
  if (!*frame) return std::nullopt;
  return Stored{.place = {.spool = own_.get(), .ordinal = (*frame)->ordinal}, .frame = **frame};
}

std::optional<Spooling::Stored> Spooling::next_inherited() {
  const auto found = takeover_.next(now_);
  if (!found) return std::nullopt;
  return Stored{.place = {.spool = found->spool, .ordinal = found->frame.ordinal}, .frame = found->frame};
}

void Spooling::settle(const Place& place) {
  if (is_inherited(place)) return takeover_.settle(*place.spool, place.ordinal);
  if (place.spool != nullptr) own_->settle(place.ordinal);
}

void Spooling::begin_step(Clock::time_point now) {
  now_ = now;
  if (own_) own_->leave_removed_file();
  for (auto* attempt : {&writing_, &reading_}) {
    if (now >= attempt->retry_at) attempt->refused = false;
  }
  // A quarter must be free again: by then there is room for the largest record, and for more than one.
  if (full_ && bytes() + takeover_.bytes_beside() + settings_.limit_bytes / 4 <= settings_.limit_bytes) full_ = false;
}

void Spooling::end_step() noexcept {
  if (own_) own_->write_mark();
  takeover_.write_marks();
}

}  // namespace runfold::delivery
