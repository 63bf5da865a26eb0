// A partition whose leader has just changed refuses a producer's first batch: no record is lost, and none overtakes another.
#include "tests/support/kafka_member.hpp"
#include "transport/kafka/connection.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/producer.hpp"

#include <librdkafka/rdkafka_mock.h>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace runfold::kafka::test {
namespace {

constexpr std::int16_t kProduceRequest = 0;
constexpr std::size_t kRecords = 10;

/// A broker whose answers take long enough for further requests to be under way, and whose errors are ours to choose.
class SlowBroker {
 public:
  SlowBroker() {
    Properties properties;
    properties.set_default("bootstrap.servers", "127.0.0.1:1");
    owner_ = make_client(RD_KAFKA_PRODUCER, std::move(*make_conf(properties)), properties).value();
    cluster_.reset(rd_kafka_mock_cluster_new(owner_.get(), 1));
    EXPECT_EQ(rd_kafka_mock_topic_create(cluster_.get(), "letters", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    answer_within(50);
  }
  void answer_within(int milliseconds) { rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, milliseconds); }
  /// As a broker does that is to lead the partition and does not know it yet.
  void refuse_next_batch() {
    rd_kafka_mock_push_request_errors(cluster_.get(), kProduceRequest, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  }
  [[nodiscard]] std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

 private:
  ClientHandle owner_;
  std::unique_ptr<rd_kafka_mock_cluster_t, FreeWith<rd_kafka_mock_cluster_destroy>> cluster_;
};

TEST(NewLeader, ThatRefusesAFirstBatchLosesNothing) {
  SlowBroker broker;
  broker.refuse_next_batch();
  Properties properties;
  ASSERT_TRUE(properties.set("bootstrap.servers", broker.address()).has_value());
  ASSERT_TRUE(properties.set("batch.num.messages", "1").has_value());  // or all would wait together for the connection
  auto producer = Producer::create(properties, [](const Delivery& delivery) { EXPECT_FALSE(delivery.error); });
  ASSERT_TRUE(producer) << producer.error().message;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < kRecords; ++i) {
    OutRecord record;
    record.topic = "letters";
    record.value = sent.emplace_back(std::to_string(i));
    ASSERT_TRUE((*producer)->produce(record, i).has_value());
  }
  ASSERT_EQ((*producer)->flush(kPatience), 0U);
  EXPECT_EQ((*producer)->counts().acknowledged, kRecords);

  broker.answer_within(0);
  Member reader(broker.address(), "readers", {"letters"}, embedded_properties());
  std::vector<std::string> received;
  reader.run_until([&] { return reader.received.size() == kRecords; }, std::chrono::seconds(10));
  for (const auto& record : reader.received) received.push_back(record.value.value_or(""));
  EXPECT_EQ(received, sent);
}

}  // namespace
}  // namespace runfold::kafka::test
