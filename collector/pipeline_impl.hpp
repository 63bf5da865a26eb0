// What a pipeline is made of: its stages, its share of the group, and what it tells of itself.
#pragma once

#include "collector/commit.hpp"
#include "collector/consume.hpp"
#include "collector/decode.hpp"
#include "collector/fold.hpp"
#include "collector/growing_interval.hpp"
#include "collector/pipeline.hpp"
#include "collector/pipeline_load.hpp"
#include "collector/pipeline_place.hpp"
#include "collector/pipeline_retention.hpp"
#include "collector/pipeline_waker.hpp"

#include <boost/asio/io_context.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

class PipelineImpl final : public Pipeline {
 public:
  using Clock = std::chrono::steady_clock;

  /// Where the jobs run that wait for the store.
  struct StoreJobs {
    std::unique_ptr<WriterJobs> write;
    std::unique_ptr<ReaderJobs> read;
  };
  /// `wake` is to be called after each job.
  using MakeJobs = std::function<StoreJobs(std::function<void()> wake)>;

  PipelineImpl(boost::asio::io_context& context, PipelineOptions options, const MakeJobs& make_jobs, Observer& observer, Health& health,
               Log log, std::function<void()> outbox_grew, KafkaClients clients);

  [[nodiscard]] boost::asio::awaitable<bool> run() override;
  void stop() override;

  // What run() does, for tests that take it step by step.
  /// Joins the group. False: it cannot.
  [[nodiscard]] bool open();
  /// One round of consume > decode > fold > commit. True: there is more to do at once.
  [[nodiscard]] bool turn(Clock::time_point now);
  /// Commits what is folded and leaves the group.
  [[nodiscard]] boost::asio::awaitable<void> finish();
  /// Going on makes no sense.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  // consume > decode > fold > commit: pipeline.cpp
  [[nodiscard]] bool consume(Clock::time_point now);
  void arrived(kafka::Message message);
  void on_read_up_to(const kafka::TopicPartition& at, std::int64_t offset);
  /// All before it is folded or holds no record. `low`: the lowest offset that Kafka has.
  [[nodiscard]] std::int64_t read_up_to(const Partition& partition, std::int64_t low) const;
  [[nodiscard]] bool decode_and_fold(const kafka::Message& message, Partition& partition);
  void refuse(const kafka::Message& message, Source source, std::string_view reason, std::string sentence);
  void fold_inbox();
  [[nodiscard]] bool inbox_may_go_on() const;
  void load(Clock::time_point now);
  void commit(Clock::time_point now);
  /// Rows of runs that were last heard of on this partition of the events topic are this collector's to write.
  [[nodiscard]] bool owns_events(std::int32_t number);
  [[nodiscard]] std::unique_ptr<SealedBatch> seal();
  void settle(Committer::Outcome outcome);
  void trim(Clock::time_point now);
  [[nodiscard]] Hold hold();
  [[nodiscard]] CommitTriggers::Open open_batch() const;
  [[nodiscard]] boost::asio::awaitable<void> idle();
  void fail(std::string reason);

  // Silence: pipeline_liveness.cpp
  void watch_silence(Clock::time_point now);
  /// Advances the clocks of the partitions to what is known to have been read.
  void observe(Clock::time_point now);
  /// What stands in it has been read, but for the last moments; and producers had time to be heard.
  [[nodiscard]] bool is_current(const Partition& partition) const;
  /// Silence of a run of this partition of the events topic says something.
  [[nodiscard]] bool may_judge(const Partition& events);
  void ask_for_overdue();
  void take_overdue(Clock::time_point now);
  void judge_overdue();
  [[nodiscard]] std::optional<DurationNs> silence_of_logs(const RunKeyView& run);
  void forget_overdue();

  // The group gives and takes partitions: pipeline_group.cpp
  [[nodiscard]] kafka::ConsumerEvents consumer_events();
  [[nodiscard]] std::vector<kafka::StartOffset> on_assign(std::span<const kafka::TopicPartition> given);
  void on_revoke(std::span<const kafka::TopicPartition> taken, bool lost);
  void begin_claim();
  /// Takes the claim's answer. False: it failed, and is to be tried again.
  bool settle_claim();
  void claim(Clock::time_point now);
  [[nodiscard]] bool commit_before_revoke();
  void drop_folded();

  // What it tells of itself: pipeline_watch.cpp
  void on_error(const kafka::Error& error, const std::optional<kafka::TopicPartition>& at);
  void on_recovered();
  void on_left_out(std::span<const kafka::TopicPartition> partitions);
  [[nodiscard]] std::string why_fenced(const kafka::Error& error) const;
  void records_arrive();
  void say_kafka_health();
  void look_for_first_answer(Clock::time_point now);
  /// Tells of topics that do not exist, and of those whose number of partitions is another than before.
  void look_at_topics(Clock::time_point now);
  void watch(Clock::time_point now);

  // Partitions that Kafka no longer has as they were: pipeline_loss.cpp
  void on_out_of_range(const kafka::Error& error, const kafka::TopicPartition& at, Clock::time_point now);
  /// A record of a partition in doubt. True: it is to be folded, if it was not before.
  [[nodiscard]] bool judge_by_record(Partition& partition, const kafka::InRecord& record);
  void judge_by_watermarks(Clock::time_point now);
  /// Reads on where the partition stands now.
  void move(Partition& partition, Clock::time_point now);
  /// Stops the partition, or takes it behind the loss, as the operator wants it.
  void lose(Partition& partition, const Loss& loss, Clock::time_point now);
  void stop(Partition& partition, const Loss& loss, Clock::time_point now);
  /// Which are stopped, why, and what to do; empty: none is.
  [[nodiscard]] std::string stopped_partitions();
  void say_stopped();
  /// Before all partitions are forgotten: who is given a stopped one finds out the same, and until then nobody may think that
  /// all is well.
  void remember_stopped();
  void look_at_remembered(Clock::time_point now);
  void count_losses(Counts& counts) const;

  boost::asio::io_context& context_;
  PipelineOptions options_;
  Observer& observer_;
  Health& health_;
  Log log_;
  KafkaClients clients_;
  std::string brokers_;

  std::shared_ptr<Waker> waker_;
  StoreJobs jobs_;
  std::unique_ptr<kafka::Consumer> consumer_;

  Partitions partitions_;
  Pausing pausing_;
  bool paused_ = false;
  /// Records that wait for the row of their run, and all that came behind them: the order of each partition stays.
  std::deque<kafka::Message> inbox_;
  Loader loader_;

  LogBatchView log_batch_;
  Fold fold_;
  /// By Source: what was refused since the last batch was sealed. The fold counts the others.
  std::array<TopicCounts, 3> refused_{};
  std::vector<DeadLetter> dead_letters_;
  std::size_t dead_letter_bytes_ = 0;
  /// What the partitions' offsets have skipped since then.
  std::vector<LossRow> losses_;
  std::optional<Clock::time_point> changed_since_;

  CommitTriggers triggers_;
  Committer committer_;
  Trimmer trimmer_;

  struct ClaimJob {
    std::future<StoreResult<std::vector<Claim>>> answer;
    /// A claim that has not begun yet must not begin: the partitions are another's.
    std::shared_ptr<std::atomic<bool>> cancelled;
  };
  ClaimJob claim_;
  GrowingInterval claim_backoff_{std::chrono::milliseconds(100), std::chrono::seconds(5)};
  GrowingInterval claim_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  std::chrono::milliseconds revoke_limit_;

  /// A run whose row says that it is overdue, and the partition that the row names.
  struct Overdue {
    RunKey key;
    std::int32_t partition = 0;
  };
  /// The time of day at the beginning of this turn.
  TimeNs wall_now_ns_ = 0;
  Clock::time_point silence_due_at_{};
  std::future<StoreResult<std::vector<Overdue>>> overdue_answer_;
  std::vector<Overdue> overdue_;
  std::size_t asked_for_overdue_ = 0;
  GrowingInterval overdue_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};

  Clock::time_point made_at_ = Clock::now();
  /// A broker has answered since.
  bool reached_ = false;
  GrowingInterval silence_mention_{std::chrono::seconds(2), std::chrono::minutes(5)};
  bool joined_ = false;
  /// Why Kafka cannot be reached; empty: it can. Ends with on_recovered().
  std::string kafka_trouble_;
  GrowingInterval kafka_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  /// How many partitions each topic had when last heard of; and which do not exist, as a sentence. Empty: none is missing.
  std::map<std::string, std::int32_t> topic_sizes_;
  std::string missing_;
  GrowingInterval missing_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  /// What Kafka refuses; nobody tells when it no longer does. Empty: nothing, or records have come since.
  std::string refusal_;
  Clock::time_point refused_at_{};
  GrowingInterval refusal_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  /// Stopped before the group took them away, and not yet judged by whoever has them now; since when that can be told, max() before.
  std::set<kafka::TopicPartition> remembered_;
  Clock::time_point remembered_since_{};
  GrowingInterval stopped_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  GrowingInterval hiccup_mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
  Clock::time_point lag_due_at_{};

  std::atomic<bool> stopping_ = false;
  bool failed_ = false;
};

}  // namespace runfold::collector
