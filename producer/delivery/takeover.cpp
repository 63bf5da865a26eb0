// Looks for folders, tries their locks, reads one behind the other.
#include "producer/delivery/takeover.hpp"

#include <algorithm>
#include <utility>

namespace runfold::delivery {
namespace {

constexpr std::chrono::minutes kLookEvery{1};
/// A folder that was let go of is tried again, and told of again, as seldom as this.
constexpr std::chrono::minutes kTryAgainAfter{10};

/// Folders of which something is out: as many producers may have been short-lived, one after the other.
constexpr std::size_t kHeldAtOnce = 64;

}  // namespace

std::optional<Takeover::Found> Takeover::next(Clock::time_point now) {
  for (;;) {
    if (!held_.empty() && held_.back()->has_unread()) {
      const auto frame = held_.back()->read_next();
      if (frame && *frame) return Found{.spool = held_.back().get(), .frame = **frame};
      if (!frame) let_go(*held_.back(), "cannot be read (" + frame.error().message() + ")", now);
    }
    std::erase_if(held_, [](const auto& spool) { return spool->finished(); });
    if (held_.size() + let_go_.size() >= kHeldAtOnce || (paths_.empty() && !look(now))) return std::nullopt;
    const auto path = std::move(paths_.front());
    paths_.pop_front();
    hold(path, now);
  }
}

bool Takeover::look(Clock::time_point now) {
  if (looked_ && now < look_at_) return false;
  looked_ = true;
  look_at_ = now + kLookEvery;
  const auto found = folders_beside(own_);
  bytes_beside_ = bytes_in(found);
  paths_.assign(found.begin(), found.end());
  return !paths_.empty();
}

void Takeover::hold(const std::filesystem::path& path, Clock::time_point now) {
  if (const auto again = not_before_.find(path); again != not_before_.end()) {
    if (now < again->second) return;
    not_before_.erase(again);
  }
  // What this holds already, what a living producer holds, and what is not ours to open.
  auto folder = SpoolFolder::take(path);
  if (folder) held_.push_back(std::make_unique<Spool>(std::move(*folder), Spool::Options{.tell = tell_}));
}

void Takeover::let_go(const Spool& spool, const std::string& why, Clock::time_point now) {
  const auto at = std::find_if(held_.begin(), held_.end(), [&](const auto& held) { return held.get() == &spool; });
  if (at == held_.end()) return;
  not_before_[spool.path()] = now + kTryAgainAfter;
  tell_("the spool " + spool.path().string() + " of an earlier producer " + why +
        ": what is left in it stays there, to be tried again after " + std::to_string(kTryAgainAfter.count()) + " minutes");
  let_go_.push_back(std::move(*at));
  held_.erase(at);
  drop_unused();
}

void Takeover::drop_unused() {
  std::erase_if(let_go_, [](const auto& spool) { return !spool->is_in_use(); });
}

void Takeover::settle(Spool& spool, std::uint64_t ordinal) {
  spool.settle(ordinal);
  if (spool.finished()) std::erase_if(held_, [&](const auto& held) { return held.get() == &spool; });
  drop_unused();
}

void Takeover::put_back(Spool& spool, std::uint64_t ordinal, Clock::time_point now) {
  spool.put_back(ordinal);
  let_go(spool, "is refused by Kafka for want of rights", now);
  drop_unused();
}

void Takeover::write_marks() noexcept {
  for (const auto& spool : held_) spool->write_mark();
}

}  // namespace runfold::delivery
