// The layout of a queued record: a fixed head, the trace context, the body.
#include "producer/delivery/queued.hpp"

#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/delivery/wire.hpp"

#include <array>
#include <cassert>
#include <cstring>
#include <string>
#include <utility>

namespace runfold::delivery {
namespace {

struct Head {
  RunAccount* run;
  std::int64_t time_ns;
  std::uint16_t traceparent_size = 0;
  std::uint16_t tracestate_size = 0;
  Channel channel;
  /// An event's trace is its run's own; then nothing of it stands here.
  bool trace_of_run = false;
  Weight weight;
  /// Bytes between the trace and the body.
  std::uint8_t gap = 0;
};
void write_head(char* at, const Head& head) noexcept {
  std::memcpy(at, &head, sizeof head);
}
constexpr std::size_t kMaxTrace = 4096;
/// The head of a record, and of its fields but for texts: tags and lengths, the time, two numbers.
constexpr std::size_t kMostBesideTexts = 80;

static_assert(Ring::kSpareBytes >= wire::kSpareBytes);

// Claims room for at most so many bytes; `write` writes the record and says where it ends.
template <class Write>
inline Outcome queue(Ring& ring, std::size_t most, std::size_t eighths, Write write) noexcept {
  const auto claim = ring.claim(most, ring.bound_bytes() / 8 * eighths);
  if (claim.data == nullptr) {
    return {.dropped = claim.refusal == Ring::Refusal::kClosed ? Drop::kLate : Drop::kQueueFull, .used_bytes = claim.used_bytes};
  }
  char* const begin = reinterpret_cast<char*>(claim.data);
  const char* const end = write(begin);
  assert(end <= begin + most);
  ring.commit(claim, static_cast<std::size_t>(end - begin));
  return {.dropped = {}, .used_bytes = claim.used_bytes};
}

Weight weight_of(v1::Severity severity) noexcept {
  if (severity == v1::SEVERITY_DEBUG) return Weight::kDebug;
  return severity >= v1::SEVERITY_EMERGENCY && severity <= v1::SEVERITY_ERROR ? Weight::kTrouble : Weight::kPlain;
}

/// An event's trace, as it is queued: before the body for the record's headers, and in it.
struct Trace {
  std::string_view parent = {};
  std::string_view state = {};
  /// Then the two above are empty.
  bool of_run = false;

  [[nodiscard]] std::size_t before_body() const noexcept { return parent.size() + state.size(); }
  [[nodiscard]] std::size_t content_size() const noexcept {
    return wire::bytes_field_size(parent.size()) + wire::bytes_field_size(state.size());
  }
  [[nodiscard]] std::size_t field_size() const noexcept { return wire::bytes_field_size(content_size()); }
  char* write_before_body(char* at) const noexcept { return wire::write_bytes(wire::write_bytes(at, parent), state); }
  void write_field(wire::Writer& out) const noexcept {
    if (content_size() == 0) return;
    out.begin_bytes(v1::SyncEvent::kTraceFieldNumber, content_size());
    out.bytes_field(v1::TraceContext::kTraceparentFieldNumber, parent);
    out.bytes_field(v1::TraceContext::kTracestateFieldNumber, state);
  }
};
static_assert(v1::SyncEvent::kOccurredAtFieldNumber < 16 && v1::SyncEvent::kTraceFieldNumber < 16, "see wire::bytes_field_size");

Trace trace_of(const RunAccount& run, std::string_view traceparent) noexcept {
  if (traceparent.empty()) return {.of_run = true};
  return {.parent = traceparent, .state = run.about.tracestate};
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
  if (head.trace_of_run) {
    out.traceparent = head.run->about.traceparent;
    out.tracestate = head.run->about.tracestate;
    out.trace_field = head.run->event_trace_field;
  } else {
    out.traceparent = take(head.traceparent_size);
    out.tracestate = take(head.tracestate_size);
  }
  out.body = rest.substr(head.gap);
  return out;
}

[[gnu::hot]] bool texts_are_plain(const redact::Redactor& redactor, std::string_view message, std::string_view step_id) noexcept {
  const bool is_short = (message.size() <= kPlainTextBytes) & (step_id.size() <= kMaxNameBytes);
  return is_short && redactor.is_plain(message, step_id);
}

[[gnu::hot]] Outcome queue_plain(Ring& ring, RunAccount& run, const LogView& record) noexcept {
  const std::size_t most = kMostBesideTexts + record.message.size() + record.step_id.size() + record.detail_json.size();
  return queue(ring, most, share_in_eighths(record.severity), [&](char* begin) {
    write_head(begin, {.run = &run, .time_ns = record.logged_at_ns, .channel = Channel::kLogs, .weight = weight_of(record.severity)});
    wire::Writer out(begin + sizeof(Head));
    out.timestamp_field(v1::LogRecord::kLoggedAtFieldNumber, record.logged_at_ns);
    out.varint_field(v1::LogRecord::kSeverityFieldNumber, static_cast<std::uint64_t>(record.severity));
    out.varint_field(v1::LogRecord::kStreamFieldNumber, static_cast<std::uint64_t>(record.stream));
    out.bytes_field(v1::LogRecord::kMessageFieldNumber, record.message);
    out.bytes_field(v1::LogRecord::kStepIdFieldNumber, record.step_id);
    out.bytes_field(v1::LogRecord::kDetailJsonFieldNumber, record.detail_json);
    return out.at();
  });
}

[[gnu::hot]] Outcome queue_plain(Ring& ring, RunAccount& run, const v1::Progress& progress, const EventDefaults& defaults) noexcept {
  constexpr int kTag = v1::SyncEvent::kProgressFieldNumber << 3 | 2;
  constexpr std::array kProgressTag{static_cast<char>(kTag | 0x80), static_cast<char>(kTag >> 7)};
  constexpr std::size_t kMaxProgressHead = kProgressTag.size() + 2;  // the length is below 16 KiB
  const Trace trace = trace_of(run, defaults.traceparent);
  const std::size_t most = kMostBesideTexts + progress.step_id().size() + progress.message().size() +
                           (trace.of_run ? 0 : trace.before_body() + trace.field_size());
  return queue(ring, most, 8, [&](char* begin) {
    char* const behind_head = begin + sizeof(Head);
    char* const body = behind_head + trace.before_body();
    wire::Writer out(body + kMaxProgressHead);
    out.bytes_field(v1::Progress::kStepIdFieldNumber, progress.step_id());
    out.varint_field(v1::Progress::kDoneFieldNumber, progress.done());
    if (progress.has_total()) out.present_varint_field(v1::Progress::kTotalFieldNumber, progress.total());
    out.bytes_field(v1::Progress::kMessageFieldNumber, progress.message());
    // Its head goes right before it, now that its size is known: [tag][tag][length][length], or with a gap [ ][tag][tag][length].
    const auto size = static_cast<std::size_t>(out.at() - body) - kMaxProgressHead;
    assert(size < std::size_t{1} << 14);
    const std::size_t gap = size < 0x80 ? 1 : 0;
    body[2] = static_cast<char>(size | 0x80);  // or a tag, in the next line
    std::memcpy(body + gap, kProgressTag.data(), kProgressTag.size());
    body[3] = static_cast<char>(gap != 0 ? size : size >> 7);
    out.timestamp_field(v1::SyncEvent::kOccurredAtFieldNumber, defaults.occurred_at_ns);
    if (!trace.of_run) {
      trace.write_before_body(behind_head);
      trace.write_field(out);
    }
    write_head(begin, {.run = &run,
                       .time_ns = defaults.occurred_at_ns,
                       .traceparent_size = static_cast<std::uint16_t>(trace.parent.size()),
                       .tracestate_size = static_cast<std::uint16_t>(trace.state.size()),
                       .channel = Channel::kEvents,
                       .trace_of_run = trace.of_run,
                       .weight = Weight::kPlain,
                       .gap = static_cast<std::uint8_t>(gap)});
    return out.at();
  });
}

Outcome queue_log(Ring& ring, RunAccount& run, const LogView& record, std::size_t record_bytes) {
  const std::size_t most = record.message.size() + record.step_id.size() + record.detail_json.size() + kMostBesideTexts;
  if (most <= record_bytes && record.step_id.size() <= kMaxNameBytes && is_utf8(record.message) && is_utf8(record.step_id) &&
      is_utf8(record.detail_json)) {
    return queue_plain(ring, run, record);
  }
  v1::LogRecord whole;
  set(*whole.mutable_logged_at(), wire::Timestamp(record.logged_at_ns));
  whole.set_severity(record.severity);
  whole.set_stream(record.stream);
  whole.set_message(std::string(record.message));
  whole.set_step_id(std::string(record.step_id));
  whole.set_detail_json(std::string(record.detail_json));
  return queue_log(ring, run, whole, 0, record_bytes);
}

Outcome queue_log(Ring& ring, RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns, std::size_t record_bytes) {
  bool add_time = !record.has_logged_at();
  std::optional<v1::LogRecord> made_fit;
  const std::size_t added = add_time ? wire::Writer::kMaxTimestampField : 0;
  if (added > record_bytes || !fits(record, record_bytes - added)) {
    made_fit = record;
    if (std::exchange(add_time, false)) set(*made_fit->mutable_logged_at(), wire::Timestamp(logged_at_ns));
    if (!fit(*made_fit, record_bytes)) return {.dropped = Drop::kTooLarge};
  }
  const v1::LogRecord& fitting = made_fit ? *made_fit : record;
  const auto said = static_cast<std::size_t>(fitting.GetCachedSize());  // as fits() or fit() has just asked for it
  return queue(ring, kMostBesideTexts + said, share_in_eighths(fitting.severity()), [&](char* begin) {
    write_head(begin, {.run = &run,
                       .time_ns = add_time ? logged_at_ns : to_ns(fitting.logged_at()),
                       .channel = Channel::kLogs,
                       .weight = weight_of(fitting.severity())});
    char* const body = begin + sizeof(Head);
    fitting.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(body));
    wire::Writer out(body + said);
    if (add_time) out.timestamp_field(v1::LogRecord::kLoggedAtFieldNumber, logged_at_ns);
    return out.at();
  });
}

Outcome queue_event(Ring& ring, RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults, std::size_t record_bytes) {
  assert(!event.has_identity() && event.sequence() == 0);
  const Trace trace = event.has_trace() ? Trace{.parent = event.trace().traceparent(), .state = event.trace().tracestate()}
                                        : trace_of(run, defaults.traceparent);
  const std::size_t behind = trace.of_run ? run.event_trace_field.size() : 0;
  if (trace.parent.size() > kMaxTrace || trace.state.size() > kMaxTrace || behind > record_bytes) return {.dropped = Drop::kTooLarge};

  // What it does not say stands behind what it says: in protobuf the order of fields means nothing.
  bool add_time = !event.has_occurred_at();
  bool add_trace = !event.has_trace() && !trace.of_run;
  const std::size_t limit = record_bytes - behind;
  std::size_t added = (add_time ? wire::Writer::kMaxTimestampField : 0) + (add_trace ? trace.field_size() : 0);
  std::optional<v1::SyncEvent> made_fit;
  if (added > limit || !fits(event, limit - added)) {
    made_fit = event;
    if (std::exchange(add_time, false)) set(*made_fit->mutable_occurred_at(), wire::Timestamp(defaults.occurred_at_ns));
    if (std::exchange(add_trace, false)) {
      made_fit->mutable_trace()->set_traceparent(std::string(trace.parent));
      made_fit->mutable_trace()->set_tracestate(std::string(trace.state));
    }
    added = 0;
    if (!fit(*made_fit, limit)) return {.dropped = Drop::kTooLarge};
  }
  const v1::SyncEvent& fitting = made_fit ? *made_fit : event;
  const auto said = static_cast<std::size_t>(fitting.GetCachedSize());  // as fits() or fit() has just asked for it
  return queue(ring, sizeof(Head) + trace.before_body() + said + added, 8, [&](char* begin) {
    write_head(begin, {.run = &run,
                       .time_ns = add_time ? defaults.occurred_at_ns : to_ns(fitting.occurred_at()),
                       .traceparent_size = static_cast<std::uint16_t>(trace.parent.size()),
                       .tracestate_size = static_cast<std::uint16_t>(trace.state.size()),
                       .channel = Channel::kEvents,
                       .trace_of_run = trace.of_run,
                       .weight = fitting.has_step_failed() ? Weight::kTrouble : Weight::kPlain});
    char* const body = trace.write_before_body(begin + sizeof(Head));
    fitting.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(body));
    wire::Writer out(body + said);
    if (add_time) out.timestamp_field(v1::SyncEvent::kOccurredAtFieldNumber, defaults.occurred_at_ns);
    if (add_trace) trace.write_field(out);
    return out.at();
  });
}

}  // namespace runfold::delivery
