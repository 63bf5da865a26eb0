// Decoding record by record: what is refused, why, and what is forgiven.
#include "collector/decode.hpp"

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>

namespace runfold::collector {
namespace {

using ::testing::HasSubstr;

v1::SyncEvent heartbeat() {
  v1::SyncEvent event;
  event.mutable_identity()->set_run_id("r-1");
  event.mutable_identity()->set_connector_id("invoices");
  event.set_sequence(1);
  event.mutable_heartbeat();
  return event;
}

v1::SyncEvent event_with(const std::function<void(v1::SyncEvent&)>& change) {
  v1::SyncEvent event = heartbeat();
  change(event);
  return event;
}

struct Refusal {
  const char* what;
  std::string value;
  DecodeErrc code;
};

/// A length-delimited field.
std::string field(std::uint32_t number, const std::string& bytes) {
  std::string out;
  out.push_back(static_cast<char>(number << 3 | 2));
  for (std::size_t size = bytes.size();; size >>= 7) {
    if (size < 0x80) {
      out.push_back(static_cast<char>(size));
      break;
    }
    out.push_back(static_cast<char>((size & 0x7f) | 0x80));
  }
  return out + bytes;
}

std::string identity() {
  return field(1, field(1, "r-1"));
}
constexpr char kHeartbeatTag = 15 << 3 | 2;
std::string whole_heartbeat() {
  return identity() + kHeartbeatTag + '\0';
}

std::vector<Refusal> refusals() {
  const std::string valid = heartbeat().SerializeAsString();
  return {
      {"no bytes", "", DecodeErrc::kEmpty},
      {"a field that runs past the end",
       whole_heartbeat() + std::string("\x0a\x20"
                                       "abc",
                                       5),
       DecodeErrc::kTruncated},
      {"a number that runs past the end", whole_heartbeat() + "\x10\x80", DecodeErrc::kTruncated},
      {"a tag that runs past the end", whole_heartbeat() + "\x80", DecodeErrc::kTruncated},
      {"a fixed64 that runs past the end",
       whole_heartbeat() + "\x11"
                           "1234567",
       DecodeErrc::kTruncated},
      {"a fixed32 that runs past the end",
       whole_heartbeat() + "\x15"
                           "123",
       DecodeErrc::kTruncated},
      {"a length of 2^63", whole_heartbeat() + "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", DecodeErrc::kTruncated},
      {"a number longer than ten bytes", whole_heartbeat() + "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", DecodeErrc::kMalformed},
      {"a number above 64 bits", whole_heartbeat() + "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", DecodeErrc::kMalformed},
      {"field number 0", whole_heartbeat() + std::string("\x00\x01", 2), DecodeErrc::kMalformed},
      {"a tag above 32 bits", whole_heartbeat() + "\xff\xff\xff\xff\x1f\x01", DecodeErrc::kMalformed},
      {"a group", whole_heartbeat() + "\x0b\x0c", DecodeErrc::kMalformed},
      {"the end of a group", whole_heartbeat() + "\x0c", DecodeErrc::kMalformed},
      {"wire type 6", whole_heartbeat() + "\x0e", DecodeErrc::kMalformed},
      {"wire type 7", whole_heartbeat() + "\x0f", DecodeErrc::kMalformed},
      {"no identity", std::string{kHeartbeatTag, '\0'}, DecodeErrc::kIdentity},
      {"an empty run_id", event_with([](auto& e) { e.mutable_identity()->set_run_id(""); }).SerializeAsString(), DecodeErrc::kIdentity},
      {"a run_id of 201 bytes", event_with([](auto& e) { e.mutable_identity()->set_run_id(std::string(201, 'x')); }).SerializeAsString(),
       DecodeErrc::kIdentity},
      {"a connector_id of 201 bytes",
       event_with([](auto& e) { e.mutable_identity()->set_connector_id(std::string(201, 'x')); }).SerializeAsString(),
       DecodeErrc::kIdentity},
      {"a source_id of 201 bytes",
       event_with([](auto& e) { e.mutable_identity()->set_source_id(std::string(201, 'x')); }).SerializeAsString(), DecodeErrc::kIdentity},
      {"a step without a name", event_with([](auto& e) { e.mutable_step_started(); }).SerializeAsString(), DecodeErrc::kIdentity},
      {"a step_id of 201 bytes",
       event_with([](auto& e) { e.mutable_step_failed()->set_step_id(std::string(201, 'x')); }).SerializeAsString(), DecodeErrc::kIdentity},
      {"no event", identity(), DecodeErrc::kNoEvent},
      {"an event of a later release", identity() + std::string("\x92\x01\x00", 3), DecodeErrc::kNoEvent},
      {"a time before 1970", event_with([](auto& e) { e.mutable_occurred_at()->set_seconds(-1); }).SerializeAsString(), DecodeErrc::kValue},
      {"a time after 2262", event_with([](auto& e) { e.mutable_occurred_at()->set_seconds(9'223'372'037); }).SerializeAsString(),
       DecodeErrc::kValue},
      {"negative nanoseconds of a time", event_with([](auto& e) { e.mutable_occurred_at()->set_nanos(-1); }).SerializeAsString(),
       DecodeErrc::kValue},
      {"a second's worth of nanoseconds",
       event_with([](auto& e) { e.mutable_occurred_at()->set_nanos(1'000'000'000); }).SerializeAsString(), DecodeErrc::kValue},
      {"a duration of 293 years",
       event_with([](auto& e) { e.mutable_completed()->mutable_duration()->set_seconds(9'246'297'600); }).SerializeAsString(),
       DecodeErrc::kValue},
      {"a duration of two signs", event_with([](auto& e) {
                                    e.mutable_completed()->mutable_duration()->set_seconds(1);
                                    e.mutable_completed()->mutable_duration()->set_nanos(-1);
                                  }).SerializeAsString(),
       DecodeErrc::kValue},
      {"a sequence above 2^62", event_with([](auto& e) { e.set_sequence((std::uint64_t{1} << 62) + 1); }).SerializeAsString(),
       DecodeErrc::kValue},
      {"a name that is not UTF-8", field(1, field(1, "r-\xff")) + kHeartbeatTag + '\0', DecodeErrc::kValue},
      {"an error text that is not UTF-8", identity() + field(14, field(4, "\xc3\x28")), DecodeErrc::kValue},
      {"more than 1000 fields",
       [] {
         std::string value = whole_heartbeat();
         for (int i = 0; i < 1000; ++i) value += std::string("\x10\x01", 2);
         return value;
       }(),
       DecodeErrc::kLimit},
  };
}

TEST(Decode, WhatCannotBeFoldedIsRefusedWithItsReason) {
  for (const Refusal& refusal : refusals()) {
    const auto result = decode_event(refusal.value);
    ASSERT_TRUE(result.has_error()) << refusal.what;
    EXPECT_EQ(result.error().code, refusal.code) << refusal.what << ": " << describe(result.error());
    EXPECT_LE(result.error().at_byte, refusal.value.size()) << refusal.what;
  }
}

TEST(Decode, EveryErrorHasAWordAndASentence) {
  EXPECT_EQ(reason(DecodeErrc::kEmpty), "empty");
  EXPECT_EQ(reason(DecodeErrc::kTruncated), "truncated");
  EXPECT_EQ(reason(DecodeErrc::kMalformed), "malformed");
  EXPECT_EQ(reason(DecodeErrc::kIdentity), "identity");
  EXPECT_EQ(reason(DecodeErrc::kNoEvent), "no_event");
  EXPECT_EQ(reason(DecodeErrc::kValue), "value");
  EXPECT_EQ(reason(DecodeErrc::kLimit), "limit");
  EXPECT_THAT(describe({DecodeErrc::kIdentity, 17}), HasSubstr("identity: run_id"));
  EXPECT_THAT(describe({DecodeErrc::kIdentity, 17}), HasSubstr("(at byte 17)"));
}

TEST(Decode, AnErrorSaysWhereTheTroubleStands) {
  const std::string value = whole_heartbeat() + "\x0e";
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().at_byte, value.size() - 1);
}

TEST(Decode, FieldsOfALaterReleaseAreSkipped) {
  const std::string later = std::string("\xf8\x07\x05", 3) + std::string("\xfa\x07\x03", 3) + "abc" + std::string("\xf9\x07", 2) +
                            "12345678" + std::string("\xfd\x07", 2) + "1234";
  const std::string value = later + heartbeat().SerializeAsString() + later;
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->identity.run_id, "r-1");
}

TEST(Decode, AKnownFieldOfAnotherWireTypeIsSkippedAsProtobufDoes) {
  const std::string value = whole_heartbeat() + std::string("\x08\x05\x12\x01x", 5);
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->identity.run_id, "r-1");
  EXPECT_EQ(result->sequence, 0U);
}

TEST(Decode, OfTwoScalarsTheLastHolds) {
  const std::string value = whole_heartbeat() + std::string("\x10\x05\x10\x07", 4);
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->sequence, 7U);
}

TEST(Decode, AttemptZeroIsReadAsOneInTheKey) {
  const std::string value = heartbeat().SerializeAsString();
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->key(), (RunKeyView{"r-1", 1}));
}

TEST(Decode, StepAttemptZeroIsReadAsOne) {
  const std::string value = event_with([](auto& e) { e.mutable_step_completed()->set_step_id("upload"); }).SerializeAsString();
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::get<StepCompletedView>(result->event).step_attempt, 1U);
  EXPECT_EQ(std::get<StepCompletedView>(result->event).entities, std::nullopt);
}

TEST(Decode, ADurationThatWentBackwardsIsHandedOnForTheFoldToJudge) {
  const std::string value = event_with([](auto& e) { e.mutable_completed()->mutable_duration()->set_seconds(-2); }).SerializeAsString();
  const auto result = decode_event(value);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::get<CompletedView>(result->event).duration_ns, -2'000'000'000);
}

TEST(Decode, TheFirstAndTheLastPossibleTimesAreRead) {
  const std::string first = event_with([](auto& e) { e.mutable_occurred_at(); }).SerializeAsString();
  EXPECT_EQ(decode_event(first)->occurred_at_ns, 0);
  const std::string last = event_with([](auto& e) {
                             e.mutable_occurred_at()->set_seconds(9'223'372'035);
                             e.mutable_occurred_at()->set_nanos(999'999'999);
                           }).SerializeAsString();
  EXPECT_EQ(decode_event(last)->occurred_at_ns, 9'223'372'035'999'999'999);
}

TEST(Decode, InvalidUtf8OfEveryKindIsRefused) {
  for (const std::string text : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                 "\xf5\x80\x80\x80", "\xff", "12345678\xc3", "\xe2\x82", "\xf0\x9f\x98"}) {
    const std::string value = field(1, field(1, "r") + field(3, text)) + kHeartbeatTag + '\0';
    const auto result = decode_event(value);
    ASSERT_TRUE(result.has_error()) << testing::PrintToString(text);
    EXPECT_EQ(result.error().code, DecodeErrc::kValue);
  }
}

v1::LogBatch batch_of(int records) {
  v1::LogBatch batch;
  batch.mutable_identity()->set_run_id("r-1");
  for (int i = 0; i < records; ++i) batch.add_records();
  return batch;
}

TEST(Decode, ABatchHoldsUpToTenThousandRecords) {
  LogBatchView view;
  EXPECT_TRUE(decode_log_batch(batch_of(10'000).SerializeAsString(), view).has_value());
  EXPECT_EQ(view.records.size(), 10'000U);
  const auto result = decode_log_batch(batch_of(10'001).SerializeAsString(), view);
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code, DecodeErrc::kLimit);
}

TEST(Decode, WhatABatchKeepsIsAtMost64TimesItsSize) {
  for (const int records : {1, 2, 63, 64, 65, 1000, 10'000}) {
    v1::LogBatch batch = batch_of(records);
    const std::string bare = batch.SerializeAsString();
    for (auto& record : *batch.mutable_records()) record.mutable_api_call();
    const std::string calls = batch.SerializeAsString();
    for (const std::string& value : {bare, calls}) {
      LogBatchView view;
      ASSERT_TRUE(decode_log_batch(value, view).has_value());
      EXPECT_LE(view.records.capacity() * sizeof(LogRecordView), 64 * value.size()) << records;
      EXPECT_LE(view.api_calls.capacity() * sizeof(ApiCallView), 64 * value.size()) << records;
    }
  }
}

TEST(Decode, ARefusedBatchNamesItsReason) {
  LogBatchView view;
  EXPECT_EQ(decode_log_batch("", view).error().code, DecodeErrc::kEmpty);
  EXPECT_EQ(decode_log_batch(v1::LogBatch().SerializeAsString() + field(4, ""), view).error().code, DecodeErrc::kIdentity);
  v1::LogBatch batch = batch_of(1);
  batch.set_first_sequence(std::uint64_t{1} << 63);
  EXPECT_EQ(decode_log_batch(batch.SerializeAsString(), view).error().code, DecodeErrc::kValue);
  batch = batch_of(1);
  batch.mutable_records(0)->mutable_logged_at()->set_seconds(-1);
  EXPECT_EQ(decode_log_batch(batch.SerializeAsString(), view).error().code, DecodeErrc::kValue);
  EXPECT_EQ(decode_log_batch(identity() + field(4, field(4, "\xff")), view).error().code, DecodeErrc::kValue);
  EXPECT_EQ(decode_log_batch(identity() + field(4, field(10, field(4, "\xff"))), view).error().code, DecodeErrc::kValue);
  EXPECT_TRUE(decode_log_batch(identity() + field(4, field(7, "\xff")), view).has_value()) << "raw bytes may be anything";
}

TEST(Decode, AViewIsUsedAgainWithoutRemainders) {
  LogBatchView view;
  v1::LogBatch batch = batch_of(3);
  batch.mutable_records(1)->mutable_api_call()->set_method("GET");
  batch.mutable_trace()->set_traceparent("x");
  batch.set_first_sequence(9);
  ASSERT_TRUE(decode_log_batch(batch.SerializeAsString(), view).has_value());
  const std::string second = batch_of(1).SerializeAsString();
  ASSERT_TRUE(decode_log_batch(second, view).has_value());
  EXPECT_EQ(view.records.size(), 1U);
  EXPECT_EQ(view.api_call(view.records[0]), nullptr);
  EXPECT_EQ(view.first_sequence, 0U);
  EXPECT_FALSE(view.trace.has_value());
}

TEST(Decode, SeveritiesAreSyslogNumbersAndWhatIsNotSaidIsInformational) {
  v1::LogBatch batch = batch_of(4);
  batch.mutable_records(0)->set_severity(v1::SEVERITY_EMERGENCY);
  batch.mutable_records(1)->set_severity(v1::SEVERITY_DEBUG);
  batch.mutable_records(2)->set_severity(static_cast<v1::Severity>(77));
  LogBatchView view;
  const std::string bytes = batch.SerializeAsString();
  ASSERT_TRUE(decode_log_batch(bytes, view).has_value());
  EXPECT_EQ(view.records[0].severity, 0);
  EXPECT_EQ(view.records[1].severity, 7);
  EXPECT_EQ(view.records[2].severity, 6);
  EXPECT_EQ(view.records[3].severity, 6);
  EXPECT_EQ(view.records[3].stream, v1::LOG_STREAM_APPLICATION);
}

TEST(Decode, ANullValueRemovesAnOperation) {
  const auto result = decode_operation("op-1", std::nullopt);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->removed);
  EXPECT_EQ(result->operation_id, "op-1");
}

TEST(Decode, AnOperationMustBeNamedByItsKey) {
  v1::Operation operation;
  operation.set_operation_id("op-1");
  const std::string value = operation.SerializeAsString();
  EXPECT_TRUE(decode_operation("op-1", value).has_value());
  EXPECT_EQ(decode_operation("op-2", value).error().code, DecodeErrc::kIdentity);
  EXPECT_EQ(decode_operation("", value).error().code, DecodeErrc::kIdentity);
  EXPECT_EQ(decode_operation("", std::nullopt).error().code, DecodeErrc::kIdentity);
  EXPECT_EQ(decode_operation(std::string(201, 'x'), std::nullopt).error().code, DecodeErrc::kIdentity);
  EXPECT_EQ(decode_operation("\xff", std::nullopt).error().code, DecodeErrc::kValue);
  EXPECT_EQ(decode_operation("op-1", "").error().code, DecodeErrc::kEmpty);
  operation.set_operation_id("");
  operation.set_status("done");
  EXPECT_EQ(decode_operation("", operation.SerializeAsString()).error().code, DecodeErrc::kIdentity);
}

}  // namespace
}  // namespace runfold::collector
