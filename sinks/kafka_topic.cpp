// The Kafka sink: all records of a delivery into the producer, then wait until each is accounted for.
#include "sinks/kafka_topic.hpp"

#include "sinks/payload.hpp"
#include "sinks/run_order.hpp"
#include "transport/kafka/producer.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

namespace runfold::sinks {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kShortestDelivery{1'000};
constexpr milliseconds kLongestDelivery{300'000};

class KafkaTopic final : public Sink {
 public:
  KafkaTopic(const asio::any_io_executor& executor, KafkaTopicOptions options, int event_fd)
      : options_(std::move(options)), wake_(executor, event_fd), deadline_(executor) {}

  [[nodiscard]] kafka::Result<void> make_producer() {
    producer_.reset();
    auto made = kafka::Producer::create(
        options_.kafka, [this](const kafka::Delivery& delivery) { accounted(delivery); },
        [this](const kafka::Error& error) { connection_trouble_ = error; });
    if (!made) return made.error();
    producer_ = std::move(*made);
    producer_->wake_on(wake_.native_handle());
    return {};
  }

  const std::string& name() const noexcept override { return options_.name; }
  bool accepts(Kind kind) const noexcept override { return options_.kinds.contains(kind); }

  asio::awaitable<std::vector<Verdict>> deliver(std::span<const Item> items) override {
    if (auto verdict = revive()) co_return std::vector<Verdict>(items.size(), *verdict);
    // Reports of an earlier delivery that ran out of time have tokens below this one.
    first_token_ += verdicts_.size();
    verdicts_.assign(items.size(), std::nullopt);
    waiting_ = 0;
    for (std::size_t i = 0; i < items.size(); ++i) produce(items, i);
    try {
      co_await wait_for_all();
    } catch (const boost::system::system_error& e) {
      // Cancelled: what is accounted for counts.
      if (e.code() != asio::error::operation_aborted) throw;
    }
    co_return in_order(items);
  }

 private:
  /// Makes a new producer for one that broke. A verdict for all when that fails.
  std::optional<Verdict> revive() {
    if (producer_ && !broken_) return std::nullopt;
    if (const auto made = make_producer(); !made) return not_tried(made.error().message);
    broken_ = false;
    connection_trouble_.reset();
    return std::nullopt;
  }

  void produce(std::span<const Item> items, std::size_t index) {
    const Item& item = items[index];
    const Payload payload = read_payload(item);
    if (!payload.message) {
      verdicts_[index] = unreadable(item);
      return;
    }
    const std::array headers{kafka::Header{"content-type", "application/protobuf"}, kafka::Header{"ce_specversion", "1.0"},
                             kafka::Header{"ce_id", item.idempotency_key},          kafka::Header{"ce_source", "/runfold/collector"},
                             kafka::Header{"ce_type", type_name(item.kind)},        kafka::Header{"ce_time", payload.at}};
    kafka::OutRecord record;
    record.topic = item.kind == Kind::kRun ? options_.topics.runs : options_.topics.api_failures;
    record.key = item.run_id;
    record.value = item.payload;
    record.headers = headers;
    if (payload.at.empty()) record.headers = record.headers.first(headers.size() - 1);
    const auto taken = producer_->produce(record, first_token_ + index);
    if (taken) {
      ++waiting_;
    } else {
      verdicts_[index] = verdict_of(taken.error());
      if (taken.error().code == kafka::Errc::kQueueFull) verdicts_[index]->tried = false;
    }
  }

  /// Runs inside poll().
  void accounted(const kafka::Delivery& delivery) {
    const auto index = delivery.token - first_token_;
    if (delivery.token < first_token_ || index >= verdicts_.size() || verdicts_[index]) return;
    verdicts_[index] = delivery.error ? verdict_of(*delivery.error) : Verdict{Outcome::kDelivered, {}, {}};
    if (!delivery.error) connection_trouble_.reset();
    --waiting_;
  }

  Verdict verdict_of(const kafka::Error& error) {
    if (error.code == kafka::Errc::kFatal || error.code == kafka::Errc::kFenced) broken_ = true;
    const bool never = error.code == kafka::Errc::kTooLarge;
    std::string reason = error.message;
    if (error.retryable() && connection_trouble_) reason += "; " + connection_trouble_->message;
    return {never ? Outcome::kRejected : Outcome::kRetry, std::move(reason), {}};
  }

  asio::awaitable<void> wait_for_all() {
    using namespace asio::experimental::awaitable_operators;
    deadline_.expires_after(options_.timeout);
    while (true) {
      // To the last: the descriptor is written to only when the empty queue gets its first report.
      while (producer_->poll(milliseconds(0)) > 0) {
      }
      if (waiting_ == 0 || deadline_.expiry() <= asio::steady_timer::clock_type::now()) co_return;
      co_await (wake_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable) ||
                deadline_.async_wait(asio::use_awaitable));
      std::uint64_t count = 0;
      if (::read(wake_.native_handle(), &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR) {
        throw boost::system::system_error(errno, boost::system::system_category(), "eventfd");
      }
    }
  }

  /// The verdicts; of a run that has one to be tried again, the later ones too, though the broker may have them.
  std::vector<Verdict> in_order(std::span<const Item> items) {
    std::vector<Verdict> out;
    out.reserve(items.size());
    RunOrder order;
    for (std::size_t i = 0; i < items.size(); ++i) {
      Verdict verdict = verdicts_[i] ? *verdicts_[i] : unanswered();
      if (verdict.outcome != Outcome::kRetry && order.waits(items[i])) {
        verdict = {Outcome::kRetry, "an earlier record of the run waits", {}};
      }
      order.note(items[i], verdict);
      out.push_back(std::move(verdict));
    }
    return out;
  }

  [[nodiscard]] Verdict unanswered() const {
    std::string reason = "Kafka did not acknowledge it within " + std::to_string(options_.timeout.count()) + " ms";
    if (connection_trouble_) reason += ": " + connection_trouble_->message;
    return {Outcome::kRetry, std::move(reason), {}};
  }

  KafkaTopicOptions options_;
  /// An eventfd that the producer writes to when reports are due. It must outlive the producer.
  asio::posix::stream_descriptor wake_;
  asio::steady_timer deadline_;
  std::unique_ptr<kafka::Producer> producer_;
  bool broken_ = false;
  std::optional<kafka::Error> connection_trouble_;
  /// Of the delivery under way: an item's token is first_token_ and its index.
  std::uint64_t first_token_ = 0;
  std::vector<std::optional<Verdict>> verdicts_;
  std::size_t waiting_ = 0;
};

}  // namespace

OptionResult<std::unique_ptr<Sink>> make_kafka_topic(asio::any_io_executor executor, KafkaTopicOptions options) {
  if (options.name.empty()) return OptionProblem{"name", "is empty"};
  if (options.kinds.empty()) return OptionProblem{"kinds", "is empty: name run, api_failure or both"};
  if (options.kinds.contains(Kind::kRun) && options.topics.runs.empty()) return OptionProblem{"topics.runs", "is empty"};
  if (options.kinds.contains(Kind::kApiFailure) && options.topics.api_failures.empty())
    return OptionProblem{"topics.api_failures", "is empty"};
  if (options.timeout < kShortestDelivery || options.timeout > kLongestDelivery) {
    return OptionProblem{
        "timeout", "must be " + std::to_string(kShortestDelivery.count()) + " ms to " + std::to_string(kLongestDelivery.count()) + " ms"};
  }
  if (options.kafka.get("bootstrap.servers").value_or("").empty()) return OptionProblem{"bootstrap.servers", "is missing"};
  // Records that the broker does not take are given up shortly before the delivery is: their own reason is better than ours,
  // and none of them is still under way when it is tried again.
  const auto message_timeout = options.timeout - options.timeout / 4;
  options.kafka.set_default("message.timeout.ms", std::to_string(message_timeout.count()));
  const int event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_fd < 0) return OptionProblem{"kafka", std::string("cannot be watched: eventfd: ") + std::strerror(errno)};
  auto sink = std::make_unique<KafkaTopic>(executor, std::move(options), event_fd);
  if (const auto made = sink->make_producer(); !made) return OptionProblem{"kafka", made.error().message};
  return std::unique_ptr<Sink>(std::move(sink));
}

}  // namespace runfold::sinks
