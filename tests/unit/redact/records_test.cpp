// Every text of every record is redacted: they are found by reflection, so that a new one is not forgotten.
#include "producer/redact/records.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <string>

namespace runfold::redact {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const std::string kSecret = "hunter2-and-more";

/// Sets every text of the message; of a oneof, the field `choice`, where it is one of its.
void fill(Message& message, const FieldDescriptor* choice) {
  const auto& reflection = *message.GetReflection();
  const auto& fields = *message.GetDescriptor();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto* field = fields.field(i);
    if (field->real_containing_oneof() != nullptr && field != choice) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated()) {
      fill(*reflection.MutableMessage(&message, field), choice);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
      reflection.SetString(&message, field, field->name() == "detail_json" ? "{\"a\":\"" + kSecret + "\"}" : "x " + kSecret + " y");
    }
  }
}

std::string bytes_of(const Message& message) {
  return message.SerializeAsString();
}

class Records : public ::testing::Test {
 protected:
  Records() { EXPECT_TRUE(redactor_.add(kSecret)); }
  Redactor redactor_;
};

TEST_F(Records, OfLogsKeepNothing) {
  v1::LogRecord record;
  fill(record, nullptr);
  ASSERT_NE(bytes_of(record).find(kSecret), std::string::npos);
  const auto clean = redacted(redactor_, record);
  ASSERT_TRUE(clean);
  EXPECT_EQ(bytes_of(*clean).find(kSecret), std::string::npos) << clean->DebugString();
  EXPECT_FALSE(redacted(redactor_, *clean));
}

TEST_F(Records, OfLogsKeepNothingWhicheverTextItIsIn) {
  v1::LogRecord record;
  fill(record, nullptr);
  const auto each = [&](Message& message, auto&& self) -> void {
    const auto& fields = *message.GetDescriptor();
    for (int i = 0; i < fields.field_count(); ++i) {
      const auto* field = fields.field(i);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        v1::LogRecord one;
        Message& part = message.GetDescriptor() == one.GetDescriptor() ? static_cast<Message&>(one) : *one.mutable_api_call();
        part.GetReflection()->SetString(&part, field, message.GetReflection()->GetString(message, field));
        const auto clean = redacted(redactor_, one);
        ASSERT_TRUE(clean) << field->full_name();
        EXPECT_EQ(bytes_of(*clean).find(kSecret), std::string::npos) << field->full_name();
      } else if (field->name() == "api_call") {
        self(*message.GetReflection()->MutableMessage(&message, field), self);
      }
    }
  };
  each(record, each);
}

TEST_F(Records, OfEventsKeepNothing) {
  const auto* kinds = v1::SyncEvent::descriptor()->FindOneofByName("event");
  for (int i = 0; i < kinds->field_count(); ++i) {
    v1::SyncEvent event;
    event.GetReflection()->MutableMessage(&event, kinds->field(i));
    fill(event, kinds->field(i));
    event.clear_identity();  // delivery's own
    const auto clean = redacted(redactor_, event);
    ASSERT_TRUE(clean) << kinds->field(i)->name();
    EXPECT_EQ(clean->event_case(), event.event_case());
    EXPECT_EQ(bytes_of(*clean).find(kSecret), std::string::npos) << clean->DebugString();
    event.clear_trace();
    const auto said = redacted(redactor_, event);
    EXPECT_EQ(bytes_of(said.value_or(event)).find(kSecret), std::string::npos) << event.DebugString();
  }
}

TEST_F(Records, OfOperationsKeepNothingButTheirId) {
  v1::Operation operation;
  fill(operation, nullptr);
  operation.set_operation_id("S-1");
  redact(redactor_, operation);
  EXPECT_EQ(bytes_of(operation).find(kSecret), std::string::npos) << operation.DebugString();
  EXPECT_EQ(operation.operation_id(), "S-1");
}

/// Calls `each` with every message in `message` in turn, after it made them all; of a oneof, the field `choice`.
template <class Each>
void for_each_message(Message& message, const FieldDescriptor* choice, const Each& each) {
  each(message);
  const auto& reflection = *message.GetReflection();
  const auto& fields = *message.GetDescriptor();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto* field = fields.field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->real_containing_oneof() != nullptr && field != choice) continue;
    Message& part = !field->is_repeated()                      ? *reflection.MutableMessage(&message, field)
                    : reflection.FieldSize(message, field) > 0 ? *reflection.MutableRepeatedMessage(&message, field, 0)
                                                               : *reflection.AddMessage(&message, field);
    for_each_message(part, choice, each);
  }
}

/// Puts an unknown field into each message there is, one after the other, and expects that it does not stay.
template <class Record>
void expect_only_known(const Redactor& redactor, Record record, const FieldDescriptor* choice) {
  for_each_message(record, choice, [](Message&) {});
  const std::string known = bytes_of(record);
  for_each_message(record, choice, [&](Message& message) {
    auto& unknown = *message.GetReflection()->MutableUnknownFields(&message);
    unknown.AddLengthDelimited(900, kSecret);
    const auto clean = redacted(redactor, record);
    EXPECT_EQ(bytes_of(clean.value_or(record)), known) << message.GetDescriptor()->full_name();
    unknown.Clear();
  });
  EXPECT_FALSE(redacted(redactor, record));
}

TEST_F(Records, LoseWhatIsNotKnownWhereverItStands) {
  expect_only_known(redactor_, v1::LogRecord(), nullptr);
  const auto* kinds = v1::SyncEvent::descriptor()->FindOneofByName("event");
  for (int i = 0; i < kinds->field_count(); ++i) expect_only_known(redactor_, v1::SyncEvent(), kinds->field(i));
  v1::Operation operation;
  operation.GetReflection()->MutableUnknownFields(&operation)->AddLengthDelimited(900, kSecret);
  redact(redactor_, operation);
  EXPECT_EQ(bytes_of(operation), "");
}

TEST_F(Records, WithNothingToReplaceAreLeftAlone) {
  v1::LogRecord record;
  record.set_message("uploaded 42 invoices: done, ratio=0.5");
  record.set_detail_json(R"({"count":42})");
  record.mutable_api_call()->set_request_uri("https://api.example.com/files?page=2");
  EXPECT_FALSE(redacted(redactor_, record));
  v1::SyncEvent event;
  event.mutable_trace()->set_tracestate("vendor=token,session=1");
  event.mutable_progress()->set_step_id("upload");
  EXPECT_FALSE(redacted(redactor_, event)) << "what others put into tracestate is theirs";
}

TEST_F(Records, LoseTheBeginningOfASecretWhereABodyIsCutOff) {
  v1::LogRecord record;
  auto& call = *record.mutable_api_call();
  call.set_response_body("the answer is hunter2-and");
  EXPECT_FALSE(redacted(redactor_, record)) << "the body is whole, so this is all there was";
  call.set_response_body_truncated(true);
  const auto clean = redacted(redactor_, record);
  ASSERT_TRUE(clean);
  EXPECT_EQ(clean->api_call().response_body(), "the answer is ");
}

}  // namespace
}  // namespace runfold::redact
