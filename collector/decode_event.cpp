// The value of a record of the events topic: one runfold.v1.SyncEvent.
#include "collector/decode_wire.hpp"

namespace runfold::collector {
namespace {

using wire::bytes_tag;
using wire::Fields;
using wire::Time;
using wire::Trouble;
using wire::varint_tag;

void read(Fields& parts, StartedView& out, Time& time) noexcept {
  switch (parts.tag()) {
    case bytes_tag(1):
      return time.read(parts);
    case varint_tag(2):
      out.os_pid = parts.number();
      return;
    case bytes_tag(3):
      return parts.text(out.host);
    case bytes_tag(4):
      return parts.text(out.account);
    default:
      return;
  }
}

template <class Step>
void read_step(Fields& parts, Step& out) noexcept {
  if (parts.tag() == bytes_tag(1)) parts.name(out.step_id);
  if (parts.tag() == varint_tag(2)) out.step_attempt = static_cast<std::uint32_t>(parts.number());
}

void read(Fields& parts, StepStartedView& out, Time&) noexcept {
  read_step(parts, out);
}

void read(Fields& parts, StepCompletedView& out, Time& time) noexcept {
  switch (parts.tag()) {
    case varint_tag(3):
      out.entities = parts.number();
      return;
    case varint_tag(4):
      out.relationships = parts.number();
      return;
    case bytes_tag(5):
      return time.read(parts);
    default:
      return read_step(parts, out);
  }
}

void read(Fields& parts, StepFailedView& out, Time& time) noexcept {
  switch (parts.tag()) {
    case bytes_tag(3):
      return parts.text(out.error);
    case bytes_tag(4):
      return time.read(parts);
    default:
      return read_step(parts, out);
  }
}

void read_drop(Fields& fields, TopicTotalsView& out) noexcept {
  std::uint32_t why = 0;
  std::uint64_t records = 0;
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    if (parts.tag() == varint_tag(1)) why = static_cast<std::uint32_t>(parts.number());
    if (parts.tag() == varint_tag(2)) records = parts.number();
  }
  std::uint64_t& sum = out.drops[why < out.drops.size() ? why : 0];
  sum = records > std::numeric_limits<std::uint64_t>::max() - sum ? std::numeric_limits<std::uint64_t>::max() : sum + records;
}

void read_totals(Fields& fields, CompletedView& out) noexcept {
  TopicTotalsView totals;
  std::int32_t topic = 0;
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case varint_tag(1):
        topic = static_cast<std::int32_t>(parts.number());
        break;
      case varint_tag(2):
        totals.emitted = parts.number();
        break;
      case varint_tag(3):
        totals.last_sequence = parts.number();
        break;
      case bytes_tag(4):
        read_drop(parts, totals);
        break;
      default:
        break;
    }
  }
  if (topic == 1) out.events_totals = totals;
  if (topic == 2) out.logs_totals = totals;
}

void read(Fields& parts, CompletedView& out, Time& time) noexcept {
  switch (parts.tag()) {
    case varint_tag(1):
      out.result = static_cast<std::int32_t>(parts.number());
      return;
    case varint_tag(2):
      out.exit_code = static_cast<std::int32_t>(parts.number());
      return;
    case varint_tag(3):
      out.signal = static_cast<std::int32_t>(parts.number());
      return;
    case bytes_tag(4):
      return parts.text(out.error);
    case bytes_tag(5):
      return time.read(parts);
    case bytes_tag(6):
      return read_totals(parts, out);
    default:
      return;
  }
}

void read(Fields&, HeartbeatView&, Time&) noexcept {}

void read(Fields& parts, ProgressView& out, Time&) noexcept {
  switch (parts.tag()) {
    case bytes_tag(1):
      return parts.name(out.step_id);
    case varint_tag(2):
      out.done = parts.number();
      return;
    case varint_tag(3):
      out.total = parts.number();
      return;
    case bytes_tag(4):
      return parts.text(out.message);
    default:
      return;
  }
}

void read(Fields& parts, StatsCommittedView& out, Time&) noexcept {
  if (parts.tag() != bytes_tag(1)) return;
  Fields stats(parts.bytes(), parts.trouble());
  while (stats.next()) {
    switch (stats.tag()) {
      case varint_tag(1):
        out.entities_created = stats.number();
        break;
      case varint_tag(2):
        out.entities_updated = stats.number();
        break;
      case varint_tag(3):
        out.entities_deleted = stats.number();
        break;
      case varint_tag(4):
        out.relationships_created = stats.number();
        break;
      case varint_tag(5):
        out.relationships_updated = stats.number();
        break;
      case varint_tag(6):
        out.relationships_deleted = stats.number();
        break;
      default:
        break;
    }
  }
}

/// Judges what can only be judged when all of the variant is read.
void finish(StartedView& view, const Time& time, std::string_view, Trouble& trouble) noexcept {
  view.heartbeat_interval_ns = time.duration(trouble);
}
template <class View>
void finish(View& view, const Time& time, std::string_view value, Trouble& trouble) noexcept {
  if constexpr (requires { view.step_attempt; }) {
    if (view.step_attempt == 0) view.step_attempt = 1;
    if (view.step_id.empty()) trouble.meet(DecodeErrc::kIdentity, value.data() + value.size());
  }
  if constexpr (requires { view.duration_ns; }) view.duration_ns = time.duration(trouble);
}

/// One read of a SyncEvent. Of several variants in one value the last holds; one that comes in pieces is put together.
class EventReader {
 public:
  EventReader(std::string_view value, EventView& out) noexcept : value_(value), out_(out), trouble_(value) {}

  [[nodiscard]] bool run() noexcept {
    if (value_.empty()) return trouble_.meet(DecodeErrc::kEmpty, value_.data());
    Fields fields(value_, trouble_);
    while (fields.next()) {
      switch (fields.tag()) {
        case bytes_tag(1):
          wire::read_identity(fields, out_.identity);
          break;
        case varint_tag(2):
          out_.sequence = fields.number();
          if (out_.sequence > wire::kMaxSequence) fields.refuse(DecodeErrc::kValue);
          break;
        case bytes_tag(3):
          occurred_.read(fields);
          break;
        case bytes_tag(4):
          wire::read_trace(fields, out_.trace);
          break;
        case bytes_tag(10):
          variant<StartedView>(fields);
          break;
        case bytes_tag(11):
          variant<StepStartedView>(fields);
          break;
        case bytes_tag(12):
          variant<StepCompletedView>(fields);
          break;
        case bytes_tag(13):
          variant<StepFailedView>(fields);
          break;
        case bytes_tag(14):
          variant<CompletedView>(fields);
          break;
        case bytes_tag(15):
          variant<HeartbeatView>(fields);
          break;
        case bytes_tag(16):
          variant<ProgressView>(fields);
          break;
        case bytes_tag(17):
          variant<StatsCommittedView>(fields);
          break;
        default:
          break;
      }
    }
    if (!fields.ok()) return false;
    out_.bytes = value_;
    out_.occurred_at_ns = occurred_.timestamp(trouble_);
    wire::check_identity(out_.identity, value_, trouble_);
    if (!seen_) return trouble_.meet(DecodeErrc::kNoEvent, value_.data() + value_.size());
    std::visit([this](auto& view) { finish(view, variant_time_, value_, trouble_); }, out_.event);
    return !trouble_.met;
  }

  [[nodiscard]] DecodeError error() const noexcept { return trouble_.error(); }

 private:
  template <class View>
  void variant(Fields& fields) noexcept {
    if (!seen_ || !std::holds_alternative<View>(out_.event)) {
      out_.event.emplace<View>();
      variant_time_ = {};
      seen_ = true;
    }
    View& view = *std::get_if<View>(&out_.event);
    Fields parts(fields.bytes(), trouble_);
    while (parts.next()) read(parts, view, variant_time_);
  }

  std::string_view value_;
  EventView& out_;
  Trouble trouble_;
  Time occurred_;
  Time variant_time_;
  bool seen_ = false;
};

}  // namespace

DecodeResult<EventView> decode_event(std::string_view value) noexcept {
  DecodeResult<EventView> result;
  EventReader reader(value, *result);
  if (!reader.run()) result = reader.error();
  return result;
}

}  // namespace runfold::collector
