// The time that rows age by: the wall clock's, unless that jumps.
#pragma once

#include "collector/rows.hpp"
#include "collector/store/error.hpp"
#include "collector/store/sqlite/connection.hpp"

#include <functional>

namespace runfold::collector::sqlite {

/// A wall clock that is wrong must not make history old. So this time follows the wall clock at most kFastest times as
/// quick as time passes, never goes back, and is kept in the database: after the collector was down for a month it is right
/// again after a day and a half, and a clock that is years ahead takes no more than a day of history an hour.
class TrustedTime {
 public:
  static constexpr std::int64_t kFastest = 24;

  /// `wall`: nanoseconds since the Unix epoch. `steady`: nanoseconds since some moment, by a clock that nobody sets.
  TrustedTime(std::function<TimeNs()> wall, std::function<TimeNs()> steady) noexcept : wall_(std::move(wall)), steady_(std::move(steady)) {}

  /// When something is written now: no earlier than what was written before, though the wall clock was set back.
  [[nodiscard]] StoreResult<TimeNs> stamp(Connection& connection);
  /// What ages are counted from now: never later than the wall clock.
  [[nodiscard]] StoreResult<TimeNs> advance(Connection& connection);

 private:
  [[nodiscard]] StoreResult<> load(Connection& connection, TimeNs wall_ns);
  [[nodiscard]] StoreResult<> save(Connection& connection);

  std::function<TimeNs()> wall_;
  std::function<TimeNs()> steady_;
  bool loaded_ = false;
  TimeNs trusted_ns_ = 0;
  TimeNs saved_ns_ = 0;
  TimeNs advanced_at_ns_ = 0;
};

}  // namespace runfold::collector::sqlite
