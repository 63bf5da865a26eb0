// Sends records of runs that were started elsewhere straight to Kafka, and waits for the acknowledgements.
#include "cli/sender.hpp"
#include "cli/table.hpp"
#include "producer/sdk/producer.hpp"

#include <map>
#include <mutex>
#include <utility>

namespace runfold::cli {
namespace {

/// Records handed over and not acknowledged, above which more wait.
constexpr std::uint64_t kPending = 5'000;
/// Bytes handed over since nothing was pending, above which more wait until nothing is: far less than the producer's queue holds.
constexpr std::size_t kPendingBytes = 1024 * 1024;
constexpr std::size_t kRuns = 10'000;

/// What was last heard of Kafka, for the one line that says what was not delivered. Thread: any.
class LastTrouble {
 public:
  void take(const kafka::Error& error) {
    const std::lock_guard lock(mutex_);
    message_ = error.message;
  }
  /// "; no Kafka broker answers at ...", or nothing.
  [[nodiscard]] std::string behind_a_sentence() const {
    const std::lock_guard lock(mutex_);
    return message_.empty() ? "" : "; " + message_;
  }

 private:
  mutable std::mutex mutex_;
  std::string message_;
};

class KafkaSender final : public Sender {
 public:
  KafkaSender(std::unique_ptr<Producer> producer, RunOptions options, std::string servers, std::shared_ptr<const LastTrouble> trouble,
              std::shared_ptr<const redact::Redactor> redactor, std::chrono::milliseconds limit)
      : producer_(std::move(producer)),
        options_(std::move(options)),
        servers_(std::move(servers)),
        trouble_(std::move(trouble)),
        redactor_(std::move(redactor)),
        limit_(limit) {}
  ~KafkaSender() override {
    runs_.clear();
    producer_->close(std::chrono::milliseconds(0));
  }

  Outcome<> event(v1::SyncEvent event) override {
    if (auto room = wait_for_room(event.ByteSizeLong()); !room) return room;
    auto run = run_of(event.identity().run_id());
    if (!run) return run.error();
    // A dropped record is counted by the producer, and finish() tells.
    static_cast<void>((*run)->emit(std::move(event)));
    return {};
  }

  Outcome<> log(v1::LogRecord record) override {
    if (auto room = wait_for_room(record.ByteSizeLong()); !room) return room;
    auto run = run_of({});
    if (!run) return run.error();
    static_cast<void>((*run)->log(std::move(record)));
    return {};
  }

  Outcome<> flush() override { return {}; }

  Outcome<> finish() override {
    runs_.clear();
    auto lost = what_was_lost(producer_->close(limit_), "records were not acknowledged by Kafka at " + servers_);
    if (!lost) return {};
    return Failure{kNotReachable, *lost + trouble_->behind_a_sentence()};
  }

  [[nodiscard]] const std::string& run_id() const noexcept override { return options_.run_id; }
  [[nodiscard]] const redact::Redactor& redactor() const noexcept override { return *redactor_; }

 private:
  Outcome<Run*> run_of(const std::string& run_id) {
    const std::string& id = run_id.empty() ? options_.run_id : run_id;
    if (id.empty()) return Failure{kUsage, "no run is named; set --run-id or RUNFOLD_RUN_ID"};
    auto found = runs_.find(id);
    if (found == runs_.end()) {
      // Many runs one after the other, as from a file: none of them is needed for long.
      if (runs_.size() >= kRuns) runs_.clear();
      RunOptions options = options_;
      options.run_id = id;
      found = runs_.emplace(id, producer_->start_run(std::move(options))).first;
    }
    return &found->second;
  }

  Outcome<> wait_for_room(std::size_t bytes) {
    // A report counts records, not bytes: those handed over are known to be gone only when nothing is pending.
    const bool drain = handed_over_ > 0 && handed_over_ + bytes > kPendingBytes;
    const auto has_room = [drain](const ProducerReport& report) { return drain ? report.pending == 0 : report.pending < kPending; };
    if (!producer_->wait(has_room, limit_)) {
      return Failure{kNotReachable, "Kafka at " + servers_ + " has acknowledged too little for " + std::to_string(limit_.count()) + " ms" +
                                        trouble_->behind_a_sentence()};
    }
    if (drain) handed_over_ = 0;
    handed_over_ += bytes;
    return {};
  }

  std::unique_ptr<Producer> producer_;
  RunOptions options_;
  std::string servers_;
  std::shared_ptr<const LastTrouble> trouble_;
  std::shared_ptr<const redact::Redactor> redactor_;
  std::chrono::milliseconds limit_;
  std::map<std::string, Run> runs_;
  std::size_t handed_over_ = 0;
};

}  // namespace

Outcome<std::unique_ptr<Sender>> make_kafka_sender(const SenderFlags& flags, std::shared_ptr<redact::Redactor> redactor,
                                                   std::chrono::milliseconds limit) {
  Settings settings;
  RunOptions options;
  if (const auto applied = apply_identity_flags(flags.identity, settings, options); !applied) return applied.error();
  if (settings.connector_id.empty()) return Failure{kUsage, "no connector is named; set --connector or RUNFOLD_CONNECTOR"};
  if (const auto applied = apply_kafka_flags(flags.kafka, settings.kafka); !applied) return applied.error();
  const std::string servers = settings.kafka.get("bootstrap.servers").value_or("");
  if (servers.empty()) return Failure{kConfiguration, "no Kafka is configured; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers"};
  settings.redactor = redactor;
  options.joined = true;
  settings.heartbeat_interval = std::chrono::milliseconds(0);
  // One line at the end says what was not delivered.
  const auto trouble = std::make_shared<LastTrouble>();
  settings.on_trouble = [trouble](const kafka::Error& error) { trouble->take(error); };
  auto producer = Producer::create(std::move(settings));
  if (!producer) return Failure{kConfiguration, producer.error().message};
  return std::make_unique<KafkaSender>(std::move(*producer), std::move(options), servers, trouble, std::move(redactor), limit);
}

}  // namespace runfold::cli
