// A sink and an outbox in memory that do as the test says, and a worker that runs them on a thread of its own.
#pragma once

#include "sinks/worker.hpp"
#include "tests/support/wait_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace runfold::sinks::fakes {

namespace asio = boost::asio;
using std::chrono::system_clock;

inline Item item(std::int64_t id, const std::string& run_id) {
  return {id, Kind::kRun, run_id + ":" + std::to_string(id), run_id, "payload", 0};
}

/// The outbox as a list. Thread: any.
class Memory {
 public:
  struct Row {
    Item item;
    system_clock::time_point next_attempt{};
  };

  void add(const Item& added) {
    const std::scoped_lock lock(mutex_);
    rows_.push_back({added, {}});
  }
  [[nodiscard]] std::vector<Row> rows() const {
    const std::scoped_lock lock(mutex_);
    return rows_;
  }
  [[nodiscard]] std::vector<Outbox::Judged> rejected() const {
    const std::scoped_lock lock(mutex_);
    return rejected_;
  }
  /// How often the next calls fail.
  std::atomic<int> due_failures{0};
  std::atomic<int> judge_failures{0};
  /// While true, due() does not return.
  std::atomic<bool> due_hangs{false};
  /// How often due() was called.
  std::atomic<int> due_calls{0};

 private:
  friend class MemoryOutbox;
  mutable std::mutex mutex_;
  std::vector<Row> rows_;
  std::vector<Outbox::Judged> rejected_;
};

class MemoryOutbox final : public Outbox {
 public:
  explicit MemoryOutbox(Memory& memory) : memory_(memory) {}

  OutboxResult<std::vector<Item>> due(const std::string&, system_clock::time_point now, std::size_t limit) override {
    ++memory_.due_calls;
    while (memory_.due_hangs) std::this_thread::yield();
    if (memory_.due_failures.load() > 0 && memory_.due_failures-- > 0) return OutboxError{"the disk is away"};
    const std::scoped_lock lock(memory_.mutex_);
    std::vector<Item> out;
    std::vector<std::string> held_back;
    for (const auto& row : memory_.rows_) {
      if (row.next_attempt > now) held_back.push_back(row.item.run_id);
      if (std::find(held_back.begin(), held_back.end(), row.item.run_id) != held_back.end()) continue;
      if (out.size() < limit) out.push_back(row.item);
    }
    return out;
  }
  OutboxResult<std::optional<system_clock::time_point>> next_due(const std::string&, system_clock::time_point now) override {
    const std::scoped_lock lock(memory_.mutex_);
    std::optional<system_clock::time_point> next;
    for (const auto& row : memory_.rows_) {
      if (row.next_attempt > now && (!next || row.next_attempt < *next)) next = row.next_attempt;
    }
    return next;
  }
  OutboxResult<> judge(const std::string&, std::span<const Judged> judged) override {
    if (memory_.judge_failures.load() > 0 && memory_.judge_failures-- > 0) return OutboxError{"the disk is away"};
    const std::scoped_lock lock(memory_.mutex_);
    for (const auto& one : judged) {
      const auto row =
          std::find_if(memory_.rows_.begin(), memory_.rows_.end(), [&](const auto& r) { return r.item.outbox_id == one.outbox_id; });
      if (row == memory_.rows_.end()) continue;
      if (one.verdict.outcome == Outcome::kRetry) {
        ++row->item.attempts;
        row->next_attempt = one.next_attempt;
        continue;
      }
      if (one.verdict.outcome == Outcome::kRejected) memory_.rejected_.push_back(one);
      memory_.rows_.erase(row);
    }
    return {};
  }
  OutboxResult<Backlog> backlog(const std::string&, system_clock::time_point) override {
    const std::scoped_lock lock(memory_.mutex_);
    return Backlog{memory_.rows_.size(), std::chrono::milliseconds(0)};
  }

 private:
  Memory& memory_;
};

/// What the sink was handed, and what it is to answer. Thread: any.
class Receiver {
 public:
  using Answer = std::function<Verdict(const Item&)>;
  /// Delivered unless the test says otherwise.
  void answer(Answer answer) {
    const std::scoped_lock lock(mutex_);
    answer_ = std::move(answer);
  }
  [[nodiscard]] std::vector<std::vector<Item>> deliveries() const {
    const std::scoped_lock lock(mutex_);
    return deliveries_;
  }
  /// Keys in the order in which they were handed over.
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& delivery : deliveries()) {
      for (const auto& one : delivery) out.push_back(one.idempotency_key);
    }
    return out;
  }
  /// While true, a delivery does not complete.
  std::atomic<bool> hangs{false};
  std::atomic<bool> throws{false};
  std::atomic<bool> was_cancelled{false};

 private:
  friend class FakeSink;
  mutable std::mutex mutex_;
  Answer answer_ = [](const Item&) { return Verdict{Outcome::kDelivered, {}, {}}; };
  std::vector<std::vector<Item>> deliveries_;
};

class FakeSink final : public Sink {
 public:
  FakeSink(const asio::any_io_executor& executor, Receiver& receiver) : timer_(executor), receiver_(receiver) {}
  const std::string& name() const noexcept override { return name_; }
  bool accepts(Kind) const noexcept override { return true; }
  asio::awaitable<std::vector<Verdict>> deliver(std::span<const Item> items) override {
    std::vector<Verdict> verdicts;
    {
      const std::scoped_lock lock(receiver_.mutex_);
      receiver_.deliveries_.emplace_back(items.begin(), items.end());
      for (const auto& one : items) verdicts.push_back(receiver_.answer_(one));
    }
    if (receiver_.throws) throw std::runtime_error("a defect");
    while (receiver_.hangs) {
      timer_.expires_after(std::chrono::milliseconds(5));
      try {
        co_await timer_.async_wait(asio::use_awaitable);
      } catch (const boost::system::system_error&) {
        receiver_.was_cancelled = true;
        throw;
      }
    }
    co_return verdicts;
  }

 private:
  std::string name_ = "fake";
  asio::steady_timer timer_;
  Receiver& receiver_;
};

/// Counts what the worker tells. Thread: any.
class Counter final : public SinkObserver {
 public:
  void delivered(const std::string&, Outcome outcome, double seconds) override {
    const std::scoped_lock lock(mutex_);
    ++outcomes_[outcome];
    least_seconds_ = std::min(least_seconds_, seconds);
  }
  void backlog(const std::string&, std::uint64_t records, std::chrono::milliseconds) override {
    const std::scoped_lock lock(mutex_);
    backlogs_.push_back(records);
  }
  [[nodiscard]] int count(Outcome outcome) const {
    const std::scoped_lock lock(mutex_);
    const auto found = outcomes_.find(outcome);
    return found == outcomes_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::vector<std::uint64_t> backlogs() const {
    const std::scoped_lock lock(mutex_);
    return backlogs_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<Outcome, int> outcomes_;
  std::vector<std::uint64_t> backlogs_;
  double least_seconds_ = 1e9;
};

/// A worker on a thread of its own, from start() until stop().
class RunningWorker {
 public:
  RunningWorker(Memory& memory, Receiver& receiver, const WorkerOptions& options) {
    auto log = [this](int severity, std::string_view line) {
      const std::scoped_lock lock(mutex_);
      lines_.emplace_back(severity, line);
    };
    worker_ = OutboxWorker::create(context_.get_executor(), std::make_unique<FakeSink>(context_.get_executor(), receiver),
                                   std::make_unique<MemoryOutbox>(memory), options, counter, log);
  }
  ~RunningWorker() { stop(); }
  RunningWorker(const RunningWorker&) = delete;
  RunningWorker& operator=(const RunningWorker&) = delete;

  void start() {
    auto ended = [this](const std::exception_ptr& thrown) { failed_ = thrown != nullptr; };
    asio::co_spawn(context_, worker_->run(), ended);
    thread_ = std::thread([this] { context_.run(); });
  }
  /// Returns when run() has completed.
  void stop() {
    worker_->stop();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] OutboxWorker& worker() { return *worker_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::vector<std::pair<int, std::string>> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  Counter counter;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<int, std::string>> lines_;
  asio::io_context context_{1};
  std::unique_ptr<OutboxWorker> worker_;
  std::thread thread_;
  std::atomic<bool> failed_{false};
};

}  // namespace runfold::sinks::fakes
