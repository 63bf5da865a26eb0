// runfold dead-letters against an embedded broker: what is listed and shown, and what goes back.
#include "cli/dead_letter.hpp"
#include "cli/duration.hpp"
#include "tests/unit/cli/command_line.hpp"
#include "transport/kafka/embedded_broker.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/ranges.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include <map>

namespace runfold::cli {
namespace {

namespace json = boost::json;
using test::Printed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

constexpr auto kPatience = std::chrono::seconds(30);
const std::string kLettersTopic = "runfold.dead-letters";
const std::string kEventsTopic = "runfold.events";
constexpr std::int64_t kStartMs = 1'700'000'000'000;  // 2023-11-14T22:13:20Z

using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

class DeadLetters : public test::CommandLineTest {
 protected:
  DeadLetters() {
    std::vector<kafka::TopicPolicy> topics;
    for (const std::string& name : {kLettersTopic, kEventsTopic})
      topics.push_back({.name = name, .partitions = 1, .replication = -1, .config = {}});
    broker_ = std::move(kafka::EmbeddedBroker::start(topics).value());
    properties_.set("bootstrap.servers", broker_->bootstrap_servers()).value();
    kafka::tune_for_embedded_broker(properties_);
    ::setenv("RUNFOLD_BOOTSTRAP_SERVERS", broker_->bootstrap_servers().c_str(), 1);
  }
  ~DeadLetters() override { ::unsetenv("RUNFOLD_BOOTSTRAP_SERVERS"); }

  /// Writes the letter of one record, a second after the one before.
  void letter(const std::string& reason, const std::optional<std::string>& key, const std::optional<std::string>& value, Headers own = {},
              const std::string& topic = kEventsTopic) {
    own.insert(own.end(), {{"__connect.errors.topic", topic},
                           {"__connect.errors.partition", "0"},
                           {"__connect.errors.offset", std::to_string(written_ + 500)},
                           {"__connect.errors.exception.class.name", "runfold.collector.DecodeError"},
                           {"__connect.errors.exception.message", reason + ": it is bad"},
                           {"runfold.reason", reason},
                           {"runfold.timestamp", std::to_string(kStartMs - 3'600'000)}});
    std::vector<kafka::Header> headers;
    for (const auto& [name, text] : own) headers.push_back({name, text ? std::optional<std::string_view>(*text) : std::nullopt});
    auto producer = std::move(kafka::Producer::create(properties_, {}).value());
    kafka::OutRecord record{
        .topic = kLettersTopic, .key = {}, .value = {}, .headers = headers, .timestamp_ms = kStartMs + 1000 * written_++};
    if (key) record.key = *key;
    if (value) record.value = *value;
    producer->produce(record, 1).value();
    ASSERT_EQ(producer->flush(kPatience), 0U);
  }

  struct Back {
    std::optional<std::string> key;
    std::optional<std::string> value;
    Headers headers;
    std::int64_t timestamp_ms = -1;
  };
  /// What stands on the events topic.
  std::vector<Back> events() {
    std::vector<Back> records;
    auto ranges = kafka::find_ranges(properties_, {&kEventsTopic, 1}, {}, kPatience).value();
    const auto owned = [](std::optional<std::string_view> view) { return view ? std::optional(std::string(*view)) : std::nullopt; };
    kafka::read_ranges(
        properties_, std::move(ranges),
        [&](const kafka::Message& message) {
          Back& back = records.emplace_back();
          back.key = owned(message.record().key);
          back.value = owned(message.record().value);
          back.timestamp_ms = message.record().timestamp_ms;
          for (const kafka::Header& header : message.headers()) back.headers.emplace_back(header.name, owned(header.value));
          return true;
        },
        kPatience)
        .value();
    return records;
  }

  std::vector<json::object> list(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"dead-letters", "list", "--json"});
    const Printed printed = runfold(more);
    EXPECT_EQ(printed.exit_code, 0) << printed.err;
    std::vector<json::object> letters;
    std::istringstream lines(printed.out);
    for (std::string line; std::getline(lines, line);) letters.push_back(json::parse(line).as_object());
    return letters;
  }

  std::vector<std::string> addresses(std::vector<std::string> more = {}) {
    std::vector<std::string> texts;
    for (const json::object& letter : list(std::move(more))) texts.emplace_back(letter.at("address").as_string());
    return texts;
  }

  std::unique_ptr<kafka::EmbeddedBroker> broker_;
  kafka::Properties properties_;
  int written_ = 0;
};

TEST_F(DeadLetters, AreListedNewestFirstWithTheirOriginAndReason) {
  letter("malformed", "run-1", "\xff\xfe");
  letter("identity", std::nullopt, "abc");
  letter("malformed", std::string("\x01\xff", 2), std::nullopt, {}, "runfold.logs");
  const auto letters = list();
  ASSERT_EQ(letters.size(), 3U);
  EXPECT_EQ(json::serialize(letters[2]),
            R"({"address":"0/0","at":"2023-11-14T22:13:20.000Z","topic":"runfold.events","partition":"0","offset":"500",)"
            R"("reason":"malformed","exception_class":"runfold.collector.DecodeError","message":"malformed: it is bad",)"
            R"("key":"run-1","bytes":2,"redriven":0})");
  EXPECT_FALSE(letters[1].contains("key"));
  EXPECT_EQ(letters[0].at("key"), "0x01ff");
  EXPECT_EQ(letters[0].at("topic"), "runfold.logs");

  EXPECT_THAT(addresses({"--limit", "2"}), ElementsAre("0/2", "0/1"));
  EXPECT_THAT(addresses({"--reason", "malformed"}), ElementsAre("0/2", "0/0"));
  EXPECT_THAT(addresses({"--topic", "runfold.logs"}), ElementsAre("0/2"));
  EXPECT_THAT(addresses({"--from", "2023-11-14T22:13:21Z", "--to", "2023-11-14T23:13:22+01:00"}), ElementsAre("0/1"));
  EXPECT_THAT(addresses({"--to", "2023-11-14"}), ElementsAre());

  const Printed table = runfold({"dead-letters", "list", "--limit", "1"});
  EXPECT_THAT(table.out, HasSubstr("runfold.logs/0/502"));
  EXPECT_THAT(table.out, Not(HasSubstr("0/1 ")));
  EXPECT_THAT(table.err, HasSubstr("The newest 1 of 3"));
}

TEST_F(DeadLetters, ThatAreNotThereAreNoFailureToListAndOneToShow) {
  const Printed none = runfold({"dead-letters", "list"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_EQ(none.err, "No dead letters.\n");
  letter("malformed", "run-1", "x");
  EXPECT_EQ(runfold({"dead-letters", "show", "0/1"}).exit_code, 1);
  EXPECT_EQ(runfold({"dead-letters", "show", "7/0"}).exit_code, 1);
  const Printed topic = runfold({"dead-letters", "list", "--dead-letters-topic", "elsewhere"});
  EXPECT_EQ(topic.exit_code, 1);
  EXPECT_THAT(topic.err, HasSubstr("elsewhere"));
}

TEST_F(DeadLetters, AreShownWithHeadersAndBytes) {
  const std::string value = std::string("ab\x00\x1b[31m", 8) + std::string(599, 'z');
  letter("malformed", "run-1", value, {{"ce_type", "started"}, {"nothing", std::nullopt}});
  const Printed shown = runfold({"dead-letters", "show", "0/0"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("malformed: it is bad"));
  EXPECT_THAT(shown.out, HasSubstr("runfold.events, partition 0, offset 500"));
  EXPECT_THAT(shown.out, HasSubstr("ce_type = started"));
  EXPECT_THAT(shown.out, HasSubstr("nothing (null)"));
  EXPECT_THAT(shown.out, HasSubstr("00000000  61 62 00 1b 5b 33 31 6d  7a 7a 7a 7a 7a 7a 7a 7a  |ab..[31mzzzzzzzz|"));
  EXPECT_THAT(shown.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(shown.err, HasSubstr("The first 512 of 607 bytes"));
  const Printed full = runfold({"dead-letters", "show", "0/0", "--full"});
  EXPECT_THAT(full.out, HasSubstr("00000250  7a 7a 7a 7a 7a 7a 7a 7a  7a 7a 7a 7a 7a 7a 7a     |zzzzzzzzzzzzzzz|"));
  EXPECT_EQ(runfold({"dead-letters", "show", "0/0", "--raw"}).out, value);
  const auto document = json::parse(runfold({"dead-letters", "show", "0/0", "--json"}).out).as_object();
  EXPECT_EQ(document.at("key_base64"), "cnVuLTE=");
  EXPECT_EQ(document.at("headers").as_array().front(), (json::object{{"name", "ce_type"}, {"value", "started"}}));
}

TEST_F(DeadLetters, GoBackAsTheyWereWithACountOfHowOften) {
  letter("malformed", "run-1", std::string("\xff\x00", 2), {{"ce_type", "started"}, {"nothing", std::nullopt}, {"runfold.redriven", "1"}});
  letter("identity", std::nullopt, std::nullopt);
  const Printed dry = runfold({"dead-letters", "redrive", "--all", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_THAT(dry.err, HasSubstr("Would send back 2 of 2"));
  EXPECT_TRUE(events().empty());

  const Printed done = runfold({"dead-letters", "redrive", "--all", "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("Sent back 2 of 2 dead letters (runfold.events 2)."));
  EXPECT_THAT(done.out, HasSubstr(R"({"address":"0/0","topic":"runfold.events","partition":0,"offset":0,"redriven":2})"));
  const auto back = events();
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].key, "run-1");
  EXPECT_EQ(back[0].value, std::string("\xff\x00", 2));
  EXPECT_EQ(back[0].timestamp_ms, kStartMs - 3'600'000);
  EXPECT_EQ(back[0].headers, (Headers{{"ce_type", "started"}, {"nothing", std::nullopt}, {"runfold.redriven", "2"}}));
  EXPECT_EQ(back[1].key, std::nullopt);
  EXPECT_EQ(back[1].value, std::nullopt);
  EXPECT_EQ(back[1].headers, (Headers{{"runfold.redriven", "1"}}));
}

TEST_F(DeadLetters, OnlyThoseSelectedGoBackAndThoseThatCannotAreSaid) {
  letter("malformed", "run-1", "a");
  letter("identity", "run-2", "b");
  letter("malformed", "run-3", std::nullopt, {{"runfold.value_omitted", "5000000"}});
  letter("malformed", "run-4", "d", {}, "");
  letter("malformed", "run-5", "e", {}, "no.such.topic");

  EXPECT_EQ(runfold({"dead-letters", "redrive", "--reason", "identity"}).exit_code, 0);
  EXPECT_EQ(runfold({"dead-letters", "redrive", "0/0"}).exit_code, 0);
  const auto back = events();
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].value, "b");
  EXPECT_EQ(back[1].value, "a");

  const Printed large = runfold({"dead-letters", "redrive", "0/2", "0/3"});
  EXPECT_EQ(large.exit_code, 1);
  EXPECT_THAT(large.err, HasSubstr("0/2 cannot be sent back: its value was too large"));
  EXPECT_THAT(large.err, HasSubstr("0/3 cannot be sent back: its headers do not say"));
  EXPECT_THAT(large.err, HasSubstr("Sent back 0 of 2 dead letters; 2 cannot be."));
  const Printed absent = runfold({"dead-letters", "redrive", "0/0", "0/99", "--dry-run"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("1 of 2 dead letters are not on topic"));
  EXPECT_EQ(events().size(), 2U);
}

TEST_F(DeadLetters, OneLargerThanTheClientsWholeQueueIsAnErrorThatSaysWhichSettingToRaise) {
  letter("malformed", "run-1", std::string(5'000, '\xff'));
  const Printed refused = runfold({"dead-letters", "redrive", "--all", "-X", "queue.buffering.max.kbytes=1"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("dead letter 0/0 was not sent back to runfold.events"));
  EXPECT_THAT(refused.err, HasSubstr("5005 bytes; raise -X queue.buffering.max.kbytes"));
  EXPECT_TRUE(events().empty());
}

TEST(LetterAddresses, AreReadAsTheyAreWritten) {
  EXPECT_EQ(text_of(*parse_address("3/1042")), "3/1042");
  for (const char* bad : {"", "3", "3/", "/3", "3/-1", "-1/3", "3/4/5", "a/b", "3/ 4", "99999999999/1"})
    EXPECT_FALSE(parse_address(bad)) << bad;
}

TEST(Shortening, KeepsCharactersWholeAndShowsOtherBytesAsHex) {
  EXPECT_EQ(shortened("grüße", 4), "grü...");
  EXPECT_EQ(shortened("grüße", 3), "gr...");
  EXPECT_EQ(shortened("plain", 5), "plain");
  EXPECT_EQ(shortened(std::string("\xc3", 1), 10), "0xc3");
  EXPECT_EQ(shortened("\x01\x02\x03", 4), "0x0102...");
}

TEST(TimesAsNumbers, AreReadInEveryZone) {
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  EXPECT_EQ(parse_time_ms("2023-11-14T22:13:20Z", now), 1'700'000'000'000);
  EXPECT_EQ(parse_time_ms("2023-11-14T22:13:20.1239Z", now), 1'700'000'000'123);
  EXPECT_EQ(parse_time_ms("2023-11-15T03:43:20+05:30", now), 1'700'000'000'000);
  EXPECT_EQ(parse_time_ms("2h", now), 1'700'000'000'000 - 7'200'000);
  EXPECT_EQ(parse_time_ms("1970-01-02", now), 86'400'000);
  for (const char* bad :
       {"2023-02-30", "2023-11-14T25:13:20Z", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+5:30", "soon"}) {
    EXPECT_FALSE(parse_time_ms(bad, now)) << bad;
  }
}

}  // namespace
}  // namespace runfold::cli
