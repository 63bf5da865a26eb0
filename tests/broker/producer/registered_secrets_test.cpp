// Secrets that are registered by file, by variable and with the SDK, wherever they are said, on a real Apache Kafka: no topic has them.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/exec_run.hpp"
#include "tests/broker/producer/topic_scan.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;
using test::new_secret;
using test::Told;
using test::told_of;
using test::unique_name;

/// A file with a secret a line, and one variable with two.
struct Secrets {
  Secrets() { std::ofstream(file) << of_file[0] << "\r\n\n" << of_file[1] << '\n'; }
  [[nodiscard]] std::vector<std::string> flags() const { return {"--redact-file", file, "--redact-env", "JOB_SECRETS"}; }
  [[nodiscard]] std::map<std::string, std::string> environment() const { return {{"JOB_SECRETS", of_variable[0] + "\n" + of_variable[1]}}; }
  [[nodiscard]] std::vector<std::string> all() const { return {of_file[0], of_file[1], of_variable[0], of_variable[1]}; }

  const test::TemporaryFolder folder;
  const std::string file = (folder.path() / "secrets").string();
  const std::vector<std::string> of_file{new_secret("one of a file"), "\"" + new_secret("another one of the file") + "\" \\é"};
  const std::vector<std::string> of_variable{new_secret("one of a variable"), "k: " + new_secret("another one of the variable")};
};

/// That nothing was found is worth something only if it was recorded: all that was told, as text, says this so often.
void expect_recorded(const Told& told, std::size_t times, const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& event : told.events) text += event.ShortDebugString() + "\n";
  for (const auto& log : told.logs) text += log.ShortDebugString() + "\n";
  for (const auto& part : parts) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
    EXPECT_EQ(found, times) << part << " in " << text;
  }
}

TEST(RegisteredSecrets, ThoseOfAFileAndAVariableAreReplacedInAllThatACommandSays) {
  const Secrets secrets;
  std::vector<std::string> command{"/bin/sh", "-ec", R"(
runfold=$1; shift
for secret in "$@"; do
  printf 'prints %s\n' "$secret"
  printf '2026-05-16 14:32:11 UTC [ERROR] says %s\n' "$secret" >&2
  "$runfold" log --level warning --step "within $secret" "logs $secret"
  "$runfold" emit step-started --step "step $secret"
  "$runfold" emit progress --done 1 --message "does $secret"
  "$runfold" emit step-failed --step "step $secret" --error "because $secret"
done
"$runfold" emit completed --result failure --error "gave up: $*")",
                                   "sh", RUNFOLD_BINARY_DIR "/runfold"};
  const auto all = secrets.all();
  command.insert(command.end(), all.begin(), all.end());
  auto flags = secrets.flags();
  flags.insert(flags.end(), {"--account", "account " + all[0]});
  const ExecRun run(flags, command, secrets.environment());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const auto& secret : all) EXPECT_NE(run.out.find("prints " + secret + "\n"), std::string::npos) << "it passes through as it is";
  expect_recorded(run.told, all.size(),
                  {"\"prints [redacted]\"", "\"says [redacted]\"", "\"within [redacted]\"", "\"logs [redacted]\"", "\"does [redacted]\"",
                   "\"because [redacted]\""});
  expect_recorded(run.told, 1, {"\"account [redacted]\"", "\"gave up: [redacted] [redacted] [redacted] [redacted]\""});
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST(RegisteredSecrets, ThoseOfAFileAndAVariableAreReplacedInWhatEmitAndLogSendThemselves) {
  test::create_topics(test::broker_address());
  const Secrets secrets;
  const std::string run_id = unique_name("sent");
  const auto runfold = [&](const std::vector<std::string>& what) {
    std::vector<std::string> command{"/bin/sh", "-c", R"(printf 'reads %s\n' "$JOB_SECRETS" | "$@")", "sh", RUNFOLD_BINARY_DIR "/runfold"};
    command.insert(command.end(), what.begin(), what.end());
    command.insert(command.end(), {"--run-id", run_id, "--connector", "job", "--bootstrap-servers", test::broker_address()});
    const auto flags = secrets.flags();
    command.insert(command.end(), flags.begin(), flags.end());
    test::Program program(command, secrets.environment());
    EXPECT_EQ(program.wait().value().exit_code, 0) << program.err();
  };
  const auto all = secrets.all();
  runfold({"emit", "started", "--account", "account " + all[0]});
  runfold({"log", "--step", "within " + all[1], "--detail", boost::json::serialize(boost::json::object{{all[1], "has " + all[2]}}),
           "logs " + all[3]});
  runfold({"log"});
  runfold({"emit", "completed", "--result", "failure", "--error", "gave up: " + all[1]});
  expect_recorded(told_of(run_id), 1,
                  {"\"account [redacted]\"", "\"within [redacted]\"", "\"logs [redacted]\"", "has [redacted]", "\"reads [redacted]\"",
                   "\"gave up: [redacted]\""});
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST(RegisteredSecrets, ThoseOfAFileAndAVariableAreReplacedInWhatAnAgentsJobsSay) {
  test::create_topics(test::broker_address());
  const Secrets secrets;
  const auto all = secrets.all();
  ::setenv("JOB_SECRETS", secrets.environment().at("JOB_SECRETS").c_str(), 1);
  const test::AgentUnderTest agent(test::broker_address(), secrets.flags());
  ::unsetenv("JOB_SECRETS");
  const std::string run_id = unique_name("told");
  const auto job = agent.post("/v1/jobs", agent.token, R"({"connector":"job","run_id":")" + run_id + "\"}");
  ASSERT_EQ(job.status, 201U) << job.body;
  const std::string token(boost::json::parse(job.body).at("token").as_string());
  test::remember_secret("a job's token", token);
  for (const auto& secret : all) {
    const boost::json::object record{{"level", "error"}, {"message", "logs " + secret}, {"detail", {{secret, secret}}}};
    EXPECT_EQ(agent.post("/v1/job/log", token, boost::json::serialize(record)).status, 202U);
  }
  const boost::json::object end{{"completed", {{"result", "RUN_RESULT_FAILURE"}, {"error", "gave up: " + all[1] + " with " + token}}}};
  EXPECT_EQ(agent.post("/v1/events", token, boost::json::serialize(end)).status, 202U);
  const Told told = told_of(run_id);
  expect_recorded(told, all.size(), {"\"logs [redacted]\""});
  expect_recorded(told, 1, {"\"gave up: [redacted] with [redacted]\""});
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST(RegisteredSecrets, ThoseOfTheSdkAreReplacedFromThenOnInAllThatARunSays) {
  test::create_topics(test::broker_address());
  Settings settings;
  settings.kafka = test::kafka_at(test::broker_address());
  settings.connector_id = "invoices";
  const auto redactor = settings.redactor;
  const auto producer = std::move(Producer::create(std::move(settings))).value();
  const std::string early = new_secret("one that is registered before its run");
  const std::string late = "\"" + new_secret("one that is registered in mid-run") + "\" \\é";
  ASSERT_TRUE(redactor->add(early));
  const std::string run_id = unique_name("sdk");
  ::testing::internal::CaptureStderr();
  const auto work = [&](runfold::Run& run) {
    ASSERT_TRUE(redactor->add(late));
    for (const auto& secret : {early, late}) {
      run.logger().error("logs " + secret, {.step = "within " + secret, .detail = {{secret, "has " + secret}}});
      run.progress("upload", 1, {}, "does " + secret);
      v1::LogRecord record;
      record.set_message("hands over");
      record.set_raw("raw " + secret);
      record.mutable_api_call()->set_request_uri("http://host/" + secret);
      record.mutable_api_call()->set_transport_error("no route to " + secret);
      EXPECT_TRUE(run.log(record));
      const auto body = [&](Step&) { throw std::runtime_error("because " + secret); };
      EXPECT_THROW(run.step("step " + secret, body), std::runtime_error);
    }
    throw std::runtime_error("gave up: " + early + " " + late);
  };
  EXPECT_THROW(producer->run({.run_id = run_id, .account = "account " + early}, work), std::runtime_error);
  const std::string named_after_it = producer->start_run({.run_id = "run-" + early}).run_id();
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(producer->close(test::kPatience).dropped.size(), 0U);

  EXPECT_THAT(test::SecretFinder(test::remembered_secrets()).names_in(printed), ::testing::IsEmpty()) << "nor does the logger print them";
  const Told told = told_of(run_id);
  expect_recorded(told, 2,
                  {"\"logs [redacted]\"", "\"within [redacted]\"", "has [redacted]", "\"does [redacted]\"", "\"raw [redacted]\"",
                   "\"http://host/[redacted]\"", "\"no route to [redacted]\"", "\"because [redacted]\""});
  expect_recorded(told, 1, {"\"account [redacted]\"", "\"gave up: [redacted] [redacted]\""});
  EXPECT_EQ(told_of(named_after_it).events.size(), 2U) << "under another name";
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

}  // namespace
}  // namespace runfold
