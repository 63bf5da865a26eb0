// The Kafka sink with an embedded broker, or with a real one.
#include "sinks/kafka_topic.hpp"
#include "tests/contract/sinks/sample_items.hpp"
#include "tests/contract/sinks/sink_under_test.hpp"
#include "tests/contract/sinks/topic_reader.hpp"
#include "tests/support/unanswered_address.hpp"
#include "transport/kafka/embedded_broker.hpp"

#include <unistd.h>

namespace runfold::sinks::contract {
namespace {

kafka::Properties producer_of(const std::string& bootstrap_servers) {
  kafka::Properties properties;
  properties.set("bootstrap.servers", bootstrap_servers).value();
  // The bound that a refused record is larger than.
  properties.set("message.max.bytes", "20000").value();
  properties.set("compression.codec", "none").value();
  return properties;
}

/// Runs go to a topic that is there, API failures to one that no broker can have: they fail.
class KafkaTopicRig final : public SinkRig {
 public:
  KafkaTopicRig(boost::asio::io_context& context, std::string bootstrap_servers) : servers_(std::move(bootstrap_servers)) {
    topics_.runs =
        "contract.runs-" + std::to_string(::getpid()) + "-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
    topics_.api_failures = std::string(600, 'x');
    kafka::TopicPolicy runs;
    runs.name = topics_.runs;
    if (servers_.empty()) {
      broker_ = kafka::EmbeddedBroker::start({runs}).value();
      servers_ = broker_->bootstrap_servers();
    } else {
      static_cast<void>(kafka::create_topics(producer_of(servers_), {runs}, kPatience).value());
    }
    KafkaTopicOptions options;
    options.kafka = producer_of(servers_);
    options.topics = topics_;
    sink_ = make_kafka_topic(context.get_executor(), std::move(options)).value();
  }
  Sink& sink() override { return *sink_; }
  std::vector<Arrival> arrivals(std::size_t count) override {
    if (!reader_) reader_ = std::make_unique<TopicReader>(servers_, std::vector{topics_.runs});
    std::vector<Arrival> out;
    for (const auto& record : reader_->read(count, kPatience)) out.push_back({record.headers.at("ce_id"), record.key});
    return out;
  }
  Item good(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kRun, id, run_id); }
  Item refused(std::int64_t id, const std::string& run_id) override {
    return sample_item(Kind::kRun, id, run_id, std::string(30'000, 'x'));
  }
  Item failing(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kApiFailure, id, run_id); }

 private:
  std::string servers_;
  kafka::TopicNames topics_;
  std::unique_ptr<kafka::EmbeddedBroker> broker_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<TopicReader> reader_;
};

class DeadKafkaRig final : public SinkRig {
 public:
  DeadKafkaRig(boost::asio::io_context& context, std::chrono::milliseconds timeout) {
    KafkaTopicOptions options;
    options.kafka = producer_of(nobody_.text());
    options.timeout = timeout;
    sink_ = make_kafka_topic(context.get_executor(), std::move(options)).value();
  }
  Sink& sink() override { return *sink_; }
  std::vector<Arrival> arrivals(std::size_t) override { return {}; }
  Item good(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kRun, id, run_id); }
  Item refused(std::int64_t id, const std::string& run_id) override { return good(id, run_id); }
  Item failing(std::int64_t id, const std::string& run_id) override { return good(id, run_id); }

 private:
  test::UnansweredAddress nobody_{test::UnansweredAddress::Kind::kSilent};
  std::unique_ptr<Sink> sink_;
};

}  // namespace

SinkUnderTest kafka_topic_under_test(std::string name, std::string bootstrap_servers) {
  return {
      std::move(name),
      [servers = std::move(bootstrap_servers)](boost::asio::io_context& context) {
        return std::make_unique<KafkaTopicRig>(context, servers);
      },
      [](boost::asio::io_context& context, std::chrono::milliseconds timeout) { return std::make_unique<DeadKafkaRig>(context, timeout); }};
}

}  // namespace runfold::sinks::contract
