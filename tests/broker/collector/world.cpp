// Breaks a collector, its group and its Kafka while it folds, and looks whether anybody can tell afterwards.
#include "tests/broker/collector/world.hpp"

#include "tests/broker/collector/compare.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/kafka_topics.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <map>
#include <set>
#include <tuple>

namespace runfold::collector::test {
namespace {

using runfold::test::http_get;
using runfold::test::wait_until;

/// Above what is sent ahead of the collector, so that it always has something to fold when it is hit.
constexpr std::size_t kAhead = 1'500;

/// What another collector does when it takes partitions over: it raises their epochs. False: the stopped one holds the
/// database just now.
bool raise_epochs(const std::filesystem::path& store) {
  sqlite3* opened = nullptr;
  bool taken = sqlite3_open_v2(store.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK;
  taken = taken && sqlite3_exec(opened, "UPDATE partitions SET epoch = epoch + 1", nullptr, nullptr, nullptr) == SQLITE_OK;
  sqlite3_close(opened);
  return taken;
}

/// By topic and partition: what is folded ends before this.
using Offsets = std::map<std::pair<std::string, std::int32_t>, std::int64_t>;

Offsets offsets_in(const std::filesystem::path& store) {
  sqlite3* opened = nullptr;
  Offsets offsets;
  const auto take = [](void* to, int, char** row, char**) {
    static_cast<Offsets*>(to)->emplace(std::pair(row[0], std::stoi(row[1])), row[2] == nullptr ? -1 : std::stoll(row[2]));
    return 0;
  };
  EXPECT_EQ(sqlite3_open_v2(store.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(opened, "SELECT topic, partition, next_offset FROM partitions", take, &offsets, nullptr), SQLITE_OK);
  sqlite3_close(opened);
  return offsets;
}

/// It believes that the group has given it partitions.
bool is_member(CollectorUnderTest& collector) {
  const auto answer = http_get(collector.url() + "/readyz");
  return answer && answer->body.find("no partitions assigned yet") == std::string::npos;
}

/// Partitions that were added get their share soon.
kafka::Properties sender_properties() {
  kafka::Properties properties = broker_properties();
  properties.set("topic.metadata.refresh.interval.ms", "500").value();
  return properties;
}

std::int64_t number(const std::string& text) {
  std::int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

World::World(const Options& options, runfold::test::RestartableBroker& broker)
    : broker_(broker),
      collector_("world-" + std::to_string(options.seed),
                 {{"session.timeout.ms", "6000"}, {"heartbeat.interval.ms", "300"}, {"topic.metadata.refresh.interval.ms", "1000"}}),
      continue_on_data_loss_(options.continue_on_data_loss),
      workload_(sender_properties(), collector_.topics(), options.seed, options.runs, options.events, options.mischief),
      random_(options.seed) {}

void World::run(const std::vector<Fault>& faults) {
  start();
  ASSERT_TRUE(wait_until([&] { return (query_ = collector_.query()) != nullptr || !collector_.running(); }));
  ASSERT_NE(query_, nullptr) << collector_.said();
  for (const Fault& fault : faults) {
    send(kAhead);
    ASSERT_NO_FATAL_FAILURE(befall(fault));
  }
  while (more_) {
    send(kAhead);
    ASSERT_TRUE(folded(workload_.events_sent() - std::min<std::uint64_t>(workload_.events_sent(), 2 * kAhead))) << collector_.said();
  }
  const Oracle oracle = workload_.finish(partitions_);
  const auto moved = std::ranges::count_if(oracle.runs, [](const auto& run) { return run.second.offsets.size() > 1; });
  if (partitions_ == kPartitions) {
    EXPECT_EQ(moved, 0);
  } else {
    befell_["runs moved"] = static_cast<int>(moved);  // none, should the partitions have come when all was sent
  }
  ASSERT_TRUE(wait_until([&] { return all_folded(*query_, partitions_) || !collector_.running(); })) << collector_.said();
  ASSERT_TRUE(collector_.running()) << collector_.said();
  query_.reset();
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
  expect_equal(oracle, collector_.store_path());
  expect_dead_letters(oracle);
}

void World::befall(const Fault& fault) {
  switch (fault.kind) {
    case Fault::Kind::kKill:
      return kill_and_start();
    case Fault::Kind::kFailpoint:
      return die_at(fault.where);
    case Fault::Kind::kRebalance:
      return rebalance();
    case Fault::Kind::kStop:
      return stop_and_continue();
    case Fault::Kind::kTakeover:
      return take_over();
    case Fault::Kind::kBrokerCrash:
      return crash_broker();
    case Fault::Kind::kRecreation:
      return recreate();
    case Fault::Kind::kGrowth:
      return grow();
  }
}

void World::kill_and_start() {
  const std::uint64_t before = events_folded(*query_);
  const std::uint64_t room = workload_.events_sent() - std::min(before, workload_.events_sent());
  ASSERT_TRUE(folded(before + random_() % (room / 2 + 1))) << collector_.said();
  collector_.kill();
  start();
  ++befell_["kills"];
}

void World::die_at(const std::string& where) {
  const bool at_revoke = where.find("revoke") != std::string::npos;
  collector_.kill();
  start(where + ":" + std::to_string(1 + random_() % (at_revoke ? 1 : 4)));
  while (collector_.running() && (more_ || at_revoke)) {
    send(kAhead / 5);
    if (at_revoke) {
      rebalance();
    } else {
      const std::uint64_t sent = workload_.events_sent();
      ASSERT_TRUE(wait_until([&] { return !collector_.running() || events_folded(*query_) + kAhead >= sent; })) << collector_.said();
    }
  }
  if (!collector_.running()) ++befell_["deaths " + where];
  collector_.kill();
  start();
}

void World::rebalance() {
  const kafka::TopicNames& topics = collector_.topics();
  kafka::test::Member other(broker_.address(), collector_.group(), {topics.events, topics.logs, topics.operations});
  EXPECT_TRUE(other.run_until([&] { return other.assignments > 0 || !collector_.running(); })) << collector_.said();
  other.consumer->close(std::chrono::seconds(10));
  ++befell_["rebalances"];
}

void World::stop_and_continue() {
  // Stopped before it has claimed its partitions it would rightly claim them when it goes on, and be their owner again.
  ASSERT_TRUE(wait_until([&] { return collector_.said().find("] assigned ") != std::string::npos; })) << collector_.said();
  collector_.signal(SIGSTOP);
  {
    const kafka::TopicNames& topics = collector_.topics();
    kafka::test::Member other(broker_.address(), collector_.group(), {topics.events, topics.logs, topics.operations});
    // The group gives it partitions only once it has waited for the stopped one in vain.
    EXPECT_TRUE(other.run_until([&] { return other.assignments > 0; }));
    const bool raised = raise_epochs(collector_.store_path());
    const Offsets before = offsets_in(collector_.store_path());
    collector_.signal(SIGCONT);
    // Its writer is refused, or it hears first that it is no member any more and drops what it has. Nobody else writes.
    EXPECT_TRUE(wait_until([&] { return !collector_.running() || !is_member(collector_); })) << collector_.said();
    if (raised) {
      EXPECT_EQ(offsets_in(collector_.store_path()), before) << "it wrote what is another's; " << collector_.said();
      ++befell_["fenced stops"];
    }
    other.consumer->close(std::chrono::seconds(10));
  }
  ++befell_["stops"];
}

void World::take_over() {
  // Should it claim its partitions anew just then, it is their owner again, and the other one must take them once more.
  ASSERT_TRUE(wait_until([&] {
    collector_.signal(SIGSTOP);
    const bool raised = raise_epochs(collector_.store_path());
    collector_.signal(SIGCONT);
    if (!raised) return false;
    // It still believes itself the owner, so it folds and tries to commit.
    send(100);
    const std::uint64_t before = events_folded(*query_);
    return wait_until([&] { return !collector_.running() || events_folded(*query_) > before; }) && !collector_.running();
  })) << collector_.said();
  EXPECT_NE(collector_.said().find("another collector has taken over"), std::string::npos) << collector_.said();
  start();
  ++befell_["takeovers refused"];
}

void World::crash_broker() {
  broker_.kill();
  broker_.start();
  ++befell_["broker crashes"];
}

void World::recreate() {
  const std::string& topic = collector_.topics().events;
  const auto& ends = workload_.settle();
  ASSERT_TRUE(wait_until(
      [&] {
        const Offsets folded = offsets_in(collector_.store_path());
        return std::ranges::all_of(ends, [&](const auto& end) { return folded.contains(end.first) && folded.at(end.first) == end.second; });
      },
      std::chrono::seconds(120)))
      << collector_.said();
  kafka::test::delete_topic(broker_properties(), topic);
  const kafka::TopicPolicy policy{.name = topic, .partitions = partitions_, .replication = 1, .config = {}};
  ASSERT_TRUE(wait_until([&] {
    const auto reports = kafka::create_topics(broker_properties(), {policy}, std::chrono::seconds(20));
    return reports && reports->at(0).created;
  }));
  workload_.forget(topic);
  ++befell_["recreations"];
}

void World::grow() {
  if (partitions_ >= 16) return;
  partitions_ *= 2;
  for (const std::string& topic : {collector_.topics().events, collector_.topics().logs}) {
    kafka::test::add_partitions(broker_properties(), topic, static_cast<std::size_t>(partitions_));
  }
  ++befell_["growths"];
}

bool World::folded(std::uint64_t at_least) {
  return wait_until(
             [&] {
               if (!collector_.running() && collector_.said().find("another collector has taken over") != std::string::npos) {
                 start();  // It was fenced, and refused to write: as it should.
                 ++befell_["fenced"];
               }
               return !collector_.running() || events_folded(*query_) >= at_least;
             },
             std::chrono::seconds(120)) &&
         collector_.running();
}

void World::start(const std::string& failpoint) {
  std::vector<std::string> arguments;
  if (continue_on_data_loss_) arguments = {"--on-data-loss", "continue"};
  collector_.start({}, arguments, failpoint);
}

void World::send(std::size_t records) {
  if (more_) more_ = workload_.send(records);
}

void World::expect_dead_letters(const Oracle& oracle) {
  using Place = std::tuple<std::string, std::int32_t, std::int64_t>;
  std::set<Place> found;
  kafka::test::Member reader(broker_.address(), collector_.group() + ".reader", {collector_.topics().dead_letters});
  const bool all = reader.run_until([&] {
    for (const auto& letter : reader.received) {
      std::map<std::string, std::string> headers;
      for (const auto& [name, value] : letter.headers) headers[name] = value.value_or("");
      found.insert({headers["__connect.errors.topic"], static_cast<std::int32_t>(number(headers["__connect.errors.partition"])),
                    number(headers["__connect.errors.offset"])});
    }
    reader.received.clear();
    return std::includes(found.begin(), found.end(), oracle.poison.begin(), oracle.poison.end());
  });
  EXPECT_TRUE(all) << found.size() << " of " << oracle.poison.size() << " records that cannot be read are in the dead letters";
  EXPECT_TRUE(std::includes(oracle.poison.begin(), oracle.poison.end(), found.begin(), found.end())) << "a good record was put aside";
  reader.consumer->close(std::chrono::seconds(10));
}

std::string World::summary() const {
  std::string text;
  for (const auto& [what, count] : befell_) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  return text.empty() ? "nothing befell it" : text;
}

}  // namespace runfold::collector::test
