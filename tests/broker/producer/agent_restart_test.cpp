// runfold agent, killed and started again on its spool and its port, while jobs are under way.
#include "producer/sdk/producer.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/unanswered_address.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

namespace runfold {
namespace {

using kafka::test::Member;
using runfold::test::AgentUnderTest;
using runfold::test::broker_address;
using runfold::test::kPatience;
using runfold::test::line_with;
using runfold::test::Program;
using runfold::test::TemporaryFolder;
using runfold::test::UnansweredAddress;
using runfold::test::unique_name;
using runfold::test::wait_until;

/// A job's variables, in this process while this lives.
class JobEnvironment {
 public:
  explicit JobEnvironment(const boost::json::object& variables) {
    for (const auto& [name, value] : variables) {
      names_.emplace_back(name);
      ::setenv(names_.back().c_str(), std::string(value.as_string()).c_str(), 1);
    }
  }
  ~JobEnvironment() {
    for (const auto& name : names_) ::unsetenv(name.c_str());
  }
  JobEnvironment(const JobEnvironment&) = delete;
  JobEnvironment& operator=(const JobEnvironment&) = delete;

 private:
  std::vector<std::string> names_;
};

/// What the files in `folder` hold, as far as it is not taken away meanwhile.
std::string on_disk(const std::filesystem::path& folder) {
  std::string all;
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator entry(folder, gone), end; !gone && entry != end; entry.increment(gone)) {
    std::error_code ignored;
    std::ifstream in(entry->path(), std::ios::binary);
    if (entry->is_regular_file(ignored)) all.append(std::istreambuf_iterator<char>(in), {});
  }
  return all;
}

boost::json::object registered(const AgentUnderTest& agent, const std::string& body) {
  const auto response = agent.post("/v1/jobs", agent.token, body);
  EXPECT_EQ(response.status, 201U) << response.body;
  auto job = boost::json::parse(response.body).as_object();
  runfold::test::remember_secret("a job's token", std::string(job.at("token").as_string()));
  return job;
}

/// Who has told what of which run, a line a run.
std::string told(const std::map<std::string, std::vector<v1::SyncEvent>>& events) {
  std::string text;
  for (const auto& [run_id, of_run] : events) {
    text += "\n" + run_id + ":";
    for (const auto& event : of_run) {
      const auto* kind = event.GetDescriptor()->FindFieldByNumber(static_cast<int>(event.event_case()));
      text += " " + (kind == nullptr ? "nothing" : std::string(kind->name())) + " of " + event.identity().source_id() + " " +
              std::to_string(event.sequence()) + ";";
    }
  }
  return text + "\n";
}

/// What a member has read of each partition, a line a partition.
std::string told(const Member& member) {
  std::map<kafka::TopicPartition, std::vector<std::int64_t>> read;
  for (const auto& record : member.received) read[record.at].push_back(record.offset);
  std::string text;
  for (const auto& [at, offsets] : read) {
    text += at.topic + "[" + std::to_string(at.partition) + "]: " + std::to_string(offsets.size()) + " records, " +
            std::to_string(offsets.front()) + " to " + std::to_string(offsets.back()) + "\n";
  }
  for (const auto& error : member.errors) text += "error: " + error.message + "\n";
  return text;
}

TEST(AgentRestart, JobsOfAnAgentThatWasKilledGoOnAtTheNextOneAndNothingOnDiskIsLost) {
  constexpr int kLines = 20;
  const std::string plain = unique_name("plain");
  const std::string in_cpp = unique_name("cpp");
  const TemporaryFolder spool;
  const std::vector<std::string> flags{"--spool", spool.path().string(), "--flush-timeout", "60s"};
  test::create_topics(broker_address());

  // The first agent reaches no Kafka: what it has taken, the disk alone has.
  const UnansweredAddress held(UnansweredAddress::Kind::kRefuses);
  const std::string address = held.text();
  std::optional<AgentUnderTest> agent(std::in_place, "127.0.0.1:1", flags, address);
  const std::string token(registered(*agent, R"({"connector":"plain","run_id":")" + plain + "\"}").at("token").as_string());
  const auto cpp_job = registered(
      *agent, R"({"connector":"cpp","run_id":")" + in_cpp + R"(","os_pid":)" + std::to_string(::getpid()) + R"(,"heartbeat":1})");
  Settings settings;
  settings.kafka = test::kafka_at(broker_address());
  settings.connector_id = "cpp";
  auto producer = Producer::create(std::move(settings)).value();
  // The agent that is started below is no job's child.
  std::optional<JobEnvironment> environment(std::in_place, cpp_job.at("environment").as_object());
  runfold::Run run = producer->start_run();
  environment.reset();
  const auto say = [&](int line) {
    const std::string message = plain + " " + std::to_string(line) + ".";
    EXPECT_EQ(agent->post("/v1/job/log", token, R"({"level":"info","message":")" + message + "\"}").status, 202U);
    return message;
  };
  std::vector<std::string> messages;
  for (int line = 0; line < kLines; ++line) messages.push_back(say(line));
  ASSERT_TRUE(wait_until([&] { return on_disk(spool.path()).find(messages.back()) != std::string::npos; }));
  agent->program->signal(SIGKILL);
  ASSERT_TRUE(agent->program->wait(kPatience).has_value());
  EXPECT_EQ(on_disk(spool.path()).find(token), std::string::npos);

  agent.emplace(broker_address(), flags, address);
  EXPECT_EQ(agent->word_after("jobs of an earlier agent that go on here: "), "2") << agent->program->err();
  for (int line = kLines; line < 2 * kLines; ++line) messages.push_back(say(line));
  run.step("read").complete(42);
  run.finish({});
  EXPECT_EQ(agent->post("/v1/events", token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})").status, 202U);
  EXPECT_EQ(producer->close(kPatience).dropped, (std::map<std::string, std::uint64_t>()));

  std::map<std::string, std::vector<v1::SyncEvent>> events;
  std::map<std::pair<std::string, std::uint64_t>, std::string> lines;  // repeats carry the same source and number
  std::set<std::string> ended;
  Member member(broker_address(), unique_name("readers"), {"runfold.events", "runfold.logs"});
  std::size_t seen = 0;
  ASSERT_TRUE(member.run_until(
      [&] {
        for (; seen < member.received.size(); ++seen) {
          const auto& record = member.received[seen];
          const std::string key = record.key.value_or("");
          if (key != plain && key != in_cpp) continue;
          if (record.at.topic == "runfold.events") {
            v1::SyncEvent event;
            EXPECT_TRUE(event.ParseFromString(record.value.value_or("")));
            if (event.has_completed()) ended.insert(key);
            events[key].push_back(std::move(event));
          } else {
            v1::LogBatch batch;
            EXPECT_TRUE(batch.ParseFromString(record.value.value_or("")));
            std::uint64_t sequence = batch.first_sequence();
            for (const auto& log : batch.records()) lines[{batch.identity().source_id(), sequence++}] = log.message();
          }
        }
        const auto starts = [&](const std::string& run_id) {
          return std::count_if(events[run_id].begin(), events[run_id].end(), [](const auto& event) { return event.has_started(); });
        };
        return ended.size() == 2 && lines.size() == messages.size() && starts(plain) == 2 && starts(in_cpp) == 2;
      },
      kPatience))
      << ended.size() << " ends, " << lines.size() << " lines, " << told(events) << told(member) << agent->program->err()
      << agent->metrics();

  std::multiset<std::string> got;
  for (const auto& [at, message] : lines) got.insert(message);
  EXPECT_EQ(got, std::multiset<std::string>(messages.begin(), messages.end()));
  for (const auto& [run_id, told] : events) {
    std::set<std::string> starters;
    for (const auto& event : told) {
      if (event.has_started()) starters.insert(event.identity().source_id());
      EXPECT_TRUE(!event.has_completed() || event.completed().result() == v1::RUN_RESULT_SUCCESS) << run_id;
    }
    EXPECT_EQ(starters.size(), 2U) << run_id;
  }
  agent->program->signal(SIGTERM);
  const auto ending = agent->program->wait(kPatience);
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 0);
  EXPECT_EQ(agent->program->err().find("jobs under way"), std::string::npos) << agent->program->err();
}

TEST(AgentRestart, OneThatIsStoppedHandsItsJobsOverWhileItStillSendsWhatItHas) {
  const TemporaryFolder spool;
  const UnansweredAddress held(UnansweredAddress::Kind::kRefuses);
  const std::string address = held.text();
  const UnansweredAddress silent(UnansweredAddress::Kind::kSilent);
  const std::vector<std::string> flags{"--spool", spool.path().string(), "--flush-timeout", "1h"};
  AgentUnderTest before(silent.text(), flags, address);
  const std::string token(registered(before, R"({"connector":"plain"})").at("token").as_string());
  before.program->signal(SIGTERM);
  ASSERT_TRUE(wait_until([&] { return !line_with(before.program->err(), "jobs under way: 1").empty(); })) << before.program->err();
  EXPECT_NE(before.program->err().find("the next agent with this spool and port goes on with them"), std::string::npos);

  AgentUnderTest after(silent.text(), flags, address);
  EXPECT_EQ(after.word_after("jobs of an earlier agent that go on here: "), "1") << after.program->err();
  EXPECT_EQ(after.post("/v1/job/log", token, R"({"level":"info","message":"m"})").status, 202U);
  for (auto* agent : {&before, &after}) {
    agent->program->signal(SIGTERM);
    agent->program->signal(SIGINT);
    const auto ending = agent->program->wait(kPatience);
    ASSERT_TRUE(ending.has_value());
    EXPECT_EQ(ending->exit_code, 0) << agent->program->err();
  }
}

}  // namespace
}  // namespace runfold
