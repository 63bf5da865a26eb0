// A Kafka consumer whose start offsets its owner decides.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/record.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace runfold::kafka {

/// Where to start reading a partition.
struct StartOffset {
  TopicPartition at;
  /// Absent: as auto.offset.reset says (earliest unless the user sets it).
  std::optional<std::int64_t> next_offset;
};

/// The lowest and the next-to-be-written offset of a partition, as the broker said when it was asked.
struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::chrono::steady_clock::time_point asked_at{};
  /// Producers can write there: not so few of its replicas are in sync that Kafka refuses them, as of a few seconds ago.
  bool writable = true;
};

/// A topic, and how many partitions it has; none: it does not exist.
struct TopicSize {
  std::string name;
  std::int32_t partitions = 0;
};

/// A message: the record it holds, and the memory that the record's views point into. Or nothing.
///
/// A value that moves cheaply (no allocation a message). Moving keeps the views valid. Destroy every Message before the
/// Consumer that gave it. Thread: any one at a time.
class Message {
 public:
  /// What owns the memory behind the views; a static table a kind of owner. Tests make their own.
  struct Owner {
    void (*release)(void* handle) noexcept;
    std::vector<Header> (*headers)(const void* source);
  };

  /// Holds nothing.
  Message() noexcept = default;
  /// `owner.release(handle)` gives the memory back; `owner.headers(source)` reads the headers.
  Message(const InRecord& record, void* handle, const Owner& owner, const void* source = nullptr) noexcept
      : record_(record), handle_(handle), source_(source), owner_(&owner) {}
  Message(Message&& other) noexcept
      : record_(other.record_), handle_(other.handle_), source_(other.source_), owner_(std::exchange(other.owner_, nullptr)) {}
  Message& operator=(Message&& other) noexcept {
    if (this != &other) {
      reset();
      record_ = other.record_;
      handle_ = other.handle_;
      source_ = other.source_;
      owner_ = std::exchange(other.owner_, nullptr);
    }
    return *this;
  }
  ~Message() { reset(); }

  /// True when there is a record.
  explicit operator bool() const noexcept { return owner_ != nullptr; }
  /// Precondition: there is a record.
  [[nodiscard]] const InRecord& record() const noexcept { return record_; }
  /// Reads the headers, which are parsed only now. Views as record()'s; empty when there is no record.
  [[nodiscard]] std::vector<Header> headers() const { return owner_ ? owner_->headers(source_) : std::vector<Header>{}; }
  /// Gives the memory back early.
  void reset() noexcept {
    if (const Owner* owner = std::exchange(owner_, nullptr)) owner->release(handle_);
  }

 private:
  InRecord record_;
  void* handle_ = nullptr;
  const void* source_ = nullptr;
  const Owner* owner_ = nullptr;
};

/// What the group tells its member. All run inside poll() or close(), on the calling thread.
struct ConsumerEvents {
  /// Partitions were given to this member: says where to start each; one that it leaves out starts as auto.offset.reset
  /// says. Called once an assignment. What was committed to the group is never looked at.
  std::function<std::vector<StartOffset>(std::span<const TopicPartition>)> on_assign;
  /// Partitions are being taken away, after this returns. `lost`: they already belong to another.
  std::function<void(std::span<const TopicPartition>, bool lost)> on_revoke;
  /// The connection, the group or a partition is in trouble. `at` is set when it is one partition's.
  ///
  /// kUnreachable names the address and the cause ("no Kafka broker answers at 127.0.0.1:9 (connection refused)"); it comes
  /// at once and again at each attempt to connect, so dedupe it for people; on_recovered follows when it is over. kOther is
  /// also what a refused commit_for_lag_tools() is. kOutOfRange with `at`: the offset asked for is
  /// no longer (or not yet) in the partition; unless seek() is called for it in here, the partition goes on with
  /// the oldest record there is (with auto.offset.reset=error it stands still; with latest and no offset asked for, it goes
  /// on with the next one written).
  std::function<void(const Error&, const std::optional<TopicPartition>& at)> on_error;
  /// A broker answers again after on_error had said kUnreachable. Called once for each such time.
  std::function<void()> on_recovered;
  /// Of a member of a group: no member was given these partitions of the topics, because they were added while nobody was there to
  /// divide them. This member leaves the group and joins it again, so that all are divided anew: on_revoke and on_assign follow.
  std::function<void(std::span<const TopicPartition>)> on_left_out;
  /// Of a member of a group: poll() has given all records before `offset`, where the partition ends just now. The offsets
  /// behind the last record may hold none for ever: transactions leave markers.
  std::function<void(const TopicPartition&, std::int64_t offset)> on_read_up_to;
  /// Of a consumer of ranges: this range has been read to its end; at the latest with the message that poll() gives now.
  /// Again when it was moved back by seek().
  std::function<void(const TopicPartition&)> on_end;
};

/// Owns a librdkafka group consumer (classic protocol, range, no auto-commit, no auto offset store).
///
/// Properties of its own that are refused when set otherwise: enable.auto.commit, enable.auto.offset.store, enable.partition.eof, a
/// cooperative partition.assignment.strategy, group.protocol=consumer, and a group.id that is not `group`. Defaults of its own:
/// auto.offset.reset=earliest, session.timeout.ms=6000 (a killed member's partitions move after that),
/// queued.max.messages.kbytes=65536, fetch.wait.max.ms=100 (what else is asked of a broker waits behind an idle fetch).
///
/// Thread: one; the executor that create() was given must run on it. A helper thread of its own asks each broker
/// for watermarks every 50 ms: it keeps librdkafka 2.0's fetcher awake and feeds watermarks().
class Consumer {
 public:
  /// Errors: kInvalid for a property, group or topic name that cannot be. An unreachable broker is no error here: on_error tells.
  [[nodiscard]] static Result<std::unique_ptr<Consumer>> create(boost::asio::any_io_executor executor, const Properties& properties,
                                                                std::string group, std::vector<std::string> topics, ConsumerEvents events);
  /// A consumer of the ranges given, outside of any group: nobody joins, and nothing is committed (commit_for_lag_tools()
  /// does nothing). on_assign is called once, by the first poll(): an offset that it gives wins over Range::first. Each
  /// range is read to its end, whatever is written meanwhile; then on_end tells. A gap before the end counts as read.
  /// Errors: as above. `group` is only a name for what librdkafka calls group.id.
  [[nodiscard]] static Result<std::unique_ptr<Consumer>> create_of_ranges(boost::asio::any_io_executor executor,
                                                                          const Properties& properties, std::string group,
                                                                          std::vector<Range> ranges, ConsumerEvents events);
  /// Without close() the group learns of it only by the session timeout, as of a crash.
  virtual ~Consumer() = default;

  /// The next message if one is there, else one that holds nothing. Never waits. Runs events that are due.
  ///
  /// A partition's messages come in offset order from its start offset on, never one twice: what librdkafka fetched
  /// before a seek or an assignment is dropped here. Gaps between offsets are normal (compaction, transactions).
  [[nodiscard]] virtual Message poll() = 0;

  /// Completes when poll() may have something to do, or after `at_most` (keep it under max.poll.interval.ms).
  /// Call it whenever poll() gave nothing or a budget is used up. Cancel: supported; nothing is lost.
  [[nodiscard]] virtual boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most) = 0;

  /// Stops and restarts fetching of all partitions, those assigned later too; the member stays in the group, so go on
  /// calling poll(), which gives no messages while paused.
  virtual void pause() = 0;
  virtual void resume() = 0;

  /// Fetches no more of this partition until it is assigned anew; the others go on.
  virtual void leave_alone(const TopicPartition& at) = 0;

  /// Moves partitions to other offsets, dropping what was fetched of them. Takes milliseconds, at most 5 s.
  /// Errors: kNotFound when a partition is not assigned to this member; kTimedOut.
  [[nodiscard]] virtual Result<void> seek(std::span<const StartOffset> to) = 0;

  /// Tells the group how far this member has come, for lag tools only. Does not wait; on_error tells of a refusal.
  virtual void commit_for_lag_tools(std::span<const StartOffset> next_offsets) = 0;

  [[nodiscard]] virtual std::vector<TopicPartition> assignment() const = 0;
  /// A broker has answered since this consumer was made.
  [[nodiscard]] virtual bool reached() const = 0;
  /// Absent until the first answer; at most about a second old while the brokers answer.
  [[nodiscard]] virtual std::optional<Watermarks> watermarks(const TopicPartition& of) const = 0;

  /// Those of the topics subscribed to of which a broker has said whether they exist; a few seconds old.
  [[nodiscard]] virtual std::vector<TopicSize> topics() const { return {}; }

  /// Leaves the group (on_revoke runs) and waits for that, at most `limit`. poll() gives nothing after it.
  virtual void close(std::chrono::milliseconds limit) = 0;
};

}  // namespace runfold::kafka
