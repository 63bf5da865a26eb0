// The life of jobs at an agent: registration, what they say, and how they leave.
#include "tests/support/program.hpp"
#include "tests/unit/agent/agent_rig.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>

namespace runfold::agent {
namespace {

using runfold::test::Program;
using runfold::test::wait_until;
using std::chrono::milliseconds;
using test::member_of;

class AgentJobs : public test::AgentTest {};

TEST_F(AgentJobs, AJobGetsARunOfItsOwnAndEndsIt) {
  serve();
  const auto job = register_job(R"({"connector":"invoices","version":"2.1","site":"acme","account":"a-7","run_id":"run-1","attempt":2,
                                    "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})");
  EXPECT_EQ(job.run_id, "run-1");
  EXPECT_EQ(log(job, "Fetched 42 invoices").body, R"({"accepted":1})");
  EXPECT_EQ(post("/v1/events", job.token, R"([{"started":{}},{"stepStarted":{"stepId":"read"}},
                                              {"stepCompleted":{"stepId":"read","entities":42}}])")
                .status,
            202U);
  EXPECT_EQ(complete(job).status, 202U);
  stop();

  const auto told = events("run-1");
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].identity().connector_id(), "invoices");
  EXPECT_EQ(told[0].identity().version(), "2.1");
  EXPECT_EQ(told[0].identity().site(), "acme");
  EXPECT_EQ(told[0].identity().attempt(), 2U);
  EXPECT_EQ(told[0].started().account(), "a-7");
  EXPECT_FALSE(told[0].started().has_os_pid());
  EXPECT_FALSE(told[0].started().has_heartbeat_interval()) << "nobody promised any";
  EXPECT_EQ(told[0].trace().traceparent(), std::string(job.answer.at("traceparent").as_string()));
  EXPECT_NE(told[0].trace().traceparent().find("0af7651916cd43dd8448eb211c80319c"), std::string::npos);
  EXPECT_EQ(told[2].step_completed().entities(), 42U);
  EXPECT_EQ(told[3].completed().result(), v1::RUN_RESULT_SUCCESS);
  ASSERT_EQ(told[3].completed().totals_size(), 2);
  EXPECT_EQ(told[3].completed().totals(0).emitted(), 4U);
  EXPECT_EQ(told[3].completed().totals(1).emitted(), 1U);
  EXPECT_EQ(messages("run-1"), std::vector<std::string>{"Fetched 42 invoices"});
}

TEST_F(AgentJobs, AJobThatNamesNothingButItsConnectorGetsTheRest) {
  ::setenv("RUNFOLD_RUN_ID", "the-agents-own", 1);
  ::setenv("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01", 1);
  serve();
  const auto one = register_job(R"({"connector":"invoices"})");
  const auto other = register_job(R"({"connector":"invoices"})");
  ::unsetenv("RUNFOLD_RUN_ID");
  ::unsetenv("TRACEPARENT");
  EXPECT_EQ(one.run_id.size(), 36U);
  EXPECT_NE(one.run_id, other.run_id);
  EXPECT_NE(one.token, other.token);
  EXPECT_EQ(one.answer.at("traceparent").as_string().find("1111111111111111"), std::string::npos) << "the agent's trace is not the job's";
  const auto& environment = one.answer.at("environment").as_object();
  EXPECT_EQ(environment.at("RUNFOLD_INTAKE_URL"), one.answer.at("intake_url"));
  EXPECT_EQ(environment.at("RUNFOLD_INTAKE_TOKEN"), one.answer.at("token"));
  EXPECT_EQ(environment.at("RUNFOLD_RUN_ID"), one.answer.at("run_id"));
  EXPECT_EQ(environment.at("RUNFOLD_AGENT_RUN"), one.answer.at("run_id")) << "an SDK in the job leaves Started and Completed to the agent";
  EXPECT_EQ(environment.at("TRACEPARENT"), one.answer.at("traceparent"));
  EXPECT_FALSE(environment.contains("RUNFOLD_SITE"));
}

TEST_F(AgentJobs, OneJobsTokenDoesNotReachAnothersRun) {
  serve();
  const auto one = register_job(R"({"connector":"one","run_id":"run-1"})");
  const auto other = register_job(R"({"connector":"other","run_id":"run-2"})");
  EXPECT_EQ(log(one, "of one").status, 202U);
  const auto refused = post("/v1/events", one.token, R"([{"heartbeat":{}},{"identity":{"runId":"run-2"},"heartbeat":{}}])");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(member_of(refused), "/1/identity/runId");
  EXPECT_EQ(ask("DELETE", "/v1/jobs/run-2", one.token).status, 401U);
  EXPECT_EQ(post("/v1/jobs", one.token, R"({"connector":"three"})").status, 401U);
  EXPECT_EQ(log({"run-1", options.token, {}}, "the agent's token is no job's").status, 401U);
  EXPECT_EQ(complete(one).status, 202U);
  EXPECT_EQ(log(other, "of other").status, 202U) << "it goes on";
  EXPECT_EQ(complete(other).status, 202U);
  stop();
  EXPECT_EQ(messages("run-1"), std::vector<std::string>{"of one"});
  EXPECT_EQ(messages("run-2"), std::vector<std::string>{"of other"});
  EXPECT_EQ(events("run-2").size(), 2U);
}

TEST_F(AgentJobs, TheTokenOfARunThatHasEndedIsRefusedAsSuch) {
  serve();
  const auto job = register_job(R"({"connector":"invoices","run_id":"run-1"})");
  const auto body =
      R"([{"completed":{"result":"RUN_RESULT_FAILURE","error":"no invoices"}},{"stepFailed":{"stepId":"read","error":"none"}}])";
  EXPECT_EQ(post("/v1/events", job.token, body).body, R"({"accepted":2})");
  for (const auto& late : {log(job, "late"), complete(job)}) {
    EXPECT_EQ(late.status, 410U);
    EXPECT_EQ(member_of(late), "");
  }
  EXPECT_TRUE(shows("runfold_agent_jobs 0"));
  EXPECT_TRUE(shows("runfold_agent_job_ends_total{end=\"completed\"} 1"));
  stop();
  const auto told = events("run-1");
  ASSERT_EQ(told.size(), 3U);
  EXPECT_TRUE(told[1].has_step_failed()) << "what came with the Completed comes before it";
  EXPECT_EQ(told[2].completed().error(), "no invoices");
}

TEST_F(AgentJobs, WhileItsProcessLivesARunHasHeartbeatsAndOneThatEndsInSilenceIsAnError) {
  settings.heartbeat_interval = milliseconds(5);
  serve();
  Program process({"/bin/sleep", "infinity"});
  const auto silent = register_job(R"({"connector":"silent"})");
  const auto job = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(process.pid()) + "}");
  const auto heartbeats = [&](const std::string& run_id) {
    const auto all = events(run_id);
    return std::count_if(all.begin(), all.end(), [](const auto& event) { return event.has_heartbeat(); });
  };
  EXPECT_TRUE(wait_until([&] { return heartbeats(job.run_id) >= 3; }));
  EXPECT_EQ(log(job, "still here").status, 202U);
  process.signal(SIGKILL);
  const auto end = end_of(job.run_id);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(end->error(), "the job's process ended without a Completed event");
  EXPECT_FALSE(end->has_exit_code()) << "nobody knows it";
  EXPECT_EQ(log(job, "late").status, 410U);
  EXPECT_TRUE(shows("runfold_agent_job_ends_total{end=\"process_ended\"} 1"));
  EXPECT_EQ(events(job.run_id).front().started().os_pid(), static_cast<std::uint64_t>(process.pid()));
  EXPECT_TRUE(events(job.run_id).front().started().has_heartbeat_interval());
  EXPECT_EQ(heartbeats(silent.run_id), 0) << "nobody knows whether it lives";
}

TEST_F(AgentJobs, AProcessThatEndsAfterItsCompletedChangesNothing) {
  serve();
  Program process({"/bin/sleep", "infinity"});
  Program other({"/bin/sleep", "infinity"});
  const auto job = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(process.pid()) + "}");
  const auto watched = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(other.pid()) + "}");
  EXPECT_EQ(complete(job).status, 202U);
  process.signal(SIGKILL);
  other.signal(SIGKILL);
  EXPECT_TRUE(end_of(watched.run_id).has_value());
  stop();
  const auto told = events(job.run_id);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(AgentJobs, WhatAJobSentBeforeItsProcessEndedStillCounts) {
  options.jobs.end_grace = std::chrono::hours(1);
  serve();
  Program process({"/bin/sleep", "infinity"});
  const auto job = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(process.pid()) + "}");
  process.signal(SIGKILL);
  ASSERT_TRUE(process.wait().has_value());
  EXPECT_EQ(complete(job).status, 202U) << "its own words had been on their way";
  EXPECT_EQ(end_of(job.run_id)->result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(AgentJobs, AProcessThatIsNotThereCannotBeWatched) {
  serve();
  Program gone({"/bin/true"});
  ASSERT_TRUE(gone.wait().has_value());
  const auto refused = try_to_register(R"({"connector":"watched","os_pid":)" + std::to_string(gone.pid()) + "}");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(member_of(refused), "/os_pid");
  EXPECT_TRUE(shows("runfold_agent_jobs 0"));
}

TEST_F(AgentJobs, MoreThanTheLimitAreRefusedUntilOneHasEnded) {
  options.jobs.jobs = 2;
  serve();
  const auto one = register_job(R"({"connector":"one"})");
  EXPECT_EQ(ask("GET", "/readyz", "").status, 200U);
  register_job(R"({"connector":"two"})");
  const auto refused = try_to_register(R"({"connector":"three"})");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(member_of(refused), "");
  EXPECT_EQ(ask("GET", "/readyz", "").status, 503U);
  EXPECT_EQ(ask("GET", "/livez", "").status, 200U);
  EXPECT_EQ(complete(one).status, 202U);
  EXPECT_EQ(ask("GET", "/readyz", "").status, 200U);
  register_job(R"({"connector":"three"})");
}

TEST_F(AgentJobs, ARunIsRegisteredOnceAndAHigherAttemptTakesItsPlace) {
  options.jobs.jobs = 1;
  serve();
  const auto first = register_job(R"({"connector":"invoices","run_id":"run-1"})");
  const auto refused = try_to_register(R"({"connector":"invoices","run_id":"run-1"})");
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(member_of(refused), "/run_id");
  const auto second = register_job(R"({"connector":"invoices","run_id":"run-1","attempt":2})");
  EXPECT_EQ(log(first, "late").status, 410U);
  EXPECT_EQ(complete(second).status, 202U);
  stop();
  const auto told = events("run-1");
  ASSERT_EQ(told.size(), 3U);
  EXPECT_TRUE(told[1].has_started());
  EXPECT_EQ(told[1].identity().attempt(), 2U);
  EXPECT_EQ(told[2].identity().attempt(), 2U) << "how the first attempt ended, nobody knows";
}

TEST_F(AgentJobs, OneThatSaysNothingForTooLongIsLetGoAndItsEndIsNotInvented) {
  options.jobs.idle = milliseconds(20);
  serve();
  const auto job = register_job(R"({"connector":"invoices","heartbeat":30})");
  const auto watched = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(::getpid()) + "}");
  EXPECT_TRUE(wait_until([&] { return shows("runfold_agent_job_ends_total{end=\"expired\"} 1"); }));
  EXPECT_EQ(log(job, "too late").status, 410U);
  EXPECT_EQ(log(watched, "its process lives").status, 202U);
  stop();
  ASSERT_EQ(events(job.run_id).size(), 1U);
  EXPECT_EQ(events(job.run_id)[0].started().heartbeat_interval().seconds(), 30) << "what the job itself promised";
}

TEST_F(AgentJobs, AJobIsCancelledByTheAgentsTokenOrItsOwn) {
  serve();
  const auto one = register_job(R"({"connector":"one","run_id":"a run/1"})");
  const auto two = register_job(R"({"connector":"two"})");
  EXPECT_EQ(ask("DELETE", "/v1/jobs/" + two.run_id, "").status, 401U);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/a%20run%2F1", options.token).status, 200U);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/" + two.run_id, two.token).status, 200U);
  EXPECT_EQ(ask("DELETE", "/v1/jobs/" + two.run_id, options.token).status, 404U);
  EXPECT_EQ(log(one, "late").status, 410U);
  stop();
  EXPECT_EQ(events(one.run_id).back().completed().result(), v1::RUN_RESULT_CANCELLED);
  EXPECT_EQ(events(two.run_id).back().completed().result(), v1::RUN_RESULT_CANCELLED);
}

TEST_F(AgentJobs, RunsThatAreOpenWhenTheAgentStopsStayOpen) {
  serve();
  const auto job = register_job(R"({"connector":"invoices"})");
  const auto watched = register_job(R"({"connector":"watched","os_pid":)" + std::to_string(::getpid()) + "}");
  EXPECT_EQ(log(job, "last words").status, 202U);
  stop();
  EXPECT_EQ(messages(job.run_id), std::vector<std::string>{"last words"});
  EXPECT_FALSE(has_ended(job.run_id));
  EXPECT_FALSE(has_ended(watched.run_id));
}

}  // namespace
}  // namespace runfold::agent
