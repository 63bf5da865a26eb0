// Looks for folders, tries their locks, reads one behind the other.
#include "producer/delivery/takeover.hpp"

#include <algorithm>
#include <utility>

namespace runfold::delivery {
namespace {

constexpr std::chrono::minutes kLookEvery{1};

/// Folders of which something is out: as many producers may have been short-lived, one after the other.
constexpr std::size_t kHeldAtOnce = 64;

}  // namespace

std::optional<Takeover::Found> Takeover::next(Clock::time_point now) {
  if (stuck_ && now < look_at_) return std::nullopt;
  stuck_ = false;
  for (;;) {
    if (!held_.empty() && held_.back()->has_unread()) {
      const auto frame = held_.back()->read_next();
      if (!frame) {
        tell_("the spool of an earlier producer cannot be read (" + frame.error().message() + "); trying again in a minute");
        stuck_ = true;
        look_at_ = now + kLookEvery;
        return std::nullopt;
      }
      if (*frame) return Found{.spool = held_.back().get(), .frame = **frame};
    }
    std::erase_if(held_, [](const auto& spool) { return spool->finished(); });
    if (held_.size() >= kHeldAtOnce || (paths_.empty() && !look(now))) return std::nullopt;
    const auto path = std::move(paths_.front());
    paths_.pop_front();
    hold(path);
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

void Takeover::hold(const std::filesystem::path& path) {
  // What this holds already, what a living producer holds, and what is not ours to open.
  auto folder = SpoolFolder::take(path);
  if (folder) held_.push_back(std::make_unique<Spool>(std::move(*folder), Spool::Options{.tell = tell_}));
}

void Takeover::settle(Spool& spool, std::uint64_t ordinal) {
  spool.settle(ordinal);
  if (spool.finished()) std::erase_if(held_, [&](const auto& held) { return held.get() == &spool; });
}

void Takeover::write_marks() noexcept {
  for (const auto& spool : held_) spool->write_mark();
}

}  // namespace runfold::delivery
