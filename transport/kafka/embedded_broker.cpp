// A broker in this process: librdkafka's mock cluster with one broker and the topics asked for.
#include "transport/kafka/embedded_broker.hpp"

#include "transport/kafka/connection.hpp"
#include "transport/kafka/handle.hpp"

#include <librdkafka/rdkafka_mock.h>

namespace runfold::kafka {
namespace {

using MockClusterHandle = std::unique_ptr<rd_kafka_mock_cluster_t, FreeWith<rd_kafka_mock_cluster_destroy>>;

class MockClusterBroker final : public EmbeddedBroker {
 public:
  MockClusterBroker(ClientHandle owner, MockClusterHandle cluster) : owner_(std::move(owner)), cluster_(std::move(cluster)) {}
  std::string bootstrap_servers() const override { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

 private:
  ClientHandle owner_;  // the cluster lives on this client's threads, so it goes first
  MockClusterHandle cluster_;
};

}  // namespace

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::start(const std::vector<TopicPolicy>& topics) {
  Properties properties;
  // The owning client talks to nobody: its address is only there because a client must have one.
  properties.set_default("bootstrap.servers", "127.0.0.1:1");
  properties.set_default("client.id", "runfold-embedded-broker");
  auto conf = make_conf(properties);
  if (!conf) return conf.error();
  rd_kafka_conf_set_error_cb(conf->get(), [](rd_kafka_t*, int, const char*, void*) {});
  auto owner = make_client(RD_KAFKA_PRODUCER, std::move(*conf), properties);
  if (!owner) return owner.error();
  MockClusterHandle cluster{rd_kafka_mock_cluster_new(owner->get(), 1)};
  if (!cluster) return Error{Errc::kOther, "the embedded broker cannot be started: no loopback port could be opened"};
  for (const TopicPolicy& topic : topics) {
    if (const auto error = rd_kafka_mock_topic_create(cluster.get(), topic.name.c_str(), topic.partitions, 1)) {
      return make_error(error, "create topic " + topic.name + " on the embedded broker");
    }
  }
  return std::unique_ptr<EmbeddedBroker>(std::make_unique<MockClusterBroker>(std::move(*owner), std::move(cluster)));
}

void tune_for_embedded_broker(Properties& properties) {
  if (!properties.get("fetch.wait.max.ms")) properties.set_default("fetch.wait.max.ms", "50");
}

}  // namespace runfold::kafka
