// runfold agent as a process: many jobs at once on a real Kafka, and its own end.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/kafka_member.hpp"
#include "transport/kafka/ranges.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

namespace runfold {
namespace {

using kafka::test::Member;
using runfold::test::AgentUnderTest;
using runfold::test::broker_address;
using runfold::test::kPatience;
using runfold::test::kRunfold;
using runfold::test::line_with;
using runfold::test::Program;
using runfold::test::unique_name;
using runfold::test::wait_until;

struct JobTold {
  std::vector<v1::SyncEvent> events;
  std::vector<std::string> messages;
};

/// Runs of which fewer lines came, with what their ends say of them.
std::string what_is_missing(const std::map<std::string, JobTold>& runs, std::size_t lines) {
  std::string out;
  for (const auto& [run_id, run] : runs) {
    if (run.messages.size() == lines) continue;
    out += run_id + " with " + std::to_string(run.messages.size()) + " lines";
    for (const auto& event : run.events) {
      for (const auto& total : event.completed().totals()) out += " {" + total.ShortDebugString() + "}";
    }
    out += "; ";
  }
  return out;
}

/// How far it came, by its own account and by what its client says.
std::string what_it_read(const Member& member) {
  std::map<kafka::TopicPartition, std::int64_t> next;
  for (const auto& record : member.received) next[record.at] = record.offset + 1;
  std::string out = std::to_string(member.assignments) + " assignments, " + std::to_string(member.errors.size()) + " errors";
  for (const auto& [at, offset] : next) {
    const auto end = member.read_up_to.find(at);
    out += ", " + at.topic + "/" + std::to_string(at.partition) + " " + std::to_string(offset) + " of " +
           (end == member.read_up_to.end() ? "?" : std::to_string(end->second));
  }
  return out;
}

TEST(Agent, FiftyJobsAtOnceEachTellTheirOwnRun) {
  constexpr int kJobs = 50;
  constexpr int kLines = 20;
  const std::string mine = unique_name("jobs");
  test::create_topics(broker_address());
  const kafka::Properties kafka = test::kafka_at(broker_address());
  const std::vector<std::string> topics_of_it{"runfold.events", "runfold.logs"};
  const auto told_before = kafka::find_ranges(kafka, topics_of_it, {}, kPatience).value();
  AgentUnderTest agent(broker_address(), {"--flush-timeout", "60s"});
  const auto work = [&](int number) {
    const std::string run_id = mine + "-" + std::to_string(number);
    const auto registered = agent.post("/v1/jobs", agent.token, R"({"connector":"job","run_id":")" + run_id + "\"}");
    ASSERT_EQ(registered.status, 201U) << registered.body;
    const std::string token(boost::json::parse(registered.body).at("token").as_string());
    runfold::test::remember_secret("a job's token", token);
    for (int line = 0; line < kLines; ++line) {
      const std::string message = run_id + " " + std::to_string(line);
      const auto taken = agent.post("/v1/job/log", token, R"({"level":"info","message":")" + message + "\"}");
      EXPECT_EQ(taken.status, 202U);
      EXPECT_EQ(taken.body, R"({"accepted":1})");
    }
    const std::string another = mine + "-" + std::to_string((number + 1) % kJobs);
    EXPECT_EQ(agent.post("/v1/events", token, R"({"identity":{"runId":")" + another + R"("},"heartbeat":{}})").status, 400U);
    EXPECT_EQ(agent.post("/v1/events", token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})").status, 202U);
    EXPECT_EQ(agent.post("/v1/job/log", token, R"({"level":"info","message":"late"})").status, 410U);
  };
  std::vector<std::thread> jobs;
  for (int i = 0; i < kJobs; ++i) jobs.emplace_back(work, i);
  for (auto& job : jobs) job.join();
  agent.program->signal(SIGTERM);
  const auto ending = agent.program->wait(kPatience);
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 0) << agent.program->err();
  EXPECT_EQ(line_with(agent.program->err(), "did not reach"), "");
  EXPECT_EQ(agent.program->err().find(agent.token), std::string::npos);

  std::map<std::string, JobTold> runs;
  int ended = 0;
  int lines = 0;
  Member member(broker_address(), unique_name("readers"), topics_of_it);
  for (const kafka::Range& range : told_before) member.start_at[range.at] = range.end;
  std::size_t seen = 0;
  ASSERT_TRUE(member.run_until(
      [&] {
        for (; seen < member.received.size(); ++seen) {
          const auto& record = member.received[seen];
          if (!record.key.value_or("").starts_with(mine)) continue;
          JobTold& run = runs[*record.key];
          if (record.at.topic == "runfold.events") {
            EXPECT_TRUE(run.events.emplace_back().ParseFromString(record.value.value_or("")));
            ended += run.events.back().has_completed() ? 1 : 0;
          } else {
            v1::LogBatch batch;
            EXPECT_TRUE(batch.ParseFromString(record.value.value_or("")));
            for (const auto& log : batch.records()) run.messages.push_back(log.message());
            lines += batch.records_size();
          }
        }
        return ended == kJobs && lines == kJobs * kLines;
      },
      kPatience))
      << ended << " ends, " << lines << " lines; " << what_is_missing(runs, kLines) << "the reader: " << what_it_read(member);
  ASSERT_EQ(runs.size(), static_cast<std::size_t>(kJobs));
  for (const auto& [run_id, run] : runs) {
    ASSERT_EQ(run.events.size(), 2U) << run_id;
    EXPECT_TRUE(run.events[0].has_started());
    EXPECT_EQ(run.events[1].completed().result(), v1::RUN_RESULT_SUCCESS);
    ASSERT_EQ(run.messages.size(), static_cast<std::size_t>(kLines));
    for (int line = 0; line < kLines; ++line) EXPECT_EQ(run.messages[static_cast<std::size_t>(line)], run_id + " " + std::to_string(line));
  }
}

TEST(Agent, WithoutKafkaItTakesJobsAndSaysAtItsEndWhatWasNotSent) {
  AgentUnderTest agent("127.0.0.1:1", {"--flush-timeout", "10ms"});
  const auto registered = agent.post("/v1/jobs", agent.token, R"({"connector":"job"})");
  EXPECT_EQ(registered.status, 201U);
  EXPECT_EQ(runfold::test::http_get(agent.url + "/readyz")->status, 200) << "a Kafka that is away is no reason to keep jobs away";
  agent.program->signal(SIGTERM);
  const auto ending = agent.program->wait(kPatience);
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 0) << agent.program->err();
  EXPECT_NE(line_with(agent.program->err(), "1 of 1 records did not reach Kafka at 127.0.0.1:1"), "") << agent.program->err();
  EXPECT_NE(line_with(agent.program->err(), "jobs under way: 1"), "");
}

TEST(Agent, ASecondSignalEndsItAtOnce) {
  AgentUnderTest agent("127.0.0.1:1", {"--flush-timeout", "1h"});
  EXPECT_EQ(agent.post("/v1/jobs", agent.token, R"({"connector":"job"})").status, 201U);
  agent.program->signal(SIGTERM);
  EXPECT_TRUE(wait_until([&] { return !line_with(agent.program->err(), "jobs under way: 1").empty(); }));
  EXPECT_TRUE(agent.program->running());
  agent.program->signal(SIGINT);
  const auto ending = agent.program->wait(kPatience);
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 0) << agent.program->err();
}

TEST(Agent, ItsOwnTokenIsForItsUserAlone) {
  AgentUnderTest agent("127.0.0.1:1", {"--flush-timeout", "10ms"});
  const auto file = std::filesystem::status(agent.word_after("registers jobs stands in "));
  EXPECT_EQ(file.permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(agent.program->err().find(agent.token), std::string::npos);
}

TEST(Agent, SaysWhyItCannotServe) {
  AgentUnderTest agent("127.0.0.1:1", {"--flush-timeout", "10ms"});
  Program other({kRunfold, "agent", "--bootstrap-servers", "127.0.0.1:1", "--listen", agent.url.substr(7)});
  const auto ending = other.wait(kPatience);
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 69) << other.err();
  EXPECT_NE(other.err().find("Another process listens on"), std::string::npos) << other.err();
}

}  // namespace
}  // namespace runfold
