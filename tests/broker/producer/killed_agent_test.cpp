// runfold agent is killed while jobs report to it, and started again on its spool, on a real Apache Kafka: what was on disk arrives.
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_disk.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace runfold {
namespace {

namespace fs = std::filesystem;
using test::AgentUnderTest;
using test::Arrived;
using test::broker_address;
using test::kPatience;
using test::Program;
using test::unique_name;

/// A job that goes on with whichever agent is there: registered again under its run_id when the one before is gone.
struct Job {
  std::string run_id;
  int said = 0;

  [[nodiscard]] std::string register_at(const AgentUnderTest& agent) const {
    const auto registered = agent.post("/v1/jobs", agent.token, R"({"connector":"killed","run_id":")" + run_id + "\"}");
    EXPECT_EQ(registered.status, 201U) << registered.body;
    std::string token(boost::json::parse(registered.body).at("token").as_string());
    test::remember_secret("a job's token", token);
    return token;
  }
  /// Says a new line, which it never says again, whatever became of it. False: nobody answers.
  bool say(const AgentUnderTest& agent, const std::string& token) {
    const std::string message = std::to_string(said++) + " by " + token;
    http::ClientRequest request("POST", agent.url + "/v1/job/log", {}, R"({"level":"info","message":")" + message + "\"}");
    request.fields.set("Authorization", "Bearer " + token);
    const auto answer = http::send_blocking(std::move(request), kPatience);
    EXPECT_TRUE(!answer || answer->status == 202U) << answer->body;
    return answer.has_value();
  }
};

TEST(KilledAgent, StartedAgainOnItsSpoolLosesNothingThatWasOnDiskAndSendsItOnce) {
  constexpr std::size_t kRounds = test::kSanitized ? 10 : 50;
  constexpr std::size_t kMostBytes = 300;  // of a record on disk, even one alone in its frame
  test::create_topics(broker_address());
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const test::TemporaryFolder folder;
  const fs::path spool = folder.path() / "spool";
  const std::vector<std::string> flags{"--spool", spool.string(), "--flush-timeout", "60s"};
  std::mt19937 random(20'261'122);
  std::vector<Job> jobs(3);
  for (auto& job : jobs) job.run_id = unique_name("killed-agents-job");
  std::uint64_t awaited = 0;
  std::map<Arrived::Row, std::uint64_t> promised;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const bool away = random() % 2 == 0;
    const std::uintmax_t before = test::bytes_on_disk(spool);
    AgentUnderTest agent(away ? nobody.text() : broker_address(), flags);
    std::vector<std::string> tokens;
    for (const auto& job : jobs) tokens.push_back(job.register_at(agent));
    // So many were taken; or, where Kafka takes nothing, as much is on disk.
    const std::uint64_t enough = random() % 200;
    const std::uint64_t bytes = enough * kMostBytes;
    if (away) awaited += enough;
    std::atomic<std::uint64_t> taken{0};
    {
      std::vector<std::jthread> working;
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        working.emplace_back([&agent, &job = jobs[i], &taken, &token = tokens[i]] {
          while (job.say(agent, token)) ++taken;
        });
      }
      EXPECT_TRUE(test::wait_until([&] { return away ? test::bytes_on_disk(spool) >= before + bytes : taken >= enough; }));
      agent.program->signal(SIGKILL);
    }
    ASSERT_EQ(agent.program->wait().value().signal, SIGKILL);
    EXPECT_THAT(test::SecretFinder(test::remembered_secrets()).names_in_files(spool), ::testing::IsEmpty());
    for (const auto& [row, highest] : test::on_disk(spool)) promised[row] = std::max(promised[row], highest);
  }

  AgentUnderTest last(broker_address(), flags);
  const Job job{.run_id = unique_name("last")};
  const std::string token = job.register_at(last);
  EXPECT_EQ(last.post("/v1/events", token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})").status, 202U);
  const auto folders = [&] { return delivery::folders_beside(spool / "none").size(); };
  EXPECT_TRUE(test::wait_until([&] { return folders() == 1U; })) << "its own is left, those of the dead are gone: " << last.program->err();
  last.program->signal(SIGTERM);
  EXPECT_EQ(last.program->wait().value().exit_code, 0) << last.program->err();
  EXPECT_EQ(folders(), 0U);

  ASSERT_GE(promised.size(), kRounds * 6 / 5) << "most had something on disk when they were killed";
  Arrived arrived(test::kafka_at(broker_address()));
  std::uint64_t records = 0;
  for (const auto& [row, highest] : promised) {
    EXPECT_GE(arrived.contiguous(row), highest) << std::get<0>(row) << " " << std::get<2>(row);
    records += highest;
  }
  EXPECT_GT(records, awaited);

  for (const auto& one : jobs) {
    const auto& lines = arrived.lines(one.run_id);
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), lines.size()) << "each once";
    for (const auto& line : lines) EXPECT_TRUE(line.ends_with(" by [redacted]"));
  }
  EXPECT_NE(arrived.completed(job.run_id), nullptr);
}

}  // namespace
}  // namespace runfold
