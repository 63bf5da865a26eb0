// Advances the trusted time and keeps it in the table meta.
#include "collector/store/sqlite/trusted_time.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace runfold::collector::sqlite {
namespace {

/// It is saved in steps of this, so that a quiet database is not written to all the time.
constexpr TimeNs kSaveStep = 60'000'000'000;

}  // namespace

StoreResult<TimeNs> TrustedTime::stamp(Connection& connection) {
  const TimeNs wall_ns = wall_();
  if (const auto loaded = load(connection, wall_ns); !loaded) return loaded.error();
  return std::max(wall_ns, trusted_ns_);
}

StoreResult<TimeNs> TrustedTime::advance(Connection& connection) {
  const TimeNs wall_ns = wall_();
  if (const auto loaded = load(connection, wall_ns); !loaded) return loaded.error();
  const TimeNs steady_ns = steady_();
  const TimeNs passed_ns = std::max<TimeNs>(0, steady_ns - advanced_at_ns_);
  const TimeNs most_ns = passed_ns > (std::numeric_limits<TimeNs>::max() - trusted_ns_) / kFastest ? std::numeric_limits<TimeNs>::max()
                                                                                                   : trusted_ns_ + kFastest * passed_ns;
  trusted_ns_ = std::max(trusted_ns_, std::min(wall_ns, most_ns));
  advanced_at_ns_ = steady_ns;
  if (trusted_ns_ - saved_ns_ >= kSaveStep) {
    if (const auto saved = save(connection); !saved) return saved.error();
  }
  return std::min(wall_ns, trusted_ns_);
}

StoreResult<> TrustedTime::load(Connection& connection, TimeNs wall_ns) {
  if (loaded_) return {};
  const auto select = connection.prepare("SELECT value FROM meta WHERE key = 'time_ns'");
  if (!select) return select.error();
  std::string text;
  {
    const Rows rows(**select);
    (*select)->bind_all();
    const auto there = (*select)->next();
    if (!there) return there.error();
    if (*there) text = (*select)->bytes(0);
  }
  TimeNs saved_ns = 0;
  std::from_chars(text.data(), text.data() + text.size(), saved_ns);
  trusted_ns_ = saved_ns_ = saved_ns;
  if (text.empty()) {
    trusted_ns_ = wall_ns;
    if (const auto saved = save(connection); !saved) return saved.error();
  }
  advanced_at_ns_ = steady_();
  loaded_ = true;
  return {};
}

StoreResult<> TrustedTime::save(Connection& connection) {
  const auto upsert =
      connection.prepare("INSERT INTO meta (key, value) VALUES ('time_ns', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  if (!upsert) return upsert.error();
  if (const auto done = (*upsert)->run(std::to_string(trusted_ns_)); !done) return done.error();
  saved_ns_ = trusted_ns_;
  return {};
}

}  // namespace runfold::collector::sqlite
