// An agent that is started again on its spool goes on with the jobs that it had.
#include "tests/support/program.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/agent/agent_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace runfold::agent {
namespace {

using runfold::test::Program;
using runfold::test::RawSocket;
using runfold::test::wait_until;
using std::chrono::milliseconds;

class AgentRestart : public test::AgentTest {
 protected:
  AgentRestart() {
    settings.spool_folder = spool.path().string();
    options.listen = held.text();
  }

  std::string all_on_disk() {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(spool.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      text += entry.path().string() + "\n" + std::string{std::istreambuf_iterator<char>(in), {}};
    }
    return text;
  }
  static std::string watched(const std::string& run_id, const Program& process) {
    return R"({"connector":"watched","run_id":")" + run_id + R"(","os_pid":)" + std::to_string(process.pid()) + "}";
  }
  /// A request that the agent waits for the rest of, which is `body`.
  RawSocket begin(const std::string& line, const std::string& token, const std::string& body) {
    RawSocket client = RawSocket::connect(port());
    client.send(line + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token +
                "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    EXPECT_EQ(client.response().status, 100) << line;
    return client;
  }
  /// Changes what the agent, which is away, has written down of its jobs.
  void change_remembered(const std::function<void(RememberedJob&)>& change) {
    const std::string port = options.listen.substr(options.listen.rfind(':') + 1);
    const auto path = spool.path() / ("agent-" + port + ".jobs");
    const auto tell = [](const std::string& message) { ADD_FAILURE() << message; };
    auto jobs = JobFile(path, tell).open();
    EXPECT_FALSE(jobs.empty());
    std::filesystem::remove(path);
    JobFile anew(path, tell);
    EXPECT_TRUE(anew.open().empty());
    for (RememberedJob& job : jobs) {
      change(job);
      anew.remember(job);
    }
  }
  std::size_t heartbeats_of_the_second_source(const std::string& run_id) {
    const auto all = events(run_id);
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const v1::SyncEvent& event) {
      return event.has_heartbeat() && event.identity().source_id() != all.front().identity().source_id();
    }));
  }

  const runfold::test::UnansweredAddress held{runfold::test::UnansweredAddress::Kind::kRefuses};
  runfold::test::TemporaryFolder spool;
};

TEST_F(AgentRestart, AJobGoesOnWithItsTokenAndItsRun) {
  serve();
  const auto job = register_job(R"({"connector":"invoices","version":"2.1","site":"acme","account":"a-7","run_id":"run-1","attempt":2,
                                    "heartbeat":30})");
  EXPECT_EQ(log(job, "before").status, 202U);
  restart([&] { change_remembered([](RememberedJob& remembered) { *remembered.options.started_at -= std::chrono::hours(1); }); });
  EXPECT_TRUE(shows("runfold_agent_jobs 1"));
  EXPECT_EQ(try_to_register(R"({"connector":"invoices","run_id":"run-1","attempt":2})").status, 409U);
  EXPECT_EQ(log(job, "after").status, 202U);
  EXPECT_EQ(complete(job).status, 202U);
  EXPECT_EQ(log(job, "late").status, 401U) << "no agent that lives has given this token";
  stop();

  EXPECT_EQ(messages("run-1"), (std::vector<std::string>{"before", "after"}));
  const auto told = events("run-1");
  ASSERT_EQ(told.size(), 3U);
  const auto& first = told[0];
  const auto& again = told[1];
  EXPECT_NE(again.identity().source_id(), first.identity().source_id()) << "so it may number its records anew";
  EXPECT_EQ(again.sequence(), 1U);
  EXPECT_EQ(again.identity().attempt(), 2U);
  EXPECT_EQ(again.identity().connector_id(), "invoices");
  EXPECT_EQ(again.identity().version(), "2.1");
  EXPECT_EQ(again.identity().site(), "acme");
  EXPECT_EQ(again.trace().traceparent(), first.trace().traceparent());
  EXPECT_EQ(again.started().account(), "a-7");
  EXPECT_EQ(again.started().heartbeat_interval().seconds(), 30);
  const auto began_s = first.occurred_at().seconds() - 3'600;
  EXPECT_NEAR(static_cast<double>(again.occurred_at().seconds()), static_cast<double>(began_s), 1) << "when it really began";
  const auto& end = told[2].completed();
  EXPECT_EQ(end.result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_GE(end.duration().seconds(), 3'599) << "counted from the beginning";
  EXPECT_EQ(all_on_disk(), "") << "nothing is left to know";
}

TEST_F(AgentRestart, HeartbeatsGoOnAndTheProcessIsWatchedAgain) {
  settings.heartbeat_interval = milliseconds(5);
  Program process({"/bin/sleep", "infinity"});  // before there is a socket that it would hold open
  serve();
  const auto job = register_job(watched("run-1", process));
  restart();
  EXPECT_TRUE(wait_until([&] { return heartbeats_of_the_second_source("run-1") >= 3; }));
  process.signal(SIGKILL);
  const auto end = end_of("run-1");
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(end->error(), "the job's process ended without a Completed event");
  EXPECT_EQ(log(job, "late").status, 401U);
}

TEST_F(AgentRestart, HeartbeatsGoOnForAProcessThatCannotBeSeenAnyMoreUntilItsTokenIsLetGo) {
  settings.heartbeat_interval = milliseconds(5);
  Program process({"/bin/sleep", "infinity"});
  serve();
  const auto job = register_job(watched("run-1", process));
  options.jobs.idle = milliseconds(500);
  restart([&] { change_remembered([](RememberedJob& remembered) { remembered.process->pid_namespace = "pid:[1]"; }); });
  EXPECT_TRUE(wait_until([&] { return heartbeats_of_the_second_source("run-1") >= 1; }));
  EXPECT_TRUE(wait_until([&] { return shows("runfold_agent_job_ends_total{end=\"expired\"} 1"); }));
  EXPECT_EQ(log(job, "late").status, 401U);
  EXPECT_FALSE(has_ended("run-1")) << "nobody knows its end";
}

TEST_F(AgentRestart, NamesThatGrewByWhatWasReplacedInThemAreTakenUp) {
  ASSERT_TRUE(settings.redactor->add("hunter2!"));
  const std::string long_name = std::string(192, 'a') + "hunter2!";
  serve();
  const auto job = register_job(R"({"connector":")" + long_name + R"(","version":")" + long_name + R"(","site":")" + long_name +
                                R"(","account":")" + long_name + R"(","run_id":"run-1"})");
  restart();
  EXPECT_EQ(complete(job).status, 202U);
  stop();
  const auto told = events("run-1");
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].identity().connector_id(), told[0].identity().connector_id()) << "one run has one connector";
  EXPECT_EQ(told[1].identity().version(), told[0].identity().version());
  EXPECT_EQ(told[1].identity().site(), told[0].identity().site());
  EXPECT_EQ(told[1].started().account(), told[0].started().account());
}

TEST_F(AgentRestart, AProcessThatEndedMeanwhileEndsItsRun) {
  Program process({"/bin/sleep", "infinity"});
  serve();
  register_job(watched("run-1", process));
  const auto said_in_time = register_job(watched("run-2", process));
  const auto grace = std::exchange(options.jobs.end_grace, std::chrono::hours(1));
  restart([&] {
    process.signal(SIGKILL);
    EXPECT_TRUE(process.wait().has_value());
  });
  EXPECT_EQ(complete(said_in_time).status, 202U) << "what was on its way still counts";
  options.jobs.end_grace = grace;
  restart();
  const auto end = end_of("run-1");
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(end->error(), "the job's process ended without a Completed event while the agent was away");
  EXPECT_EQ(end_of("run-2")->result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_TRUE(shows("runfold_agent_job_ends_total{end=\"process_ended\"} 1"));
}

TEST_F(AgentRestart, WhatIsUnderWayWhenItStopsIsLeftToTheNextOne) {
  serve();
  const auto job = register_job(R"({"connector":"one","run_id":"run-1"})");
  const std::vector<std::pair<std::string, std::string>> requests{{"POST /v1/jobs", R"({"connector":"two","run_id":"run-2"})"},
                                                                  {"POST /v1/job/log", R"({"message":"m"})"},
                                                                  {"POST /v1/events", R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})"},
                                                                  {"DELETE /v1/jobs/run-1", " "}};
  std::vector<RawSocket> clients;
  for (const auto& [line, body] : requests) clients.push_back(begin(line, line == "POST /v1/jobs" ? options.token : job.token, body));
  begin_to_stop();
  EXPECT_TRUE(promises_its_jobs());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].send(requests[i].second);
    const auto response = clients[i].response();
    EXPECT_EQ(response.status, 503) << requests[i].first;
    EXPECT_NE(response.body.find("the next one answers"), std::string::npos) << response.body;
  }
  restart();
  EXPECT_FALSE(has_ended("run-1"));
  EXPECT_EQ(complete(job).status, 202U);
  EXPECT_EQ(end_of("run-1")->result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_TRUE(events("run-2").empty());
}

TEST_F(AgentRestart, AJobThatNoDiskTookIsNotPromisedAndMayEndWhileTheAgentStops) {
  serve();
  std::filesystem::remove_all(spool.path());
  std::ofstream(spool.path()) << "a file in the folder's place";
  const auto job = register_job(R"({"connector":"one","run_id":"run-1"})");
  const std::string end = R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})";
  RawSocket client = begin("POST /v1/events", job.token, end);
  begin_to_stop();
  EXPECT_FALSE(promises_its_jobs());
  client.send(end);
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(end_of("run-1")->result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(AgentRestart, WhatHasLeftIsNotTakenUp) {
  serve();
  const auto completed = register_job(R"({"connector":"one","run_id":"run-1"})");
  register_job(R"({"connector":"two","run_id":"run-2"})");
  register_job(R"({"connector":"three","run_id":"run-3"})");
  const auto higher = register_job(R"({"connector":"three","run_id":"run-3","attempt":2})");
  EXPECT_EQ(complete(completed).status, 202U);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/run-2", options.token).status, 200U);
  restart();
  EXPECT_TRUE(shows("runfold_agent_jobs 1"));
  EXPECT_EQ(complete(completed).status, 401U);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/run-3", higher.token).status, 200U) << "its own token may cancel it here too";
  restart();
  EXPECT_TRUE(shows("runfold_agent_jobs 0"));
}

TEST_F(AgentRestart, NoTokenAndNoSecretComesToTheDisk) {
  ASSERT_TRUE(settings.redactor->add("hunter2-the-secret"));
  serve();
  const auto job = register_job(R"({"connector":"invoices","account":"hunter2-the-secret","run_id":"of hunter2-the-secret"})");
  EXPECT_EQ(log(job, "with " + job.token).status, 202U);
  const auto written = all_on_disk();
  EXPECT_NE(written.find(".jobs"), std::string::npos);
  EXPECT_NE(written.find("\"connector\":\"invoices\""), std::string::npos);
  EXPECT_EQ(written.find(job.token), std::string::npos);
  EXPECT_EQ(written.find(options.token), std::string::npos);
  EXPECT_EQ(written.find("hunter2"), std::string::npos);
  restart();
  EXPECT_EQ(complete(job).status, 202U) << "though its run has another name than it asked for";
  EXPECT_EQ(events(job.run_id).front().identity().run_id(), job.run_id);
}

TEST_F(AgentRestart, MoreJobsThanAreTakenNowStillGoOn) {
  serve();
  const auto one = register_job(R"({"connector":"one"})");
  register_job(R"({"connector":"two"})");
  options.jobs.jobs = 1;
  restart();
  EXPECT_EQ(ask("GET", "/readyz", "").status, 503U);
  EXPECT_EQ(complete(one).status, 202U);
  EXPECT_EQ(try_to_register(R"({"connector":"three"})").status, 503U);
}

TEST_F(AgentRestart, OneOnAnyFreePortLeavesNothingThatNobodyWouldFind) {
  options.listen = "127.0.0.1:0";
  serve();
  const auto job = register_job(R"({"connector":"one"})");
  EXPECT_EQ(all_on_disk().find(".jobs"), std::string::npos);
  restart();
  EXPECT_EQ(log(job, "after").status, 401U);
}

TEST_F(AgentRestart, ADamagedFileStopsNothing) {
  serve();
  const auto job = register_job(R"({"connector":"one"})");
  restart([&] {
    for (const auto& entry : std::filesystem::directory_iterator(spool.path())) {
      if (entry.path().extension() == ".jobs") std::ofstream(entry.path()) << "not this agent's";
    }
  });
  EXPECT_EQ(log(job, "unknown now").status, 401U);
  register_job(R"({"connector":"two"})");
}

}  // namespace
}  // namespace runfold::agent
