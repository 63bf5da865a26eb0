// Bytes to typed views: what stands in a record, or why it cannot be read.
#pragma once

#include "collector/decode_views.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Why a record cannot be folded. Each has a short fixed word for labels and headers: reason().
enum class DecodeErrc : std::uint8_t {
  kEmpty,      ///< "empty": there is no value (on the operations topic a null value is a removal, not an error)
  kTruncated,  ///< "truncated": a field runs past the end
  kMalformed,  ///< "malformed": not protobuf: a bad tag, varint, wire type or group
  kIdentity,   ///< "identity": run_id or another name that a record must have is missing or too long
  kNoEvent,    ///< "no_event": a SyncEvent with none of the known variants
  kValue,      ///< "value": a field is outside its documented range, for example a time before 1970 or invalid UTF-8
  kLimit,      ///< "limit": more fields or records, or longer labels, than a record may have
};

struct DecodeError {
  DecodeErrc code = DecodeErrc::kMalformed;
  /// Where in the value the trouble was met, in bytes from its start.
  std::size_t at_byte = 0;
};

[[nodiscard]] std::string_view reason(DecodeErrc code) noexcept;
/// One sentence for a person, for example "identity: run_id is missing or longer than 200 bytes (at byte 17)".
[[nodiscard]] std::string describe(const DecodeError& error);

template <class T>
using DecodeResult = boost::system::result<T, DecodeError>;

// What hostile bytes can cost. The caller bounds the value (limits.record_bytes). Within it, a message has at most 1000
// fields, a batch 10,000 records, a name 200 bytes (of an operation's status, name, owner and version: 1024; of a run's
// version and site the first 1024 are kept); other text is part of the value. Nesting is as deep as the contract, five
// messages: each is read by code of its own, what is unknown is skipped without looking in, and groups are refused. So the
// work is linear in the value, and the stack is bounded.
//
// Events and operations allocate nothing. A batch allocates two vectors of views, which it keeps for reuse: together, and
// also while one of them grows, at most kDecodeBytesPerByte bytes a byte of value, and never more than kDecodeMostBytes.
// Nothing throws but std::bad_alloc for those.
inline constexpr std::size_t kDecodeBytesPerByte = 128;
inline constexpr std::size_t kDecodeMostBytes = 4 * 1024 * 1024;

/// The views point into `value` and live as long as it does.
[[nodiscard]] DecodeResult<EventView> decode_event(std::string_view value) noexcept;
[[nodiscard]] DecodeResult<void> decode_log_batch(std::string_view value, LogBatchView& out);
/// `key` is the record's key, which must be the operation's id.
[[nodiscard]] DecodeResult<OperationView> decode_operation(std::string_view key, std::optional<std::string_view> value) noexcept;

}  // namespace runfold::collector
