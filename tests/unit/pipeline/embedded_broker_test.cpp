// The pipeline on the real Kafka client, against the broker in this process.
#include "transport/kafka/embedded_broker.hpp"
#include "tests/support/pipeline_rig.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <thread>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;

v1::SyncEvent step_of(const std::string& run_id, std::uint64_t sequence) {
  v1::SyncEvent event;
  event.mutable_identity()->set_run_id(run_id);
  event.mutable_identity()->set_connector_id("connector");
  event.mutable_identity()->set_source_id("source");
  event.set_sequence(sequence);
  event.mutable_step_completed()->set_step_id("step-" + std::to_string(sequence));
  event.mutable_step_completed()->set_entities(1);
  return event;
}

TEST(PipelineOnTheEmbeddedBroker, ARestartedPipelineGoesOnWhereTheStoreStands) {
  const kafka::TopicNames names;
  auto broker = kafka::EmbeddedBroker::start(kafka::topic_policies(names, 2));
  ASSERT_TRUE(broker) << broker.error().message;
  PipelineOptions options;
  options.kafka.set("bootstrap.servers", (*broker)->bootstrap_servers()).value();
  kafka::tune_for_embedded_broker(options.kafka);
  auto producer = kafka::Producer::create(options.kafka, [](const kafka::Delivery&) {});
  ASSERT_TRUE(producer) << producer.error().message;
  std::uint64_t token = 0;
  const auto send = [&](const std::string& run_id, const std::string& value) {
    kafka::OutRecord record;
    record.topic = names.events;
    record.key = run_id;
    record.value = value;
    (*producer)->produce(record, ++token).value();
  };

  MemoryStore store;
  for (std::uint64_t round = 0; round < 2; ++round) {
    for (std::uint64_t sequence = round * 50 + 1; sequence <= round * 50 + 50; ++sequence) {
      for (const char* run_id : {"run-a", "run-b", "run-c"}) send(run_id, step_of(run_id, sequence).SerializeAsString());
    }
    send("run-a", "\xff\xff");
    ASSERT_EQ((*producer)->flush(std::chrono::seconds(30)), 0U);

    TallyObserver observer;
    Health health;
    boost::asio::io_context context;
    auto pipeline = Pipeline::create(context, options, std::make_unique<MemoryWriter>(store),
                                     std::make_unique<test::MemoryRunReader>(store), observer, health, [](int, std::string_view) {}, {});
    bool committed = false;
    const auto on_end = [&](const std::exception_ptr& thrown, bool result) { committed = !thrown && result; };
    boost::asio::co_spawn(context, pipeline->run(), on_end);
    std::thread thread([&] { context.run(); });
    const auto records = static_cast<std::int64_t>(151 * (round + 1));
    EXPECT_TRUE(wait_until([&] {
      return store.offset({names.events, 0}).value_or(0) + store.offset({names.events, 1}).value_or(0) == records;
    }));
    EXPECT_TRUE(health.reasons().empty());
    pipeline->stop();
    thread.join();
    EXPECT_TRUE(committed);
    // Counts follow the commit: only now has the last one surely been told.
    EXPECT_EQ(observer.records(names.events), 151U) << "each record was read once";
  }
  for (const char* run_id : {"run-a", "run-b", "run-c"}) {
    const auto row = store.run(run_id);
    v1::Run run;
    ASSERT_TRUE(row && run.ParseFromString(row->snapshot));
    EXPECT_EQ(run.entities(), 100U);
    EXPECT_EQ(run.steps_size(), 100);
  }
}

}  // namespace
}  // namespace runfold::collector::test
