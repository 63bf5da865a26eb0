// The layout of a queued record: a fixed head, the trace context, the body.
#include "producer/delivery/queued.hpp"

#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/delivery/wire.hpp"

#include <cassert>
#include <cstring>
#include <string>
#include <utility>

namespace runfold::delivery {
namespace {

struct Head {
  RunAccount* run;
  std::int64_t time_ns;
  Channel channel;
  Weight weight;
  std::uint16_t traceparent_size;
  std::uint16_t tracestate_size;
};
constexpr std::size_t kMaxTrace = 4096;

// Claims room for a record; `write` fills its body.
template <class Write>
Outcome queue(Ring& ring, const Head& head, std::string_view traceparent, std::string_view tracestate, std::size_t body_size,
              std::size_t eighths, Write write) {
  const std::size_t size = sizeof(Head) + traceparent.size() + tracestate.size() + body_size;
  const auto claim = ring.claim(size, ring.bound_bytes() / 8 * eighths);
  if (claim.data == nullptr) {
    return {.dropped = claim.refusal == Ring::Refusal::kClosed ? Drop::kLate : Drop::kQueueFull, .used_bytes = claim.used_bytes};
  }
  std::memcpy(claim.data, &head, sizeof head);
  wire::Writer out(reinterpret_cast<char*>(claim.data + sizeof head));
  out.raw(traceparent);
  out.raw(tracestate);
  write(out.at());
  ring.commit(claim, size);
  return {.dropped = {}, .used_bytes = claim.used_bytes};
}

Weight weight_of(v1::Severity severity) noexcept {
  if (severity == v1::SEVERITY_DEBUG) return Weight::kDebug;
  return severity >= v1::SEVERITY_EMERGENCY && severity <= v1::SEVERITY_ERROR ? Weight::kTrouble : Weight::kPlain;
}

void set(google::protobuf::Timestamp& out, const wire::Timestamp& at) {
  out.set_seconds(at.seconds);
  out.set_nanos(at.nanos);
}

}  // namespace

std::int64_t to_ns(const google::protobuf::Timestamp& at) noexcept {
  // Years that no int64 of nanoseconds can hold (before 1677, after 2262) are held at its ends.
  constexpr std::int64_t kMaxSeconds = 9'223'372'035;
  const auto seconds = at.seconds() > kMaxSeconds ? kMaxSeconds : at.seconds() < -kMaxSeconds ? -kMaxSeconds : at.seconds();
  const auto nanos = at.nanos() < 0 || at.nanos() > 999'999'999 ? 0 : at.nanos();
  return seconds * 1'000'000'000 + nanos;
}

Queued read_queued(std::span<const std::byte> record) noexcept {
  Head head;
  assert(record.size() >= sizeof head);
  std::memcpy(&head, record.data(), sizeof head);
  std::string_view rest(reinterpret_cast<const char*>(record.data()) + sizeof head, record.size() - sizeof head);
  const auto take = [&](std::size_t size) {
    const auto part = rest.substr(0, size);
    rest.remove_prefix(size);
    return part;
  };
  Queued out{.run = head.run,
             .channel = head.channel,
             .weight = head.weight,
             .time_ns = head.time_ns,
             .traceparent = {},
             .tracestate = {},
             .body = {}};
  out.traceparent = take(head.traceparent_size);
  out.tracestate = take(head.tracestate_size);
  out.body = rest;
  return out;
}

Outcome queue_log(Ring& ring, RunAccount& run, const LogView& record, std::size_t record_bytes) {
  const wire::Timestamp at(record.logged_at_ns);
  const std::size_t size = at.field_size() + wire::varint_field_size(static_cast<std::uint64_t>(record.severity)) +
                           wire::varint_field_size(static_cast<std::uint64_t>(record.stream)) +
                           wire::bytes_field_size(record.message.size()) + wire::bytes_field_size(record.step_id.size()) +
                           wire::bytes_field_size(record.detail_json.size());
  if (size > record_bytes || record.step_id.size() > kMaxNameBytes || !is_utf8(record.message) || !is_utf8(record.step_id) ||
      !is_utf8(record.detail_json)) {
    v1::LogRecord whole;
    set(*whole.mutable_logged_at(), at);
    whole.set_severity(record.severity);
    whole.set_stream(record.stream);
    whole.set_message(std::string(record.message));
    whole.set_step_id(std::string(record.step_id));
    whole.set_detail_json(std::string(record.detail_json));
    return queue_log(ring, run, whole, 0, record_bytes);
  }
  const Head head{.run = &run,
                  .time_ns = record.logged_at_ns,
                  .channel = Channel::kLogs,
                  .weight = weight_of(record.severity),
                  .traceparent_size = 0,
                  .tracestate_size = 0};
  return queue(ring, head, {}, {}, size, share_in_eighths(record.severity), [&](char* body) {
    wire::Writer out(body);
    at.write(out, v1::LogRecord::kLoggedAtFieldNumber);
    out.varint_field(v1::LogRecord::kSeverityFieldNumber, static_cast<std::uint64_t>(record.severity));
    out.varint_field(v1::LogRecord::kStreamFieldNumber, static_cast<std::uint64_t>(record.stream));
    out.bytes_field(v1::LogRecord::kMessageFieldNumber, record.message);
    out.bytes_field(v1::LogRecord::kStepIdFieldNumber, record.step_id);
    out.bytes_field(v1::LogRecord::kDetailJsonFieldNumber, record.detail_json);
    assert(out.at() == body + size);
  });
}

Outcome queue_log(Ring& ring, RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns, std::size_t record_bytes) {
  const wire::Timestamp at(logged_at_ns);
  bool add_time = !record.has_logged_at();
  std::size_t added = add_time ? at.field_size() : 0;
  std::optional<v1::LogRecord> made_fit;
  if (!fits(record, record_bytes - added)) {
    made_fit = record;
    if (std::exchange(add_time, false)) set(*made_fit->mutable_logged_at(), at);
    added = 0;
    if (!fit(*made_fit, record_bytes)) return {.dropped = Drop::kTooLarge};
  }
  const v1::LogRecord& fitting = made_fit ? *made_fit : record;
  const auto said = static_cast<std::size_t>(fitting.GetCachedSize());  // as fits() or fit() has just asked for it
  const Head head{.run = &run,
                  .time_ns = add_time ? logged_at_ns : to_ns(fitting.logged_at()),
                  .channel = Channel::kLogs,
                  .weight = weight_of(fitting.severity()),
                  .traceparent_size = 0,
                  .tracestate_size = 0};
  return queue(ring, head, {}, {}, said + added, share_in_eighths(fitting.severity()), [&](char* body) {
    fitting.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(body));
    wire::Writer out(body + said);
    if (add_time) at.write(out, v1::LogRecord::kLoggedAtFieldNumber);
    assert(out.at() == body + said + added);
  });
}

Outcome queue_event(Ring& ring, RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults, std::size_t record_bytes) {
  static_assert(v1::SyncEvent::kOccurredAtFieldNumber < 16 && v1::SyncEvent::kTraceFieldNumber < 16, "see wire::bytes_field_size");
  assert(!event.has_identity() && event.sequence() == 0);
  const std::string_view traceparent = event.has_trace() ? std::string_view(event.trace().traceparent()) : defaults.traceparent;
  const std::string_view tracestate = event.has_trace() ? std::string_view(event.trace().tracestate()) : defaults.tracestate;
  if (traceparent.size() > kMaxTrace || tracestate.size() > kMaxTrace) return {.dropped = Drop::kTooLarge};

  // What it does not say stands behind what it says: in protobuf the order of fields means nothing.
  const wire::Timestamp at(defaults.occurred_at_ns);
  const std::size_t trace_size = wire::bytes_field_size(traceparent.size()) + wire::bytes_field_size(tracestate.size());
  bool add_time = !event.has_occurred_at();
  bool add_trace = !event.has_trace() && trace_size > 0;
  std::size_t added = (add_time ? at.field_size() : 0) + (add_trace ? wire::bytes_field_size(trace_size) : 0);
  std::optional<v1::SyncEvent> made_fit;
  if (added > record_bytes || !fits(event, record_bytes - added)) {
    made_fit = event;
    if (std::exchange(add_time, false)) set(*made_fit->mutable_occurred_at(), at);
    if (std::exchange(add_trace, false)) {
      made_fit->mutable_trace()->set_traceparent(std::string(traceparent));
      made_fit->mutable_trace()->set_tracestate(std::string(tracestate));
    }
    added = 0;
    if (!fit(*made_fit, record_bytes)) return {.dropped = Drop::kTooLarge};
  }
  const v1::SyncEvent& fitting = made_fit ? *made_fit : event;
  const auto said = static_cast<std::size_t>(fitting.GetCachedSize());  // as fits() or fit() has just asked for it
  const Head head{.run = &run,
                  .time_ns = add_time ? defaults.occurred_at_ns : to_ns(fitting.occurred_at()),
                  .channel = Channel::kEvents,
                  .weight = fitting.has_step_failed() ? Weight::kTrouble : Weight::kPlain,
                  .traceparent_size = static_cast<std::uint16_t>(traceparent.size()),
                  .tracestate_size = static_cast<std::uint16_t>(tracestate.size())};
  return queue(ring, head, traceparent, tracestate, said + added, 8, [&](char* body) {
    fitting.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(body));
    wire::Writer out(body + said);
    if (add_time) at.write(out, v1::SyncEvent::kOccurredAtFieldNumber);
    if (add_trace) {
      out.begin_bytes(v1::SyncEvent::kTraceFieldNumber, trace_size);
      out.bytes_field(v1::TraceContext::kTraceparentFieldNumber, traceparent);
      out.bytes_field(v1::TraceContext::kTracestateFieldNumber, tracestate);
    }
    assert(out.at() == body + said + added);
  });
}

}  // namespace runfold::delivery
