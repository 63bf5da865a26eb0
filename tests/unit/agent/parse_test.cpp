// What the intake takes, and what it refuses, member by member.
#include "producer/agent/parse.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runfold::agent {
namespace {

TEST(ParseLogs, TakesNamesAndNumbersOfLevels) {
  const auto logs = parse_logs(R"([{"level":"error","message":"a"},{"level":7,"message":"b"},{"level":"WARN","message":"c"},
                                   {"level":"0","message":"d"}])");
  ASSERT_TRUE(logs.has_value());
  ASSERT_EQ(logs->size(), 4U);
  EXPECT_EQ((*logs)[0].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ((*logs)[1].severity(), v1::SEVERITY_DEBUG);
  EXPECT_EQ((*logs)[2].severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ((*logs)[3].severity(), v1::SEVERITY_EMERGENCY);
}

TEST(ParseLogs, KeepsStepAndDetail) {
  const auto logs = parse_logs(R"({"level":"info","message":"Posting","step":"upload","detail":{"count":50}})");
  ASSERT_TRUE(logs.has_value());
  ASSERT_EQ(logs->size(), 1U);
  EXPECT_EQ(logs->front().stream(), v1::LOG_STREAM_APPLICATION);
  EXPECT_EQ(logs->front().message(), "Posting");
  EXPECT_EQ(logs->front().step_id(), "upload");
  EXPECT_EQ(logs->front().detail_json(), R"({"count":50})");
}

TEST(ParseLogs, TakesAbsentAndNullStepAndDetailAlike) {
  const auto logs = parse_logs(R"([{"level":6,"message":"a","step":null,"detail":null},{"level":6,"message":"a"}])");
  ASSERT_TRUE(logs.has_value());
  EXPECT_EQ((*logs)[0].SerializeAsString(), (*logs)[1].SerializeAsString());
}

struct Refusal {
  const char* body;
  const char* member;
  const char* says;
};
class ParseLogsRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(ParseLogsRefuses, NamingTheMember) {
  const auto logs = parse_logs(GetParam().body);
  ASSERT_FALSE(logs.has_value()) << GetParam().body;
  EXPECT_EQ(logs.error().member, GetParam().member);
  EXPECT_NE(logs.error().message.find(GetParam().says), std::string::npos) << logs.error().message;
}

INSTANTIATE_TEST_SUITE_P(Bodies, ParseLogsRefuses,
                         ::testing::Values(Refusal{"", "", "not valid JSON"}, Refusal{"{", "", "not valid JSON"},
                                           Refusal{"{} {}", "", "not one JSON value"},
                                           Refusal{"{\"level\":\"info\",\"message\":\"\xff\"}", "", "not valid JSON"},
                                           Refusal{"17", "", "a number"}, Refusal{"[1]", "/0", "must be an object"},
                                           Refusal{R"({"message":"m"})", "/level", "missing"},
                                           Refusal{R"({"level":"loud","message":"m"})", "/level", "\"loud\" is unknown"},
                                           Refusal{R"({"level":8,"message":"m"})", "/level", "8 is unknown"},
                                           Refusal{R"({"level":-1,"message":"m"})", "/level", "unknown"},
                                           Refusal{R"({"level":1.5,"message":"m"})", "/level", "a number"},
                                           Refusal{R"({"level":"info"})", "/message", "missing"},
                                           Refusal{R"({"level":"info","message":5})", "/message", "must be a string"},
                                           Refusal{R"({"level":"info","message":"m","step":{}})", "/step", "must be a string"},
                                           Refusal{R"({"level":"info","message":"m","stepp":"x"})", "/stepp", "unknown"},
                                           Refusal{R"([{"level":"info","message":"m"},{"level":"info"}])", "/1/message", "missing"}));

TEST(ParseLogs, RefusesAStepIdThatIsTooLong) {
  std::string body = R"({"level":"info","message":"m","step":")";
  body.append(201, 's').append("\"}");
  const auto logs = parse_logs(body);
  ASSERT_FALSE(logs.has_value());
  EXPECT_EQ(logs.error().member, "/step");
}

TEST(ParseLogs, RefusesNestingWithoutEnd) {
  std::string body = R"({"level":"info","message":"m","detail":)";
  body.append(100'000, '[').append(100'000, ']').append("}");
  EXPECT_FALSE(parse_logs(body).has_value());
}

TEST(ParseEvents, TakesProtobufJson) {
  const auto events =
      parse_events(R"({"occurredAt":"2026-05-16T14:32:11.5Z","stepCompleted":{"stepId":"read","entities":"42","duration":"1.5s"}})");
  ASSERT_TRUE(events.has_value()) << events.error().message;
  ASSERT_EQ(events->size(), 1U);
  const v1::StepCompleted& step = events->front().step_completed();
  EXPECT_EQ(step.step_id(), "read");
  EXPECT_EQ(step.entities(), 42U);
  EXPECT_FALSE(step.has_relationships());
  EXPECT_EQ(step.duration().nanos(), 500'000'000);
}

TEST(ParseEvents, TakesTheProtoNamesOfMembersAndPlainNumbers) {
  const auto events = parse_events(R"([{"step_completed":{"step_id":"read","entities":42}},{"heartbeat":{}}])");
  ASSERT_TRUE(events.has_value()) << events.error().message;
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ((*events)[0].step_completed().entities(), 42U);
  EXPECT_TRUE((*events)[1].has_heartbeat());
}

TEST(ParseEvents, TakesTheConnectorSdksOwnShape) {
  const auto events = parse_events(R"([{"Started":{"connector_id":"c","sync_id":"s"}},{"StepStarted":{"step_id":"read"}},
    {"StepCompleted":{"step_id":"read","entities":3,"relationships":1,"duration":{"secs":2,"nanos":250000000}}},
    {"StepFailed":{"step_id":"load","error":{"Io":"disk full"}}},{"Completed":{"connector_id":"c","sync_id":"s"}}])");
  ASSERT_TRUE(events.has_value()) << events.error().message;
  ASSERT_EQ(events->size(), 5U);
  EXPECT_TRUE((*events)[0].has_started());
  EXPECT_EQ((*events)[1].step_started().step_id(), "read");
  EXPECT_EQ((*events)[2].step_completed().duration().seconds(), 2);
  EXPECT_EQ((*events)[2].step_completed().duration().nanos(), 250'000'000);
  EXPECT_EQ((*events)[2].step_completed().relationships(), 1U);
  EXPECT_EQ((*events)[3].step_failed().error(), R"({"Io":"disk full"})");
  EXPECT_TRUE((*events)[4].has_completed());
}

TEST(ParseEvents, RefusesWhatIsNoEventAndSaysWhere) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"{}", ""},
      {R"([{"heartbeat":{}},{}])", "/1"},
      {R"({"stepStarted":{}})", "/stepStarted/step_id"},
      {R"({"stepStarted":{"stepId":7}})", ""},
      {R"({"stepStopped":{"stepId":"a"}})", ""},
      {R"({"StepCompleted":{"step_id":"a","duration":"soon"}})", ""},
      {R"({"StepCompleted":{"step_id":"a","duration":{"minutes":1}}})", "/StepCompleted/duration"},
      {R"({"StepStarted":"read"})", "/StepStarted"},
      {"[[]]", "/0"},
      {"nonsense", ""}};
  for (const auto& [body, member] : cases) {
    const auto events = parse_events(body);
    ASSERT_FALSE(events.has_value()) << body;
    EXPECT_EQ(events.error().member, member) << body;
    EXPECT_FALSE(events.error().message.empty()) << body;
  }
}

TEST(ParseBinaryEvent, TakesAnEventAndRefusesOtherBytes) {
  v1::SyncEvent event;
  event.mutable_step_started()->set_step_id("read");
  const auto parsed = parse_binary_event(event.SerializeAsString());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->step_started().step_id(), "read");
  auto& step = *event.mutable_step_started();
  step.GetReflection()->MutableUnknownFields(&step)->AddLengthDelimited(900, "password=hunter2");
  event.GetReflection()->MutableUnknownFields(&event)->AddLengthDelimited(901, "password=hunter2");
  const auto known = parse_binary_event(event.SerializeAsString());
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->SerializeAsString(), parsed->SerializeAsString()) << "what it does not know cannot be redacted";
  EXPECT_FALSE(parse_binary_event("\xff\xff\xff").has_value());
  EXPECT_FALSE(parse_binary_event("").has_value()) << "an event that says nothing";
}

}  // namespace
}  // namespace runfold::agent
