// The outbox worker: due, deliver, judge; then sleep until there is a reason not to.
#include "sinks/worker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::sinks {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

/// The longest that a receiver's wish to be left alone is followed: it must not hold a run's records back for ever.
constexpr milliseconds kLongestWish{3'600'000};
/// The longest sleep: the next due time is on the system clock, which may be set meanwhile.
constexpr milliseconds kLongestSleep{60'000};

/// Counting a long backlog takes time: between deliveries it is told this often at most.
constexpr milliseconds kBacklogPause{1'000};

class Worker final : public OutboxWorker {
 public:
  Worker(asio::any_io_executor executor, std::unique_ptr<Sink> sink, std::unique_ptr<Outbox> outbox, WorkerOptions options,
         SinkObserver& observer, Log log)
      : executor_(std::move(executor)),
        sink_(std::move(sink)),
        outbox_(std::move(outbox)),
        options_(options),
        observer_(observer),
        wake_(executor_),
        stop_limit_(executor_),
        undelivered_(log, "sink " + name() + " delivers again"),
        refused_(log, "sink " + name() + ": no more records are refused"),
        unreadable_(log, "sink " + name() + ": the outbox can be read and written again") {}
  ~Worker() override { disk_.join(); }

  awaitable<void> run() override {
    while (!stopping_) {
      woken_ = false;
      const auto due = co_await read_due();
      if (stopping_) break;  // A delivery begun after stop() would know no limit.
      if (!due) {
        co_await sleep(wait_before_retry(options_.store, store_failures_++, name()));
        continue;
      }
      if (due->empty()) {
        tell_again_ = {};
        co_await tell_backlog();
        co_await sleep(co_await time_to_next());
        continue;
      }
      const milliseconds rest = co_await deliver(*due);
      co_await tell_backlog();
      if (rest.count() > 0) co_await sleep_through(rest);
    }
  }

  void notify() noexcept override {
    if (notified_.exchange(true)) return;
    asio::post(executor_, [this, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired()) return;
      notified_ = false;
      woken_ = true;
      if (!resting_) wake_.cancel();
    });
  }

  void stop() noexcept override {
    if (stop_asked_.exchange(true)) return;
    asio::post(executor_, [this, alive = std::weak_ptr<char>(alive_)] {
      if (alive.expired()) return;
      stopping_ = true;
      wake_.cancel();
      if (!delivering_) return;
      stop_limit_.expires_after(options_.stop_limit);
      stop_limit_.async_wait([this, alive](const boost::system::error_code& cancelled) {
        if (!cancelled && !alive.expired() && delivering_) cancel_delivery_.emit(asio::cancellation_type::terminal);
      });
    });
  }

 private:
  [[nodiscard]] const std::string& name() const noexcept { return sink_->name(); }

  /// Runs `call` on the thread that may wait for the disk. `call` must outlive it.
  template <class Call>
  auto on_disk_thread(Call& call) -> awaitable<decltype(call())> {
    const auto work = [](Call& c) -> awaitable<decltype(call())> { co_return c(); };
    co_return co_await asio::co_spawn(disk_, work(call), use_awaitable);
  }

  void outbox_failed(const OutboxError& error) { unreadable_.happened(steady_clock::now(), 4, "sink " + name() + ": " + error.message); }

  awaitable<std::optional<std::vector<Item>>> read_due() {
    const auto call = [this] { return outbox_->due(name(), system_clock::now(), options_.batch); };
    auto due = co_await on_disk_thread(call);
    if (!due) {
      outbox_failed(due.error());
      co_return std::nullopt;
    }
    if (store_failures_ > 0) unreadable_.over(steady_clock::now());
    store_failures_ = 0;
    co_return std::move(*due);
  }

  awaitable<milliseconds> time_to_next() {
    const auto call = [this] { return outbox_->next_due(name(), system_clock::now()); };
    const auto next = co_await on_disk_thread(call);
    if (!next) {
      outbox_failed(next.error());
      co_return wait_before_retry(options_.store, store_failures_++, name());
    }
    auto wait = backlog_ > 0 ? std::min(options_.backlog_interval, kLongestSleep) : kLongestSleep;
    // Rounded up: waking a moment early would find nothing due.
    if (*next) wait = std::min(wait, std::chrono::ceil<milliseconds>(**next - system_clock::now()));
    co_return std::max(wait, milliseconds(0));
  }

  awaitable<void> tell_backlog() {
    const auto now = steady_clock::now();
    if (now < tell_again_) co_return;
    tell_again_ = now + kBacklogPause;
    const auto call = [this] { return outbox_->backlog(name(), system_clock::now()); };
    const auto backlog = co_await on_disk_thread(call);
    if (!backlog) {
      outbox_failed(backlog.error());
      co_return;
    }
    backlog_ = backlog->records;
    observer_.backlog(name(), backlog->records, backlog->oldest_age);
  }

  /// Sleeps until woken.
  awaitable<void> sleep(milliseconds at_most) {
    if (woken_ || stopping_) co_return;
    wake_.expires_after(at_most);
    co_await wake_.async_wait(asio::as_tuple(use_awaitable));
  }

  /// Sleeps the whole time: only stop() wakes it.
  awaitable<void> sleep_through(milliseconds time) {
    if (stopping_) co_return;
    resting_ = true;
    wake_.expires_after(time);
    co_await wake_.async_wait(asio::as_tuple(use_awaitable));
    resting_ = false;
  }

  /// Delivers and judges. How long the sink is to rest.
  awaitable<milliseconds> deliver(const std::vector<Item>& items) {
    const auto began = steady_clock::now();
    const auto verdicts = co_await call_sink(items);
    const std::chrono::duration<double> took = steady_clock::now() - began;

    std::vector<Outbox::Judged> judged;
    bool through = false;
    bool untried = false;
    milliseconds wish{0};
    const Verdict* failed = nullptr;
    const auto now = system_clock::now();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Verdict& verdict = verdicts[i];
      if (verdict.outcome == Outcome::kRetry) {
        wish = std::max(wish, std::min(verdict.retry_after, kLongestWish));
        // What was not tried stays as it is: due, in order, its attempts not counted.
        if (!verdict.tried) {
          untried = true;
          continue;
        }
        if (failed == nullptr) failed = &verdict;
      } else {
        through = true;
      }
      observer_.delivered(name(), verdict.outcome, took.count());
      if (verdict.outcome == Outcome::kRejected) say_refused(items[i], verdict);
      const auto wait = std::max(wait_before_retry(options_.record, items[i].attempts, items[i].idempotency_key),
                                 std::min(verdict.retry_after, kLongestWish));
      judged.push_back({items[i].outbox_id, verdict, now + wait});
    }
    if (failed != nullptr) {
      undelivered_.happened(steady_clock::now(), 4, "sink " + name() + ": " + failed->reason + "; trying again");
    } else if (through) {
      undelivered_.over(steady_clock::now());
    }
    co_await judge(judged);
    if (through && !untried) {
      unavailing_ = 0;
      co_return milliseconds(0);
    }
    co_return std::max(wish, wait_before_retry(options_.rest, through ? 0 : unavailing_++, name()));
  }

  /// One verdict an item, whatever the sink does.
  awaitable<std::vector<Verdict>> call_sink(const std::vector<Item>& items) {
    delivering_ = true;
    auto [thrown, verdicts] = co_await asio::co_spawn(executor_, sink_->deliver(items),
                                                      asio::bind_cancellation_slot(cancel_delivery_.slot(), asio::as_tuple(use_awaitable)));
    delivering_ = false;
    stop_limit_.cancel();
    std::string reason = "the delivery was cut short";
    if (thrown && !stopping_) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        reason = std::string("the delivery failed unexpectedly: ") + e.what();
      }
    }
    if (thrown) verdicts.clear();
    assert(verdicts.size() <= items.size());
    verdicts.resize(items.size(), Verdict{Outcome::kRetry, reason, {}, !stopping_});
    co_return std::move(verdicts);
  }

  /// Writes the verdicts, however long it takes; once only when stopping.
  awaitable<void> judge(const std::vector<Outbox::Judged>& judged) {
    if (judged.empty()) co_return;
    const auto call = [this, &judged] { return outbox_->judge(name(), judged); };
    for (std::uint32_t failures = 0;; ++failures) {
      const auto written = co_await on_disk_thread(call);
      if (written) {
        if (failures > 0) unreadable_.over(steady_clock::now());
        co_return;
      }
      outbox_failed(written.error());
      if (stopping_) co_return;
      co_await sleep_through(wait_before_retry(options_.store, failures, name()));
    }
  }

  void say_refused(const Item& item, const Verdict& verdict) {
    refused_.happened(steady_clock::now(), 4,
                      "sink " + name() + ": the receiver refuses " + std::string(kind_name(item.kind)) + " " + item.idempotency_key +
                          " of run " + item.run_id + " for good, it is set aside: " + verdict.reason);
  }

  asio::any_io_executor executor_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Outbox> outbox_;
  WorkerOptions options_;
  SinkObserver& observer_;

  asio::thread_pool disk_{1};
  asio::steady_timer wake_;
  asio::steady_timer stop_limit_;
  asio::cancellation_signal cancel_delivery_;
  /// What is posted by notify() and stop() may run after this object is gone: it looks here first.
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  std::atomic<bool> notified_{false};
  std::atomic<bool> stop_asked_{false};
  /// notify() came since the outbox was last read.
  bool woken_ = false;
  bool resting_ = false;
  bool delivering_ = false;
  bool stopping_ = false;
  std::uint64_t backlog_ = 0;
  steady_clock::time_point tell_again_{};
  /// Deliveries in a row in which nothing got through.
  std::uint32_t unavailing_ = 0;
  std::uint32_t store_failures_ = 0;
  Trouble undelivered_;
  Trouble refused_;
  Trouble unreadable_;
};

}  // namespace

std::unique_ptr<OutboxWorker> OutboxWorker::create(asio::any_io_executor executor, std::unique_ptr<Sink> sink,
                                                   std::unique_ptr<Outbox> outbox, WorkerOptions options, SinkObserver& observer, Log log) {
  return std::make_unique<Worker>(std::move(executor), std::move(sink), std::move(outbox), options, observer, std::move(log));
}

}  // namespace runfold::sinks
