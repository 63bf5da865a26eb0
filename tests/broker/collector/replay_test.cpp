// Replay and verify on a real Kafka: the topics give the same truth again, and a store that differs is told apart.
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/compare.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/broker/collector/workload.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/ranges.hpp"

#include <gtest/gtest.h>

#include <google/protobuf/util/time_util.h>

#include <sqlite3.h>

#include <filesystem>
#include <regex>

#include <sys/resource.h>

namespace runfold::collector::test {
namespace {

using google::protobuf::util::TimeUtil;
using runfold::test::lines_with;
using runfold::test::Program;
using runfold::test::wait_until;

constexpr auto kPatience = std::chrono::seconds(60);

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A program that has ended.
struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class Replay : public ::testing::Test {
 protected:
  static std::filesystem::path folder(const CollectorUnderTest& collector) { return collector.store_path().parent_path(); }

  static std::unique_ptr<Program> begin_replay(const CollectorUnderTest& collector, const std::string& into,
                                               std::vector<std::string> more) {
    std::vector<std::string> command{RUNFOLD_BINARY_DIR "/runfold-collector",
                                     "replay",
                                     "--into",
                                     into,
                                     "--config",
                                     (folder(collector) / "runfold.yaml").string(),
                                     "--bootstrap-servers",
                                     broker_properties().get("bootstrap.servers").value(),
                                     "--group",
                                     collector.group()};
    command.insert(command.end(), more.begin(), more.end());
    return std::make_unique<Program>(command);
  }
  static Ran end(Program& program) {
    const auto ending = program.wait(std::chrono::seconds(120));
    return {ending && ending->exit_code ? *ending->exit_code : -1, program.out(), program.err()};
  }
  static Ran replay(const CollectorUnderTest& collector, const std::string& into, std::vector<std::string> more) {
    return end(*begin_replay(collector, into, std::move(more)));
  }
  static Ran verify(const std::string& a, const std::string& b) {
    Program program({RUNFOLD_BINARY_DIR "/runfold-collector", "verify", a, b});
    return end(program);
  }

  static std::int64_t records_on(const std::string& topic) {
    std::int64_t records = 0;
    for (const kafka::Range& range : kafka::find_ranges(broker_properties(), {&topic, 1}, {}, kPatience).value()) {
      records += range.end - range.first;
    }
    return records;
  }

  /// Sends a made-up world with some poison in each topic, and has the collector fold all of it.
  static Oracle fill(CollectorUnderTest& collector, std::size_t events) {
    Workload workload(broker_properties(), collector.topics(), 20261121, 120, events);
    Sender sender;
    for (bool more = true; more;) {
      more = workload.send(events / 4);
      for (const std::string& topic : {collector.topics().events, collector.topics().logs, collector.topics().operations}) {
        sender.send(topic, "poison", "\xff\xff\xff not protobuf");
      }
    }
    Oracle oracle = workload.finish();
    collector.start();
    std::unique_ptr<Query> query;
    EXPECT_TRUE(wait_until([&] { return (query = collector.query()) != nullptr || !collector.running(); }));
    EXPECT_TRUE(query && wait_until([&] { return all_folded(*query) || !collector.running(); }, kPatience)) << collector.said();
    return oracle;
  }
};

TEST_F(Replay, GivesAStoreThatVerifyCallsEqualAndNobodyNoticesIt) {
  CollectorUnderTest collector("replay");
  const Oracle oracle = fill(collector, 8'000);
  const std::int64_t letters = records_on(collector.topics().dead_letters);
  EXPECT_GE(letters, 12);
  const std::int64_t published = records_on(collector.topics().runs);

  const std::string live = "sqlite:" + collector.store_path().string();
  const auto rebuilt_path = folder(collector) / "rebuilt.db";
  const std::string rebuilt = "sqlite:" + rebuilt_path.string();
  const Ran replayed = replay(collector, rebuilt, {"--from", "earliest"});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_EQ(lines_with(replayed.err, "could not be read (malformed); they were not sent to the dead letters again"), 3) << replayed.err;
  const Ran same = verify(live, rebuilt);
  EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
  EXPECT_TRUE(same.out.starts_with("same: ")) << same.out;

  EXPECT_EQ(records_on(collector.topics().dead_letters), letters);
  EXPECT_LE(published, records_on(collector.topics().runs));
  EXPECT_TRUE(collector.running());
  EXPECT_EQ(lines_with(collector.said(), "assigned "), 1) << collector.said();

  // What is full already is refused, and left as it is.
  const Ran again = replay(collector, rebuilt, {"--from", "earliest"});
  EXPECT_EQ(again.exit_code, 78) << again.err;
  EXPECT_NE(again.err.find("the store is not empty"), std::string::npos) << again.err;
  EXPECT_EQ(verify(live, rebuilt).exit_code, 0);

  // An ordinary collector goes on from where the replay ended: what it had read already it does not count again.
  ASSERT_EQ(collector.terminate(), 0) << collector.said();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(collector.store_path().string() + suffix);
  std::filesystem::copy(rebuilt_path, collector.store_path());
  collector.start();
  ASSERT_TRUE(collector.ready()) << collector.said();
  ASSERT_EQ(collector.terminate(), 0) << collector.said();
  expect_equal(oracle, collector.store_path());

  // One row altered: told apart, and named.
  const std::string run_id = oracle.runs.begin()->first;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(rebuilt_path.c_str(), &database), SQLITE_OK);
  const std::string alter = "UPDATE runs SET site = 'nowhere' WHERE run_id = '" + run_id + "'";
  EXPECT_EQ(sqlite3_exec(database, alter.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  EXPECT_EQ(sqlite3_changes(database), 1);
  sqlite3_close(database);
  const Ran different = verify(live, rebuilt);
  EXPECT_EQ(different.exit_code, 1) << different.out;
  EXPECT_EQ(lines_with(different.out, "run " + run_id + ", attempt 1: site: A has"), 1) << different.out;
  EXPECT_EQ(lines_with(different.out, " A has "), 1) << different.out;
  EXPECT_EQ(verify(live, "sqlite:" + (folder(collector) / "none.db").string()).exit_code, 69);
}

TEST_F(Replay, ThatWasKilledGoesOnWithResumeAndEndsTheSame) {
  CollectorUnderTest collector("resume");
  static_cast<void>(fill(collector, 12'000));
  const std::string live = "sqlite:" + collector.store_path().string();
  const auto rebuilt_path = folder(collector) / "rebuilt.db";
  const std::string rebuilt = "sqlite:" + rebuilt_path.string();
  const auto holds_something = [&] {
    Program look({RUNFOLD_BINARY_DIR "/runfold-collector", "verify", rebuilt, rebuilt});
    const Ran ran = end(look);
    return ran.exit_code == 0 && !ran.out.starts_with("same: 0 runs");
  };
  auto killed = begin_replay(collector, rebuilt, {"--from", "earliest"});
  ASSERT_TRUE(wait_until([&] { return holds_something() || !killed->running(); })) << killed->err();
  killed->signal(SIGKILL);
  static_cast<void>(killed->wait());
  const Ran refused = replay(collector, rebuilt, {"--from", "earliest"});
  EXPECT_EQ(refused.exit_code, 78) << refused.err;
  const Ran resumed = replay(collector, rebuilt, {"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  const Ran same = verify(live, rebuilt);
  EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
  EXPECT_EQ(replay(collector, rebuilt, {"--resume"}).exit_code, 0);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST_F(Replay, WaitsOutAFileThatMayNotGrowAndEndsTheSame) {
  CollectorUnderTest collector("full");
  static_cast<void>(fill(collector, 12'000));
  const std::string live = "sqlite:" + collector.store_path().string();
  const std::string rebuilt = "sqlite:" + (folder(collector) / "rebuilt.db").string();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  // Room for the tables and not for what comes into them. The child has it from its first moment on.
  const rlimit little{512 * 1024, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  auto waiting = begin_replay(collector, rebuilt, {"--from", "earliest"});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(wait_until([&] { return lines_with(waiting->err(), "a batch cannot be committed") > 0 || !waiting->running(); }));
  ASSERT_TRUE(waiting->running()) << waiting->err();
  ASSERT_EQ(::prlimit(waiting->pid(), RLIMIT_FSIZE, &before, nullptr), 0);
  const Ran ran = end(*waiting);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const Ran same = verify(live, rebuilt);
  EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST_F(Replay, OfATimeTakesTheRecordsOfThatTimeOnly) {
  CollectorUnderTest collector("times");
  auto producer = std::move(kafka::Producer::create(broker_properties(), {}).value());
  // The broker says when a record was written, by the clock of this machine.
  std::vector<std::int64_t> before_ms;
  for (int i = 0; i < 4; ++i) {
    before_ms.push_back(now_ms() + 1);
    ASSERT_TRUE(wait_until([&] { return now_ms() >= before_ms.back(); }));
    const std::string value = started("run-" + std::to_string(i));
    producer->produce({.topic = collector.topics().events, .key = "all", .value = value, .headers = {}}, 1).value();
    ASSERT_EQ(producer->flush(kPatience), 0U);
  }
  const std::string from = TimeUtil::ToString(TimeUtil::MillisecondsToTimestamp(before_ms[1]));
  std::string to = TimeUtil::ToString(TimeUtil::MillisecondsToTimestamp(before_ms[3] + 3'600'000));
  to.replace(to.size() - 1, 1, "+01:00");
  const std::string rebuilt = "sqlite:" + collector.store_path().string();
  const Ran replayed = replay(collector, rebuilt, {"--from", from, "--to", to});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  const auto runs = [&] {
    std::string ids;
    const auto query = collector.query();
    for (const StoredRun& stored : query->runs({}, 100, {}).value().items) ids += stored.run.key.run_id + " ";
    return ids;
  };
  EXPECT_EQ(runs(), "run-2 run-1 ");
  EXPECT_EQ(replay(collector, rebuilt, {"--resume"}).exit_code, 0);
  EXPECT_EQ(runs(), "run-3 run-2 run-1 ");
}

TEST_F(Replay, ThatIsAskedForWronglyIsRefusedBeforeAnythingIsMade) {
  CollectorUnderTest collector("wrong");
  const std::string into = "sqlite:" + collector.store_path().string();
  EXPECT_EQ(replay(collector, into, {}).exit_code, 2);
  EXPECT_EQ(replay(collector, into, {"--from", "yesterday"}).exit_code, 2);
  EXPECT_EQ(replay(collector, "nonsense", {"--from", "earliest"}).exit_code, 2);
  EXPECT_EQ(replay(collector, into, {"--from", "earliest", "--nonsense"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(collector.store_path()));
}

}  // namespace
}  // namespace runfold::collector::test
