// The producer: exact accounts of every record, no waiting however Kafka is, and errors that say what and where.
#include "transport/kafka/producer.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace runfold::kafka::test {
namespace {

using runfold::test::UnansweredAddress;
using ::testing::HasSubstr;

Properties to(const std::string& servers) {
  Properties properties;
  EXPECT_TRUE(properties.set("bootstrap.servers", servers).has_value());
  return properties;
}

OutRecord record_of(std::string_view value) {
  OutRecord record;
  record.topic = "letters";
  record.value = value;
  return record;
}

TEST(Producer, AccountsForEveryRecordByItsToken) {
  const auto broker = start_broker("letters", 3);
  std::set<std::uint64_t> tokens;
  std::uint64_t refused = 0;
  auto producer = Producer::create(to(broker->bootstrap_servers()), [&](const Delivery& delivery) {
    EXPECT_FALSE(delivery.error);
    EXPECT_GE(delivery.offset, 0);
    EXPECT_GE(delivery.partition, 0);
    EXPECT_TRUE(tokens.insert(delivery.token).second) << "token " << delivery.token << " came twice";
  });
  ASSERT_TRUE(producer) << producer.error().message;
  constexpr std::uint64_t kRecords = 5000;
  for (std::uint64_t token = 0; token < kRecords; ++token) {
    if (!(*producer)->produce(record_of("x"), token + (std::uint64_t{1} << 63))) ++refused;
  }
  ASSERT_EQ(refused, 0U);
  EXPECT_EQ((*producer)->flush(kPatience), 0U);
  EXPECT_EQ(tokens.size(), kRecords);
  EXPECT_EQ(*tokens.begin(), std::uint64_t{1} << 63);
  const DeliveryCounts counts = (*producer)->counts();
  EXPECT_EQ(counts.enqueued, kRecords);
  EXPECT_EQ(counts.acknowledged, kRecords);
  EXPECT_EQ(counts.failed, 0U);
  EXPECT_EQ(counts.in_flight(), 0U);
}

TEST(Producer, CountsStayExactWhileSeveralThreadsProduce) {
  const auto broker = start_broker("letters", 3);
  std::uint64_t delivered = 0;
  auto producer = Producer::create(to(broker->bootstrap_servers()), [&](const Delivery&) { ++delivered; });
  ASSERT_TRUE(producer) << producer.error().message;
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        if ((*producer)->produce(record_of("x"), 0)) ++taken;
      }
    });
  }
  while ((*producer)->counts().acknowledged < 1) (*producer)->poll(std::chrono::milliseconds(10));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ((*producer)->flush(kPatience), 0U);
  EXPECT_EQ((*producer)->counts().enqueued, taken.load());
  EXPECT_EQ((*producer)->counts().acknowledged, taken.load());
  EXPECT_EQ(delivered, taken.load());
}

TEST(Producer, AFullQueueIsAnErrorAndTheRecordIsNotCounted) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  Properties properties = to(nobody.text());
  ASSERT_TRUE(properties.set("queue.buffering.max.messages", "10").has_value());
  int delivered = 0;
  auto producer = Producer::create(properties, [&](const Delivery&) { ++delivered; });
  ASSERT_TRUE(producer) << producer.error().message;
  for (std::uint64_t token = 0; token < 10; ++token) ASSERT_TRUE((*producer)->produce(record_of("x"), token).has_value());
  const auto eleventh = (*producer)->produce(record_of("x"), 10);
  ASSERT_FALSE(eleventh);
  EXPECT_EQ(eleventh.error().code, Errc::kQueueFull);
  EXPECT_TRUE(eleventh.error().retryable());
  EXPECT_THAT(eleventh.error().message, HasSubstr("letters"));
  EXPECT_EQ((*producer)->counts().enqueued, 10U);
  EXPECT_EQ((*producer)->counts().in_flight(), 10U);
  EXPECT_EQ((*producer)->flush(std::chrono::milliseconds(1)), 10U);
  EXPECT_EQ(delivered, 0);
}

TEST(Producer, TheQueueIsBoundedInBytesToo) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  Properties properties = to(nobody.text());
  ASSERT_TRUE(properties.set("queue.buffering.max.kbytes", "100").has_value());
  auto producer = Producer::create(properties, {});
  ASSERT_TRUE(producer) << producer.error().message;
  const std::string large(10'000, 'x');
  int taken = 0;
  while (taken < 100 && (*producer)->produce(record_of(large), 0)) ++taken;
  EXPECT_LE(taken, 11);
  EXPECT_GE(taken, 5);
}

TEST(Producer, FailedRecordsAreReportedAndCountedToo) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  Properties properties = to(nobody.text());
  ASSERT_TRUE(properties.set("message.timeout.ms", "50").has_value());
  std::vector<Delivery> reports;
  auto producer = Producer::create(properties, [&](const Delivery& delivery) { reports.push_back(delivery); });
  ASSERT_TRUE(producer) << producer.error().message;
  for (std::uint64_t token = 1; token <= 3; ++token) ASSERT_TRUE((*producer)->produce(record_of("x"), token).has_value());
  EXPECT_EQ((*producer)->flush(kPatience), 0U);
  ASSERT_EQ(reports.size(), 3U);
  ASSERT_TRUE(reports[0].error);
  EXPECT_EQ(reports[0].error->code, Errc::kTimedOut);
  EXPECT_THAT(reports[0].error->message, HasSubstr("letters"));
  EXPECT_EQ((*producer)->counts().failed, 3U);
  EXPECT_EQ((*producer)->counts().in_flight(), 0U);
}

class ProducerWithoutKafka : public ::testing::TestWithParam<UnansweredAddress::Kind> {};

TEST_P(ProducerWithoutKafka, NeitherProduceNorTheEndWaits) {
  const UnansweredAddress nobody(GetParam());
  Properties properties = to(nobody.text());
  ASSERT_TRUE(properties.set("socket.timeout.ms", "60000").has_value());
  ASSERT_TRUE(properties.set("socket.connection.setup.timeout.ms", "60000").has_value());
  // Were there a wait for the broker, this test would run into its own time limit: 20,000 times any timeout.
  auto producer = Producer::create(properties, {});
  ASSERT_TRUE(producer) << producer.error().message;
  for (std::uint64_t token = 0; token < 20'000; ++token) ASSERT_TRUE((*producer)->produce(record_of("x"), token).has_value());
  EXPECT_EQ((*producer)->counts().in_flight(), 20'000U);
  producer->reset();
}

INSTANTIATE_TEST_SUITE_P(Either, ProducerWithoutKafka,
                         ::testing::Values(UnansweredAddress::Kind::kRefuses, UnansweredAddress::Kind::kSilent),
                         [](const auto& one) { return one.param == UnansweredAddress::Kind::kRefuses ? "Refused" : "Silent"; });

TEST(Producer, SaysWhichAddressDoesNotAnswerAndWhy) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  std::vector<Error> errors;
  auto producer = Producer::create(to(nobody.text()), {}, [&](const Error& error) { errors.push_back(error); });
  ASSERT_TRUE(producer) << producer.error().message;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (errors.empty() && std::chrono::steady_clock::now() < deadline) (*producer)->poll(std::chrono::milliseconds(100));
  ASSERT_FALSE(errors.empty());
  EXPECT_EQ(errors.front().code, Errc::kUnreachable);
  EXPECT_EQ(errors.front().message, "no Kafka broker answers at " + nobody.text() + " (connection refused)");
}

TEST(Producer, WithNoAddressOrABadPropertyIsNotMade) {
  const auto without = Producer::create(Properties{}, {});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, Errc::kInvalid);
  EXPECT_THAT(without.error().message, HasSubstr("bootstrap.servers"));
  Properties contradiction = to("127.0.0.1:1");
  ASSERT_TRUE(contradiction.set("acks", "1").has_value());
  const auto producer = Producer::create(contradiction, {});
  ASSERT_FALSE(producer);
  EXPECT_THAT(producer.error().message, HasSubstr("idempotence"));
}

TEST(Producer, RefusesTopicNamesAndSizesThatNoBrokerTakes) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  auto producer = Producer::create(to(nobody.text()), {});
  ASSERT_TRUE(producer) << producer.error().message;
  OutRecord record = record_of("x");
  record.topic = "";
  EXPECT_EQ((*producer)->produce(record, 0).error().code, Errc::kInvalid);
  const std::string long_name(250, 'a');
  record.topic = long_name;
  EXPECT_EQ((*producer)->produce(record, 0).error().code, Errc::kInvalid);
  const std::string huge(2'000'000, 'x');
  EXPECT_EQ((*producer)->produce(record_of(huge), 0).error().code, Errc::kTooLarge);
  EXPECT_EQ((*producer)->counts().enqueued, 0U);
}

TEST(Producer, WakesAnEventfdWhenDeliveriesAreDue) {
  const auto broker = start_broker("letters", 1);
  const int event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  ASSERT_GE(event_fd, 0);
  {
    int delivered = 0;
    auto producer = Producer::create(to(broker->bootstrap_servers()), [&](const Delivery&) { ++delivered; });
    ASSERT_TRUE(producer) << producer.error().message;
    (*producer)->wake_on(event_fd);
    ASSERT_TRUE((*producer)->produce(record_of("x"), 1).has_value());
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (delivered == 0 && std::chrono::steady_clock::now() < deadline) {
      pollfd waiting{event_fd, POLLIN, 0};
      ASSERT_EQ(::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())), 1) << "the eventfd was never written";
      std::uint64_t count = 0;
      ASSERT_EQ(::read(event_fd, &count, sizeof count), static_cast<ssize_t>(sizeof count));
      (*producer)->poll(std::chrono::milliseconds(0));
    }
    EXPECT_EQ(delivered, 1);
  }
  ::close(event_fd);
}

TEST(Producer, CarriesNullAndEmptyKeysValuesAndHeaders) {
  const auto broker = start_broker("letters", 1);
  auto producer = Producer::create(to(broker->bootstrap_servers()), {});
  ASSERT_TRUE(producer) << producer.error().message;
  const std::vector<Header> headers = {{"traceparent", "00-ab-cd-01"}, {"empty", ""}, {"null", std::nullopt}};
  OutRecord nulls{.topic = "letters", .key = std::nullopt, .value = std::nullopt, .headers = headers};
  OutRecord empties{.topic = "letters", .key = "", .value = "", .headers = {}};
  OutRecord full{
      .topic = "letters", .key = std::string_view("k\0y", 3), .value = "value", .headers = {}, .timestamp_ms = 1'700'000'000'123};
  for (const OutRecord* record : {&nulls, &empties, &full}) ASSERT_TRUE((*producer)->produce(*record, 0).has_value());
  ASSERT_EQ((*producer)->flush(kPatience), 0U);

  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 3; }));
  EXPECT_EQ(member.received[0].key, std::nullopt);
  EXPECT_EQ(member.received[0].value, std::nullopt);
  using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;
  EXPECT_EQ(member.received[0].headers, (Pairs{{"traceparent", "00-ab-cd-01"}, {"empty", ""}, {"null", std::nullopt}}));
  EXPECT_EQ(member.received[1].key, "");
  EXPECT_EQ(member.received[1].value, "");
  EXPECT_EQ(member.received[2].key, std::string("k\0y", 3));
  EXPECT_EQ(member.received[2].value, "value");
  EXPECT_EQ(member.received[2].timestamp_ms, 1'700'000'000'123);
}

}  // namespace
}  // namespace runfold::kafka::test
