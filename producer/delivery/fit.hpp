// Makes records fit the limits of the wire: valid UTF-8, names and texts of a bounded size.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <cstddef>

namespace runfold::delivery {

/// Longest name (run, step) that the contract allows. Unit: bytes.
inline constexpr std::size_t kMaxNameBytes = 200;

/// True when the record can go onto the wire as it stands.
[[nodiscard]] bool fits(const v1::LogRecord& record, std::size_t record_bytes);
[[nodiscard]] bool fits(const v1::SyncEvent& event, std::size_t record_bytes);

/// Makes a log record fit. Invalid UTF-8 in the message is replaced by U+FFFD, and raw keeps the bytes. Of a record that is
/// too large, message keeps a half of the limit, raw and the response body an eighth each, detail becomes
/// {"truncated": "its beginning"}; truncated is set. False when it is too large even so.
[[nodiscard]] bool fit(v1::LogRecord& record, std::size_t record_bytes);

/// Makes an event fit: names are cut to kMaxNameBytes, errors and messages to half of the limit, ending in " [cut]".
/// False when it is too large even so.
[[nodiscard]] bool fit(v1::SyncEvent& event, std::size_t record_bytes);

}  // namespace runfold::delivery
