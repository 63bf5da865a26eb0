// The value of a record of the logs topic: one runfold.v1.LogBatch.
#include "collector/decode_wire.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

using wire::bytes_tag;
using wire::Fields;
using wire::Time;
using wire::Trouble;
using wire::varint_tag;

constexpr std::size_t kMaxRecords = 10'000;
/// A record takes two bytes of a value at least, and four when it has a failing request.
constexpr std::size_t kRecordBytes = 2;
constexpr std::size_t kCallBytes = 4;

// While records grow, there are their old and their new memory at once; and twice that of the requests never exceeds it.
static_assert(2 * sizeof(LogRecordView) / kRecordBytes + sizeof(ApiCallView) / kCallBytes <= kDecodeBytesPerByte);
static_assert((2 * sizeof(LogRecordView) + sizeof(ApiCallView)) * kMaxRecords <= kDecodeMostBytes);

/// Makes room for one more, and for no more in all than `most`.
template <class View>
View& append(std::vector<View>& views, std::size_t most) {
  if (views.size() == views.capacity()) views.reserve(std::min(most, std::max<std::size_t>(64, 2 * views.capacity())));
  return views.emplace_back();
}

void read_call(Fields& fields, ApiCallView& out, Time& duration) noexcept {
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case bytes_tag(1):
        parts.text(out.method);
        break;
      case bytes_tag(2):
        parts.text(out.request_uri);
        break;
      case varint_tag(3):
        out.response_code = static_cast<std::uint32_t>(parts.number());
        break;
      case bytes_tag(4):
        parts.text(out.response_body);
        break;
      case varint_tag(5):
        out.response_body_truncated = parts.number() != 0;
        break;
      case bytes_tag(6):
        duration.read(parts);
        break;
      case bytes_tag(7):
        parts.text(out.transport_error);
        break;
      default:
        break;
    }
  }
  out.duration_ns = duration.duration(fields.trouble());
}

void read_record(Fields& fields, LogBatchView& batch, std::size_t value_bytes) {
  LogRecordView& out = append(batch.records, std::min(kMaxRecords, value_bytes / kRecordBytes));
  out.bytes = fields.bytes();
  Time logged;
  Time call_duration;
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case bytes_tag(1):
        logged.read(parts);
        break;
      case varint_tag(2): {
        const auto severity = static_cast<std::uint32_t>(parts.number());
        out.severity = severity >= 1 && severity <= 8 ? static_cast<std::uint8_t>(severity - 1) : 6;
        break;
      }
      case varint_tag(3): {
        const auto stream = static_cast<std::uint32_t>(parts.number());
        out.stream = stream >= 1 && stream <= 4 ? static_cast<std::uint8_t>(stream) : 1;
        break;
      }
      case bytes_tag(4):
        parts.text(out.message);
        break;
      case bytes_tag(5):
        parts.name(out.step_id);
        break;
      case bytes_tag(6):
        parts.text(out.detail_json);
        break;
      case bytes_tag(7):
        out.raw = parts.bytes();
        break;
      case varint_tag(8):
        out.partial = parts.number() != 0;
        break;
      case varint_tag(9):
        out.truncated = parts.number() != 0;
        break;
      case bytes_tag(10):
        if (out.api_call == LogRecordView::kNoApiCall) {
          out.api_call = static_cast<std::uint32_t>(batch.api_calls.size());
          append(batch.api_calls, std::min(kMaxRecords, value_bytes / kCallBytes));
        }
        read_call(parts, batch.api_calls[out.api_call], call_duration);
        break;
      default:
        break;
    }
  }
  out.logged_at_ns = logged.timestamp(fields.trouble());
}

bool read_batch(std::string_view value, LogBatchView& out, Trouble& trouble) {
  if (value.empty()) return trouble.meet(DecodeErrc::kEmpty, value.data());
  Fields fields(value, trouble);
  while (fields.next()) {
    switch (fields.tag()) {
      case bytes_tag(1):
        wire::read_identity(fields, out.identity);
        break;
      case varint_tag(2):
        out.first_sequence = fields.number();
        if (out.first_sequence > wire::kMaxSequence) fields.refuse(DecodeErrc::kValue);
        break;
      case bytes_tag(3):
        wire::read_trace(fields, out.trace);
        break;
      case bytes_tag(4):
        if (out.records.size() == kMaxRecords) return fields.refuse(DecodeErrc::kLimit);
        fields.uncounted();
        read_record(fields, out, value.size());
        break;
      default:
        break;
    }
  }
  out.bytes = value;
  if (fields.ok()) wire::check_identity(out.identity, value, trouble);
  return !trouble.met;
}

}  // namespace

DecodeResult<void> decode_log_batch(std::string_view value, LogBatchView& out) {
  out.clear();
  Trouble trouble(value);
  if (!read_batch(value, out, trouble)) return trouble.error();
  return {};
}

}  // namespace runfold::collector
