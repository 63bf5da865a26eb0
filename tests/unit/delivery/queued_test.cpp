// Records on their way into the ring: what is written by hand reads as the contract says, and what does not fit is made to.
#include "producer/delivery/queued.hpp"

#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/delivery/wire.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/message_differencer.h>

#include <random>
#include <string>
#include <vector>

namespace runfold::delivery {
namespace {

constexpr std::size_t kLimit = 4096;

struct Queue {
  Ring ring{1 << 20};
  RunAccount run{RunDescription{.traceparent = "the run's", .tracestate = "vendor=1"}};

  v1::LogRecord only_log() {
    v1::LogRecord out;
    const Queued queued = read_queued(ring.front());
    EXPECT_TRUE(out.ParseFromArray(queued.body.data(), static_cast<int>(queued.body.size())));
    ring.pop();
    return out;
  }
};

v1::SyncEvent event_of(const Queued& queued) {
  v1::SyncEvent out;
  EXPECT_TRUE(out.ParseFromString(std::string(queued.body).append(queued.trace_field)));
  return out;
}

TEST(Queued, ALogRecordWrittenByHandEqualsTheGeneratedOne) {
  Queue queue;
  std::mt19937 random(11);
  for (int i = 0; i < 2'000; ++i) {
    const std::string message(random() % 300, 'm');
    const std::string step(random() % 40, 's');
    const std::string detail = random() % 2 ? "{\"a\":1}" : "";
    const auto severity = static_cast<v1::Severity>(random() % 9);
    const std::int64_t at = i == 0 ? 0 : i == 1 ? 1'000'000'000 : i == 2 ? 7 : static_cast<std::int64_t>(random()) * 1'000'000'007;
    ASSERT_FALSE(queue_log(queue.ring, queue.run,
                           LogView{.logged_at_ns = at, .severity = severity, .message = message, .step_id = step, .detail_json = detail},
                           kLimit)
                     .dropped);
    EXPECT_EQ(read_queued(queue.ring.front()).time_ns, at);
    v1::LogRecord expected;
    expected.mutable_logged_at()->set_seconds(at / 1'000'000'000);
    expected.mutable_logged_at()->set_nanos(static_cast<std::int32_t>(at % 1'000'000'000));
    expected.set_severity(severity);
    expected.set_stream(v1::LOG_STREAM_APPLICATION);
    expected.set_message(message);
    expected.set_step_id(step);
    expected.set_detail_json(detail);
    const v1::LogRecord got = queue.only_log();
    ASSERT_TRUE(google::protobuf::util::MessageDifferencer::Equals(got, expected)) << got.ShortDebugString();
  }
}

TEST(Queued, InvalidUtf8IsReplacedAndTheBytesAreKeptInRaw) {
  Queue queue;
  ASSERT_FALSE(queue_log(queue.ring, queue.run, LogView{.message = "a\xff\xc3\x28z", .step_id = "\xed\xa0\x80"}, kLimit).dropped);
  const auto record = queue.only_log();
  EXPECT_EQ(record.message(), "a\xef\xbf\xbd\xef\xbf\xbd(z");
  EXPECT_EQ(record.raw(), "a\xff\xc3\x28z");
  EXPECT_TRUE(is_utf8(record.step_id()));
  EXPECT_FALSE(record.truncated());
}

TEST(Queued, ALongMessageIsCutBetweenCharactersAndMarked) {
  Queue queue;
  std::string message;
  while (message.size() < 3 * kLimit) message += "€";
  ASSERT_FALSE(queue_log(queue.ring, queue.run, LogView{.message = message}, kLimit).dropped);
  const auto record = queue.only_log();
  EXPECT_TRUE(record.truncated());
  EXPECT_LE(record.ByteSizeLong(), kLimit);
  EXPECT_GT(record.message().size(), kLimit / 2 - 4);
  EXPECT_TRUE(is_utf8(record.message()));
  EXPECT_EQ(message.substr(0, record.message().size()), record.message());
}

TEST(Queued, ALongDetailStaysOneJsonValue) {
  Queue queue;
  std::string detail = "{\"text\":\"";
  while (detail.size() < 3 * kLimit) detail += "\\u0001\\\"x";
  detail += "\"}";
  ASSERT_FALSE(queue_log(queue.ring, queue.run, LogView{.message = "short", .detail_json = detail}, kLimit).dropped);
  const auto record = queue.only_log();
  EXPECT_EQ(record.message(), "short");
  EXPECT_TRUE(record.truncated());
  const auto json = boost::json::parse(record.detail_json());
  const std::string beginning(json.at("truncated").as_string());
  EXPECT_GT(beginning.size(), kLimit / 32);
  EXPECT_EQ(detail.substr(0, beginning.size()), beginning);
}

TEST(Queued, AnyLogRecordIsMadeToFitTheLimit) {
  std::mt19937 random(3);
  const auto any = [&] {
    std::string out(random() % 6 == 0 ? random() % (2 * kLimit) : random() % 50, '\0');
    for (auto& c : out) c = static_cast<char>(random());
    return out;
  };
  for (int i = 0; i < 500; ++i) {
    v1::LogRecord record;
    record.set_message(any());
    record.set_step_id(any());
    record.set_detail_json(any());
    record.set_raw(any());
    record.mutable_api_call()->set_method(any());
    record.mutable_api_call()->set_request_uri(any());
    record.mutable_api_call()->set_response_body(any());
    record.mutable_api_call()->set_transport_error(any());
    if (fits(record, kLimit)) continue;
    ASSERT_TRUE(fit(record, kLimit));
    ASSERT_TRUE(fits(record, kLimit)) << record.ByteSizeLong();
  }
}

TEST(Queued, AnEventsErrorIsCutAndItsNamesAreBounded) {
  v1::SyncEvent event;
  event.mutable_step_failed()->set_step_id(std::string(1000, 's'));
  event.mutable_step_failed()->set_error(std::string(100'000, 'e'));
  ASSERT_FALSE(fits(event, kLimit));
  ASSERT_TRUE(fit(event, kLimit));
  EXPECT_EQ(event.step_failed().step_id().size(), kMaxNameBytes);
  EXPECT_EQ(event.step_failed().error().size(), kLimit / 2 + 6);
  EXPECT_TRUE(event.step_failed().error().ends_with("ee [cut]"));
  EXPECT_TRUE(fits(event, kLimit));
}

TEST(Queued, AnyTextOfAnyEventIsMadeToFit) {
  std::string bad(300, 'x');
  bad.push_back('\xff');
  std::vector<v1::SyncEvent> events(6);
  events[0].mutable_step_started()->set_step_id(bad);
  events[1].mutable_step_completed()->set_step_id(bad);
  events[2].mutable_step_failed()->set_error(bad);
  events[3].mutable_progress()->set_message(bad);
  events[4].mutable_started()->set_account(bad);
  events[5].mutable_completed()->set_error(bad);
  for (auto& event : events) {
    EXPECT_FALSE(fits(event, kLimit)) << event.ShortDebugString();
    EXPECT_TRUE(fit(event, kLimit));
    EXPECT_TRUE(fits(event, kLimit)) << event.ShortDebugString();
  }
}

TEST(Queued, AnEventIsGivenTheTimeAndTheTraceThatItLacksAndKeepsItsOwn) {
  for (int has = 0; has < 4; ++has) {
    Queue queue;
    v1::SyncEvent event;
    event.mutable_progress()->set_step_id("upload");
    event.mutable_progress()->set_done(7);
    if (has & 1) event.mutable_occurred_at()->set_seconds(5);
    if (has & 2) event.mutable_trace()->set_traceparent("its own");
    const EventDefaults defaults{.occurred_at_ns = 1'790'000'000'000'000'009, .traceparent = "the step's"};
    ASSERT_FALSE(queue_event(queue.ring, queue.run, event, defaults, kLimit).dropped);

    v1::SyncEvent expected = event;
    if (!(has & 1)) {
      expected.mutable_occurred_at()->set_seconds(1'790'000'000);
      expected.mutable_occurred_at()->set_nanos(9);
    }
    if (!(has & 2)) {
      expected.mutable_trace()->set_traceparent("the step's");
      expected.mutable_trace()->set_tracestate("vendor=1");
    }
    const Queued queued = read_queued(queue.ring.front());
    const v1::SyncEvent got = event_of(queued);
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(got, expected)) << got.ShortDebugString();
    EXPECT_EQ(queued.time_ns, to_ns(expected.occurred_at()));
    EXPECT_EQ(queued.traceparent, expected.trace().traceparent());
    EXPECT_EQ(queued.tracestate, expected.trace().tracestate());
  }
}

TEST(Queued, AProgressWrittenByHandEqualsTheGeneratedOne) {
  Queue queue;
  std::mt19937_64 random(5);
  const auto number = [&] { return random() >> (random() % 65 == 64 ? 63 : random() % 64); };
  for (int i = 0; i < 4'000; ++i) {
    v1::SyncEvent expected;
    auto& progress = *expected.mutable_progress();
    progress.set_step_id(std::string(random() % (kMaxNameBytes + 1), 's'));
    if (i % 5 != 0) progress.set_done(number());
    if (i % 3 != 0) progress.set_total(i % 7 == 0 ? 0 : number());
    // Short ones, those about which the length begins to take a second byte, and as long as can be.
    progress.set_message(std::string(i % 2 == 0 ? random() % 150 : random() % (kPlainTextBytes + 1), 'm'));
    const std::string_view traceparent = i % 4 == 0 ? "the step's" : "";
    const std::int64_t at = i == 0 ? 0 : i == 1 ? 1'000'000'000 : i == 2 ? -7 : static_cast<std::int64_t>(random() >> (1 + random() % 40));
    const auto outcome = queue_plain(queue.ring, queue.run, progress, {.occurred_at_ns = at, .traceparent = traceparent});
    ASSERT_FALSE(outcome.dropped);

    // Of the general way, which has the fields written by what the contract was compiled to.
    Queue general;
    ASSERT_FALSE(queue_event(general.ring, general.run, expected, {.occurred_at_ns = at, .traceparent = traceparent}, kLimit).dropped);
    const Queued queued = read_queued(queue.ring.front());
    const Queued same = read_queued(general.ring.front());
    const v1::SyncEvent got = event_of(queued);
    ASSERT_EQ(got.SerializeAsString(), event_of(same).SerializeAsString()) << got.ShortDebugString();
    ASSERT_EQ(queued.body.size(), same.body.size()) << "no byte more than it takes";
    EXPECT_EQ(got.trace().traceparent(), traceparent.empty() ? "the run's" : "the step's");
    EXPECT_EQ(queued.time_ns, at);
    EXPECT_EQ(queued.traceparent, same.traceparent);
    EXPECT_EQ(queued.tracestate, "vendor=1");
    EXPECT_EQ(queued.weight, same.weight);
    EXPECT_EQ(queued.trace_field.empty(), !traceparent.empty());
    EXPECT_LE(queued.body.size() + queued.trace_field.size(), kPlainRecordBytes);
    queue.ring.pop();
    queue.ring.publish();
  }
}

TEST(Queued, WhatIsWrittenByHandHasAllFieldsOfTheContract) {
  EXPECT_EQ(v1::Progress::descriptor()->field_count(), 4) << "queue_plain() of a Progress must write the new one";
  EXPECT_EQ(v1::LogRecord::descriptor()->field_count(), 10) << "Delivery::log() must know of the new one";
  EXPECT_EQ(v1::SyncEvent::descriptor()->field_count(), 4 + v1::SyncEvent::descriptor()->oneof_decl(0)->field_count())
      << "Delivery::event() must know of the new one";
}

TEST(Queued, OnlyShortTextsAreTakenForPlain) {
  redact::Redactor redactor;
  EXPECT_TRUE(texts_are_plain(redactor, std::string(kPlainTextBytes, 'm'), std::string(kMaxNameBytes, 's')));
  EXPECT_FALSE(texts_are_plain(redactor, std::string(kPlainTextBytes + 1, 'm'), "s"));
  EXPECT_FALSE(texts_are_plain(redactor, "m", std::string(kMaxNameBytes + 1, 's')));
  EXPECT_FALSE(texts_are_plain(redactor, "m", "\xc3\xa9"));
  EXPECT_FALSE(texts_are_plain(redactor, "token=1", "s"));
  ASSERT_TRUE(redactor.add("hunter2"));
  EXPECT_TRUE(texts_are_plain(redactor, "m", "s"));
  EXPECT_FALSE(texts_are_plain(redactor, "hunter2", "s"));
  EXPECT_FALSE(texts_are_plain(redactor, "m", "hunter2"));
}

TEST(Wire, ANumberIsWrittenAsProtobufWritesIt) {
  std::mt19937_64 random(3);
  for (int bits = 0; bits <= 64; ++bits) {
    for (int i = 0; i < 50; ++i) {
      std::uint64_t value = bits == 0 ? 0 : random() >> (64 - bits);
      if (i == 0 && bits > 0) value = ~std::uint64_t{0} >> (64 - bits);
      char bytes[10 + wire::kSpareBytes];
      const auto size = static_cast<std::size_t>(wire::write_varint(bytes, value) - bytes);
      std::uint8_t expected[10];
      const auto* end = google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(value, expected);
      ASSERT_EQ(std::string_view(bytes, size),
                std::string_view(reinterpret_cast<const char*>(expected), static_cast<std::size_t>(end - expected)));
      ASSERT_EQ(wire::varint_size(value), size);
    }
  }
}

TEST(Wire, TextsOfAnySizeAreWrittenToTheByte) {
  for (std::size_t size = 0; size < 600; ++size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + 1);
    std::string out(size + 2, '#');
    ASSERT_EQ(wire::write_bytes(out.data() + 1, text), out.data() + 1 + size);
    ASSERT_EQ(out, "#" + text + "#");
  }
}

TEST(Queued, WhatCannotBeCutIsTooLarge) {
  Queue queue;
  v1::SyncEvent event;
  event.mutable_occurred_at()->set_seconds(1);
  event.mutable_heartbeat();
  event.mutable_trace()->set_tracestate(std::string(2 * kLimit, 't'));
  EXPECT_EQ(queue_event(queue.ring, queue.run, event, {}, kLimit).dropped, Drop::kTooLarge);
  EXPECT_TRUE(queue.ring.empty());
}

TEST(Text, OnlyWellFormedUtf8IsTakenForIt) {
  for (const std::string_view good : {"", "plain ascii, long enough for the fast path", "\xc2\x80", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                     "\xf5\x80\x80\x80", "\xe2\x82", "12345678\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_TRUE(is_utf8(replace_invalid_utf8(bad)));
  }
}

}  // namespace
}  // namespace runfold::delivery
