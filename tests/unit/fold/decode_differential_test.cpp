// The decoder against the generated parser: the same values from valid bytes, and nothing accepted that it refuses.
#include "collector/decode.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "tests/support/random_messages.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <string>
#include <variant>

namespace runfold::collector {
namespace {

constexpr std::uint64_t kSeed = 20260516;
constexpr int kRounds = 5'000;

void set(google::protobuf::Timestamp& out, TimeNs at_ns) {
  out.set_seconds(at_ns / 1'000'000'000);
  out.set_nanos(static_cast<std::int32_t>(at_ns % 1'000'000'000));
}
void set(google::protobuf::Duration& out, DurationNs ns) {
  out.set_seconds(ns / 1'000'000'000);
  out.set_nanos(static_cast<std::int32_t>(ns % 1'000'000'000));
}

void write(const IdentityView& view, v1::RunIdentity& out) {
  out.set_run_id(std::string(view.run_id));
  out.set_connector_id(std::string(view.connector_id));
  out.set_version(std::string(view.version));
  out.set_site(std::string(view.site));
  out.set_attempt(view.attempt);
  out.set_source_id(std::string(view.source_id));
}
void write(const TraceView& view, v1::TraceContext& out) {
  out.set_traceparent(std::string(view.traceparent));
  out.set_tracestate(std::string(view.tracestate));
}
void write(const StartedView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_started();
  if (view.heartbeat_interval_ns) set(*out.mutable_heartbeat_interval(), *view.heartbeat_interval_ns);
  if (view.os_pid) out.set_os_pid(*view.os_pid);
  out.set_host(std::string(view.host));
  out.set_account(std::string(view.account));
}
void write(const StepStartedView& view, v1::SyncEvent& event) {
  event.mutable_step_started()->set_step_id(std::string(view.step_id));
  event.mutable_step_started()->set_step_attempt(view.step_attempt);
}
void write(const StepCompletedView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_step_completed();
  out.set_step_id(std::string(view.step_id));
  out.set_step_attempt(view.step_attempt);
  if (view.entities) out.set_entities(*view.entities);
  if (view.relationships) out.set_relationships(*view.relationships);
  if (view.duration_ns) set(*out.mutable_duration(), *view.duration_ns);
}
void write(const StepFailedView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_step_failed();
  out.set_step_id(std::string(view.step_id));
  out.set_step_attempt(view.step_attempt);
  out.set_error(std::string(view.error));
  if (view.duration_ns) set(*out.mutable_duration(), *view.duration_ns);
}
void write(const TopicTotalsView& view, v1::Topic topic, v1::Completed& completed) {
  auto& out = *completed.add_totals();
  out.set_topic(topic);
  out.set_emitted(view.emitted);
  out.set_last_sequence(view.last_sequence);
  for (std::size_t why = 0; why < view.drops.size(); ++why) {
    if (view.drops[why] == 0) continue;
    out.add_drops()->set_reason(static_cast<v1::DropReason>(why));
    out.mutable_drops()->rbegin()->set_records(view.drops[why]);
  }
}
void write(const CompletedView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_completed();
  out.set_result(static_cast<v1::RunResult>(view.result));
  if (view.exit_code) out.set_exit_code(*view.exit_code);
  if (view.signal) out.set_signal(*view.signal);
  out.set_error(std::string(view.error));
  if (view.duration_ns) set(*out.mutable_duration(), *view.duration_ns);
  if (view.events_totals) write(*view.events_totals, v1::TOPIC_EVENTS, out);
  if (view.logs_totals) write(*view.logs_totals, v1::TOPIC_LOGS, out);
}
void write(const HeartbeatView&, v1::SyncEvent& event) {
  event.mutable_heartbeat();
}
void write(const ProgressView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_progress();
  out.set_step_id(std::string(view.step_id));
  out.set_done(view.done);
  if (view.total) out.set_total(*view.total);
  out.set_message(std::string(view.message));
}
void write(const StatsCommittedView& view, v1::SyncEvent& event) {
  auto& out = *event.mutable_stats_committed()->mutable_stats();
  if (view.entities_created) out.set_entities_created(*view.entities_created);
  if (view.entities_updated) out.set_entities_updated(*view.entities_updated);
  if (view.entities_deleted) out.set_entities_deleted(*view.entities_deleted);
  if (view.relationships_created) out.set_relationships_created(*view.relationships_created);
  if (view.relationships_updated) out.set_relationships_updated(*view.relationships_updated);
  if (view.relationships_deleted) out.set_relationships_deleted(*view.relationships_deleted);
}

v1::SyncEvent message_of(const EventView& view) {
  v1::SyncEvent event;
  write(view.identity, *event.mutable_identity());
  event.set_sequence(view.sequence);
  if (view.occurred_at_ns) set(*event.mutable_occurred_at(), *view.occurred_at_ns);
  if (view.trace) write(*view.trace, *event.mutable_trace());
  std::visit([&](const auto& variant) { write(variant, event); }, view.event);
  return event;
}

/// The message with what the contract says of it applied: 0 read as 1, one total a topic, no unknown fields.
void normalise(v1::SyncEvent& event) {
  event.DiscardUnknownFields();
  event.mutable_identity();
  const auto at_least_one = [](auto* step) {
    if (step->step_attempt() == 0) step->set_step_attempt(1);
  };
  if (event.has_step_started()) at_least_one(event.mutable_step_started());
  if (event.has_step_completed()) at_least_one(event.mutable_step_completed());
  if (event.has_step_failed()) at_least_one(event.mutable_step_failed());
  if (event.has_stats_committed()) event.mutable_stats_committed()->mutable_stats();
  if (!event.has_completed()) return;
  const v1::Completed before = event.completed();
  event.mutable_completed()->clear_totals();
  for (const v1::Topic topic : {v1::TOPIC_EVENTS, v1::TOPIC_LOGS}) {
    const v1::TopicTotals* last = nullptr;
    for (const auto& totals : before.totals()) {
      if (totals.topic() == topic) last = &totals;
    }
    if (last == nullptr) continue;
    TopicTotalsView view{last->emitted(), last->last_sequence(), {}};
    for (const auto& drop : last->drops()) {
      auto& sum = view.drops[v1::DropReason_IsValid(drop.reason()) ? drop.reason() : 0];
      sum = drop.records() > std::numeric_limits<std::uint64_t>::max() - sum ? std::numeric_limits<std::uint64_t>::max()
                                                                             : sum + drop.records();
    }
    write(view, topic, *event.mutable_completed());
  }
}

v1::LogBatch message_of(const LogBatchView& view) {
  v1::LogBatch batch;
  write(view.identity, *batch.mutable_identity());
  batch.set_first_sequence(view.first_sequence);
  if (view.trace) write(*view.trace, *batch.mutable_trace());
  for (const LogRecordView& record : view.records) {
    auto& out = *batch.add_records();
    if (record.logged_at_ns) set(*out.mutable_logged_at(), *record.logged_at_ns);
    out.set_severity(static_cast<v1::Severity>(record.severity + 1));
    out.set_stream(static_cast<v1::LogStream>(record.stream));
    out.set_message(std::string(record.message));
    out.set_step_id(std::string(record.step_id));
    out.set_detail_json(std::string(record.detail_json));
    out.set_raw(std::string(record.raw));
    out.set_partial(record.partial);
    out.set_truncated(record.truncated);
    const ApiCallView* call = view.api_call(record);
    if (call == nullptr) continue;
    auto& call_out = *out.mutable_api_call();
    call_out.set_method(std::string(call->method));
    call_out.set_request_uri(std::string(call->request_uri));
    if (call->response_code) call_out.set_response_code(*call->response_code);
    call_out.set_response_body(std::string(call->response_body));
    call_out.set_response_body_truncated(call->response_body_truncated);
    if (call->duration_ns) set(*call_out.mutable_duration(), *call->duration_ns);
    call_out.set_transport_error(std::string(call->transport_error));
  }
  return batch;
}

void normalise(v1::LogBatch& batch) {
  batch.DiscardUnknownFields();
  batch.mutable_identity();
  for (auto& record : *batch.mutable_records()) {
    if (record.severity() == v1::SEVERITY_UNSPECIFIED || !v1::Severity_IsValid(record.severity())) record.set_severity(v1::SEVERITY_INFO);
    if (record.stream() == v1::LOG_STREAM_UNSPECIFIED || !v1::LogStream_IsValid(record.stream())) {
      record.set_stream(v1::LOG_STREAM_APPLICATION);
    }
  }
}

v1::Operation message_of(const OperationView& view) {
  v1::Operation operation;
  operation.set_operation_id(std::string(view.operation_id));
  operation.set_status(std::string(view.status));
  operation.set_name(std::string(view.name));
  operation.set_owner_id(std::string(view.owner_id));
  operation.set_connector_id(std::string(view.connector_id));
  if (view.created_at_ns) set(*operation.mutable_created_at(), *view.created_at_ns);
  if (view.updated_at_ns) set(*operation.mutable_updated_at(), *view.updated_at_ns);
  operation.set_error(std::string(view.error));
  operation.set_version(std::string(view.version));
  return operation;
}

/// Bytes in memory of exactly their size, so that the address sanitizer sees a read beyond them.
class Exact {
 public:
  explicit Exact(const std::string& bytes) : bytes_(bytes.begin(), bytes.end()) { bytes_.shrink_to_fit(); }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

::testing::AssertionResult same(const google::protobuf::Message& expected, const google::protobuf::Message& actual) {
  if (google::protobuf::util::MessageDifferencer::Equals(expected, actual)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "expected " << expected.DebugString() << "\nbut got " << actual.DebugString();
}

/// Returns whether it was accepted.
bool expect_as_generated_event(const std::string& bytes) {
  const Exact exact(bytes);
  const auto view = decode_event(exact.view());
  if (!view) return false;
  v1::SyncEvent parsed;
  EXPECT_TRUE(parsed.ParseFromString(bytes));
  normalise(parsed);
  EXPECT_TRUE(same(parsed, message_of(*view)));
  return true;
}

bool expect_as_generated_batch(const std::string& bytes, LogBatchView& view) {
  const Exact exact(bytes);
  if (!decode_log_batch(exact.view(), view)) return false;
  v1::LogBatch parsed;
  EXPECT_TRUE(parsed.ParseFromString(bytes));
  normalise(parsed);
  EXPECT_TRUE(same(parsed, message_of(view)));
  return true;
}

bool expect_as_generated_operation(const std::string& key, const std::string& bytes) {
  const Exact exact(bytes);
  const auto view = decode_operation(key, exact.view());
  if (!view) return false;
  v1::Operation parsed;
  EXPECT_TRUE(parsed.ParseFromString(bytes));
  parsed.DiscardUnknownFields();
  EXPECT_TRUE(same(parsed, message_of(*view)));
  return true;
}

v1::SyncEvent random_event(test::RandomMessages& random) {
  v1::SyncEvent event;
  random.fill(event);
  const auto& variant = *event.GetDescriptor()->FindFieldByNumber(static_cast<int>(10 + random.below(8)));
  event.GetReflection()->ClearField(&event, &variant);
  random.fill(*event.GetReflection()->MutableMessage(&event, &variant));
  if (event.identity().run_id().empty()) event.mutable_identity()->set_run_id("r");
  const auto name = [](auto* step) {
    if (step->step_id().empty()) step->set_step_id("s");
  };
  if (event.has_step_started()) name(event.mutable_step_started());
  if (event.has_step_completed()) name(event.mutable_step_completed());
  if (event.has_step_failed()) name(event.mutable_step_failed());
  return event;
}

v1::LogBatch random_batch(test::RandomMessages& random) {
  v1::LogBatch batch;
  random.fill(batch);
  if (batch.identity().run_id().empty()) batch.mutable_identity()->set_run_id("r");
  return batch;
}

TEST(DecodeDifferential, ValidEventsGiveTheValuesThatTheGeneratedParserGives) {
  test::RandomMessages random(kSeed);
  std::array<int, 18> seen{};
  for (int round = 0; round < kRounds; ++round) {
    const v1::SyncEvent event = random_event(random);
    ++seen[event.event_case()];
    ASSERT_TRUE(expect_as_generated_event(event.SerializeAsString())) << event.DebugString();
  }
  for (int number = 10; number <= 17; ++number) EXPECT_GT(seen[number], 100) << "variant " << number << " was hardly tried";
}

TEST(DecodeDifferential, EventsThatComeInPiecesAreMergedAsTheGeneratedParserMergesThem) {
  test::RandomMessages random(kSeed + 1);
  for (int round = 0; round < kRounds; ++round) {
    // Half and half may leave the numbers of a time with different signs, or its sums out of range: those are refused.
    const v1::SyncEvent first = random_event(random);
    v1::SyncEvent second = random_event(random);
    if (random.one_in(2)) second = first;
    if (second.identity().attempt() % 2 == 0) second.clear_identity();
    expect_as_generated_event(first.SerializeAsString() + second.SerializeAsString());
  }
}

TEST(DecodeDifferential, DamagedEventsAreRefusedOrReadAsTheGeneratedParserReadsThem) {
  test::RandomMessages random(kSeed + 2);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round)
    accepted += expect_as_generated_event(random.damaged(random_event(random).SerializeAsString()));
  EXPECT_GT(accepted, kRounds / 20);
  EXPECT_LT(accepted, kRounds * 19 / 20);
}

TEST(DecodeDifferential, ValidBatchesGiveTheValuesThatTheGeneratedParserGives) {
  test::RandomMessages random(kSeed + 3);
  LogBatchView view;
  for (int round = 0; round < kRounds; ++round) {
    const v1::LogBatch batch = random_batch(random);
    ASSERT_TRUE(expect_as_generated_batch(batch.SerializeAsString(), view)) << batch.DebugString();
  }
}

TEST(DecodeDifferential, ARecordsBytesAreTheRecordAsItWasSerialized) {
  test::RandomMessages random(kSeed + 4);
  LogBatchView view;
  for (int round = 0; round < 1000; ++round) {
    const v1::LogBatch batch = random_batch(random);
    const std::string bytes = batch.SerializeAsString();
    ASSERT_TRUE(decode_log_batch(bytes, view));
    ASSERT_EQ(view.records.size(), static_cast<std::size_t>(batch.records_size()));
    for (int i = 0; i < batch.records_size(); ++i) {
      EXPECT_EQ(view.records[static_cast<std::size_t>(i)].bytes, batch.records(i).SerializeAsString());
    }
  }
}

TEST(DecodeDifferential, DamagedBatchesAreRefusedOrReadAsTheGeneratedParserReadsThem) {
  test::RandomMessages random(kSeed + 5);
  LogBatchView view;
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    accepted += expect_as_generated_batch(random.damaged(random_batch(random).SerializeAsString()), view);
  }
  EXPECT_GT(accepted, kRounds / 20);
  EXPECT_LT(accepted, kRounds * 19 / 20);
}

TEST(DecodeDifferential, OperationsValidOrDamagedAreReadAsTheGeneratedParserReadsThem) {
  test::RandomMessages random(kSeed + 6);
  for (int round = 0; round < kRounds; ++round) {
    v1::Operation operation;
    random.fill(operation);
    if (operation.operation_id().empty()) operation.set_operation_id("op");
    const std::string bytes = operation.SerializeAsString();
    ASSERT_TRUE(expect_as_generated_operation(operation.operation_id(), bytes)) << operation.DebugString();
    expect_as_generated_operation(operation.operation_id(), random.damaged(bytes));
  }
}

TEST(DecodeDifferential, BytesAtRandomNeverDoHarm) {
  test::RandomMessages random(kSeed + 7);
  LogBatchView view;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes(random.below(60), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    expect_as_generated_event(bytes);
    expect_as_generated_batch(bytes, view);
    expect_as_generated_operation("op", bytes);
  }
}

}  // namespace
}  // namespace runfold::collector
