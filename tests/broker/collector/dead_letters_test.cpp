// What the collector refuses, listed, shown and sent back by the command: once it can be read, and while it still cannot.
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <fstream>
#include <map>
#include <sstream>

namespace runfold::collector::test {
namespace {

namespace json = boost::json;
using runfold::test::Program;
using runfold::test::wait_until;

class Redriving : public ::testing::Test {
 protected:
  std::string runfold(std::vector<std::string> arguments, int exit_code = 0) {
    std::vector<std::string> command{RUNFOLD_BINARY_DIR "/runfold", "dead-letters"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--bootstrap-servers", broker_properties().get("bootstrap.servers").value(), "--dead-letters-topic",
                                   collector_.topics().dead_letters});
    Program program(command);
    const auto ending = program.wait();
    EXPECT_TRUE(ending && ending->exit_code == exit_code) << program.err();
    return program.out();
  }

  std::vector<json::object> list(std::vector<std::string> filters = {}) {
    filters.insert(filters.begin(), {"list", "--json"});
    std::vector<json::object> letters;
    std::istringstream lines(runfold(filters));
    for (std::string line; std::getline(lines, line);) letters.push_back(json::parse(line).as_object());
    return letters;
  }

  /// How many letters there are by reason and count of redriving.
  std::map<std::string, int> kinds() {
    std::map<std::string, int> kinds;
    for (const json::object& letter : list()) {
      ++kinds[std::string(letter.at("reason").as_string()) + " " + json::serialize(letter.at("redriven"))];
    }
    return kinds;
  }

  /// Sets the collector's bound on records, for its next start.
  void bound_records(const std::string& bytes) {
    const auto path = collector_.store_path().parent_path() / "runfold.yaml";
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    std::string config = text.str();
    const std::string key = "  record_bytes: ";
    if (const auto at = config.find(key); at != std::string::npos) config.erase(at, config.find('\n', at) + 1 - at);
    config.insert(config.find("  runs_in_memory:"), key + bytes + "\n");
    std::ofstream(path) << config;
  }

  CollectorUnderTest collector_{"redrive"};
  Sender sender_;
};

TEST_F(Redriving, TellsWhatCanBeReadNowFromWhatStillCannotAndLosesNeither) {
  const kafka::TopicNames& topics = collector_.topics();
  auto large = about<v1::SyncEvent>("run-large");
  large.set_sequence(1);
  large.mutable_step_failed()->set_step_id("upload");
  large.mutable_step_failed()->set_error(std::string(5'000, 'e'));
  auto nobody = about<v1::SyncEvent>("");
  nobody.mutable_started();
  const std::string garbage = std::string("\xff\xff\x00 garbage", 11);
  const std::vector<kafka::Header> headers{{"ce_type", "broken"}};
  std::multimap<std::string, std::string> sent{{"too_large", large.SerializeAsString()},
                                               {"identity", nobody.SerializeAsString()},
                                               {"malformed", garbage},
                                               {"malformed", garbage},
                                               {"empty", ""},
                                               {"no_event", about<v1::SyncEvent>("run-1").SerializeAsString()}};
  bound_records("4KiB");
  sender_.send(topics.events, "run-large", large.SerializeAsString(), headers);
  sender_.send(topics.events, "nobody", nobody.SerializeAsString());
  sender_.send(topics.events, "garbage", garbage, headers);
  sender_.send(topics.operations, "garbage", garbage);
  sender_.send(topics.logs, "nothing", "");
  sender_.send(topics.events, "run-1", about<v1::SyncEvent>("run-1").SerializeAsString());
  sender_.send(topics.events, "run-1", started("run-1"));
  collector_.start();
  ASSERT_TRUE(wait_until([&] { return list().size() == sent.size(); })) << collector_.said();

  // Listed with their origin, shown with their bytes.
  for (const json::object& letter : list()) {
    const std::string address(letter.at("address").as_string());
    const std::string raw = runfold({"show", address, "--raw"});
    const auto [begin, behind] = sent.equal_range(std::string(letter.at("reason").as_string()));
    const auto found = std::find_if(begin, behind, [&](const auto& one) { return one.second == raw; });
    ASSERT_NE(found, behind) << json::serialize(letter);
    sent.erase(found);
    EXPECT_NE(runfold({"show", address}).find("__connect.errors.exception.class.name = runfold.collector."), std::string::npos);
  }
  EXPECT_TRUE(sent.empty());
  const auto of_operations = list({"--topic", topics.operations});
  ASSERT_EQ(of_operations.size(), 1U);
  EXPECT_EQ(of_operations[0].at("key"), "garbage");
  EXPECT_EQ(of_operations[0].at("offset"), "0");

  // The bound is raised: what was too large can be read now, what is broken cannot.
  ASSERT_EQ(collector_.terminate(), 0) << collector_.said();
  bound_records("4MiB");
  collector_.start();
  runfold({"redrive", "--all"});
  std::map<std::string, int> expected{{"too_large 0", 1}, {"identity 0", 1}, {"identity 1", 1}, {"malformed 0", 2}, {"malformed 1", 2},
                                      {"empty 0", 1},     {"empty 1", 1},    {"no_event 0", 1}, {"no_event 1", 1}};
  EXPECT_TRUE(wait_until([&] { return kinds() == expected; })) << collector_.said();
  std::unique_ptr<Query> query;
  const auto run = [&] {
    if (!query) query = collector_.query();
    return query ? query->run("run-large", std::nullopt).value() : std::nullopt;
  };
  ASSERT_TRUE(wait_until([&] { return run().has_value(); })) << collector_.said();
  const std::string snapshot = run()->run.snapshot;

  // Once more, and twice for the one that was taken: it is numbered, so nothing changes; the others' count rises.
  runfold({"redrive", "--reason", "malformed", "--topic", topics.events});
  const std::string address(list({"--reason", "too_large"}).at(0).at("address").as_string());
  runfold({"redrive", address});
  sender_.send(topics.events, "run-last", started("run-last"));
  // Both letters of that record go back: the first as before, the one that came of it with a count of two.
  expected["malformed 1"] += 1;
  expected["malformed 2"] += 1;
  EXPECT_TRUE(wait_until([&] { return kinds() == expected; })) << collector_.said();
  EXPECT_TRUE(wait_until([&] { return query->run("run-last", std::nullopt).value().has_value(); }));
  EXPECT_EQ(run()->run.snapshot, snapshot);
  query.reset();
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

}  // namespace
}  // namespace runfold::collector::test
