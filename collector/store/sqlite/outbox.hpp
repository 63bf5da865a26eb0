// The sinks' side of the SQLite store.
#pragma once

#include "collector/store/sqlite/connection.hpp"
#include "collector/store/sqlite/owner_lock.hpp"
#include "sinks/sink.hpp"

#include <memory>

namespace runfold::collector::sqlite {

/// Hands out what waits for a sink, on a connection of its own.
class SqliteOutbox final : public sinks::Outbox {
 public:
  SqliteOutbox(std::shared_ptr<OwnerLock> lock, std::unique_ptr<Connection> connection) noexcept
      : lock_(std::move(lock)), connection_(std::move(connection)) {}

  using TimePoint = std::chrono::system_clock::time_point;
  sinks::OutboxResult<std::vector<sinks::Item>> due(const std::string& sink, TimePoint now, std::size_t limit) override;
  sinks::OutboxResult<std::optional<TimePoint>> next_due(const std::string& sink, TimePoint now) override;
  sinks::OutboxResult<> judge(const std::string& sink, std::span<const Judged> judged) override;
  sinks::OutboxResult<Backlog> backlog(const std::string& sink, TimePoint now) override;

 private:
  StoreResult<std::vector<sinks::Item>> read_due(const std::string& sink, TimePoint now, std::size_t limit);
  StoreResult<std::optional<TimePoint>> read_next_due(const std::string& sink, TimePoint now);
  StoreResult<> write_judged(const std::string& sink, std::span<const Judged> judged);
  StoreResult<> set_aside(const std::string& sink, const Judged& rejected);
  StoreResult<Backlog> read_backlog(const std::string& sink, TimePoint now);

  std::shared_ptr<OwnerLock> lock_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace runfold::collector::sqlite
