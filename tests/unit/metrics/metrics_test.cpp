// What /metrics shows, and when.
#include "collector/metrics.hpp"

#include "tests/support/promtool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace runfold::collector {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Counts one_finished_run(const std::string& connector) {
  Counts counts;
  auto& found = counts.connectors[connector];
  found.runs_started = 1;
  found.runs_finished[1] = 1;
  found.run_durations_s = {2.5};
  found.last_success_s = 1'790'000'000;
  found.steps_completed = 3;
  found.entities = 42;
  found.entities_created = 7;
  found.log_records[3][3] = 2;
  found.api_failures[4] = 1;
  counts.topics["runfold.events"] = {.records = 9, .bytes = 1440, .duplicates = 1};
  return counts;
}

TEST(Metrics, ShowWhatWasCommitted) {
  Metrics metrics(10);
  metrics.committed(one_finished_run("invoices"), milliseconds(3));
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("runfold_runs_finished_total{connector=\"invoices\",result=\"success\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_entities_emitted_total{connector=\"invoices\"} 42\n"));
  EXPECT_THAT(text, HasSubstr("runfold_entities_created_total{connector=\"invoices\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("runfold_log_records_total{connector=\"invoices\",severity=\"error\",stream=\"stderr\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("runfold_api_failures_total{code_class=\"4xx\",connector=\"invoices\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_run_duration_seconds_count{connector=\"invoices\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_records_total{topic=\"runfold.events\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_duplicates_total{topic=\"runfold.events\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_commit_duration_seconds_count 1\n"));
}

TEST(Metrics, ShowWhatStandsInTheStoreAndWhatRetentionRemoved) {
  Metrics metrics(10);
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_retention_removed_total{kind=\"runs\"} 0\n"));
  metrics.removed("runs", 3);
  metrics.store_bytes("logs", 4096);
  metrics.retention_failed();
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_retention_removed_total{kind=\"runs\"} 3\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_store_bytes{kind=\"logs\"} 4096\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_retention_failures_total 1\n"));
}

TEST(Metrics, ShowEveryResultOfAConnectorFromItsFirstRun) {
  Metrics metrics(10);
  metrics.committed(one_finished_run("invoices"), milliseconds(1));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_runs_finished_total{connector=\"invoices\",result=\"failure\"} 0\n"));
}

TEST(Metrics, ShowNothingOfABatchBeforeItIsCommitted) {
  Metrics metrics(10);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("connector=")));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_collector_commit_duration_seconds_count 0\n"));
  metrics.commit_failed("the disk is full");
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_collector_commit_duration_seconds_count 0\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_collector_freshness_seconds_count 0\n"));
}

TEST(Metrics, ShowAtZeroWhatIsExpected) {
  Metrics metrics(10);
  const std::vector<std::string> topics{"runfold.events"}, sinks{"hook"};
  metrics.expect(topics, sinks);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("runfold_collector_records_total{topic=\"runfold.events\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_dead_letters_total{reason=\"malformed\",topic=\"runfold.events\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_dead_letters_total{reason=\"too_large\",topic=\"runfold.events\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("runfold_sink_deliveries_total{outcome=\"rejected\",sink=\"hook\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("runfold_sink_delivery_duration_seconds_count{sink=\"hook\"} 0\n"));
  metrics.dead_letter("runfold.events", "malformed");
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_collector_dead_letters_total{reason=\"malformed\",topic=\"runfold.events\"} 1\n"));
}

TEST(Metrics, MeasureFreshnessFromTheOldestEmission) {
  Metrics metrics(10);
  Counts counts;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  counts.oldest_emitted_ns = std::chrono::nanoseconds(now - std::chrono::hours(1)).count();
  metrics.committed(counts, milliseconds(1));
  counts.oldest_emitted_ns = std::chrono::nanoseconds(now + std::chrono::hours(1)).count();  // the producer's clock is ahead
  metrics.committed(counts, milliseconds(1));
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("runfold_collector_freshness_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_freshness_seconds_bucket{le=\"1800\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_freshness_seconds_bucket{le=\"7200\"} 2\n"));
}

TEST(Metrics, EscapeWhatStandsInLabels) {
  Metrics metrics(10);
  Counts counts;
  counts.connectors["a\"b\\c\nd"].runs_started = 1;
  metrics.committed(counts, milliseconds(1));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_runs_started_total{connector=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Metrics, ShowNoLastSuccessBeforeThereWasOne) {
  Metrics metrics(10);
  Counts counts;
  counts.connectors["invoices"].runs_started = 1;
  metrics.committed(counts, milliseconds(1));
  EXPECT_THAT(metrics.text(), Not(HasSubstr("runfold_run_last_success_timestamp_seconds{")));
}

TEST(Metrics, CountARunAsActiveFromItsStartToItsEnd) {
  Metrics metrics(10);
  metrics.set_running(std::vector<std::pair<std::string, std::uint64_t>>{{"invoices", 2}});
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_runs_active{connector=\"invoices\"} 2\n"));
  Counts counts;
  counts.connectors["invoices"].runs_active = -1;
  metrics.committed(counts, milliseconds(1));
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_runs_active{connector=\"invoices\"} 1\n"));
}

TEST(Metrics, GiveConnectorsBeyondTheLimitOneSharedSeries) {
  Metrics metrics(2);
  for (const char* connector : {"a", "b", "c", "d"}) metrics.committed(one_finished_run(connector), milliseconds(1));
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("runfold_entities_emitted_total{connector=\"b\"} 42\n"));
  EXPECT_THAT(text, HasSubstr("runfold_entities_emitted_total{connector=\"other\"} 84\n"));
  EXPECT_THAT(text, Not(HasSubstr("connector=\"c\"")));
}

TEST(Metrics, ForgetConnectorsThatWereIdleForADayAndRunNothing) {
  auto now = Metrics::Clock::time_point{};
  Metrics metrics(10, [&now] { return now; });
  metrics.committed(one_finished_run("idle"), milliseconds(1));
  Counts running;
  running.connectors["running"].runs_active = 1;
  metrics.committed(running, milliseconds(1));
  now += std::chrono::hours(25);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("connector=\"idle\""))) << "also while nothing is committed";
  metrics.committed(one_finished_run("busy"), milliseconds(1));
  const std::string text = metrics.text();
  EXPECT_THAT(text, Not(HasSubstr("connector=\"idle\"")));
  EXPECT_THAT(text, HasSubstr("runfold_runs_active{connector=\"running\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("connector=\"busy\""));
}

TEST(Metrics, ShowLagUntilThePartitionIsAnothers) {
  Metrics metrics(10);
  metrics.lag("runfold.events", 3, 17);
  EXPECT_THAT(metrics.text(), HasSubstr("runfold_collector_lag_records{partition=\"3\",topic=\"runfold.events\"} 17\n"));
  metrics.lag_gone("runfold.events", 3);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("runfold_collector_lag_records{")));
}

TEST(Metrics, CountDeliveriesAndDeadLettersByWhy) {
  Metrics metrics(10);
  metrics.delivered("hook", sinks::Outcome::kRetry, 0.2);
  metrics.backlog("hook", 5, milliseconds(1500));
  metrics.dead_letter("runfold.logs", "truncated");
  metrics.commit_failed("the disk is full");
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("runfold_sink_deliveries_total{outcome=\"retry\",sink=\"hook\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_outbox_records{sink=\"hook\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("runfold_outbox_oldest_age_seconds{sink=\"hook\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_dead_letters_total{reason=\"truncated\",topic=\"runfold.logs\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("runfold_collector_commit_failures_total 1\n"));
}

TEST(Metrics, ShowTheProcessUnderTheUsualNames) {
  Metrics metrics(10);
  const std::string text = metrics.text();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
                           "process_max_fds", "process_start_time_seconds"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + name + " ")) << name;
  }
  EXPECT_THAT(text, HasSubstr("runfold_build_info{version=\"" RUNFOLD_VERSION "\"} 1\n"));
}

TEST(Metrics, MayBeReadWhileTheyAreCounted) {
  Metrics metrics(3);
  std::jthread writer([&metrics] {
    for (int i = 0; i < 500; ++i) {
      metrics.committed(one_finished_run("connector-" + std::to_string(i % 7)), milliseconds(1));
      metrics.lag("runfold.events", i % 4, i);
      metrics.lag_gone("runfold.events", (i + 1) % 4);
      metrics.delivered("hook", sinks::Outcome::kDelivered, 0.01);
    }
  });
  std::size_t bytes = 0;
  for (int i = 0; i < 50; ++i) bytes += metrics.text().size();
  EXPECT_GT(bytes, 0U);
}

TEST(Metrics, SatisfyPromtool) {
  Metrics metrics(10);
  metrics.committed(one_finished_run("invoices"), milliseconds(3));
  metrics.lag("runfold.events", 0, 1);
  metrics.delivered("hook", sinks::Outcome::kDelivered, 0.2);
  metrics.backlog("hook", 0, milliseconds(0));
  metrics.dead_letter("runfold.logs", "truncated");
  runfold::test::check_with_promtool(metrics.text());
}

}  // namespace
}  // namespace runfold::collector
