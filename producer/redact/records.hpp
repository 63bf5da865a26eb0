// Replaces the secrets of a whole record, field by field.
#pragma once

#include "producer/redact/redactor.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"

#include <optional>

namespace runfold::redact {

// Each gives the record without its secrets, and without fields that this program does not know: nobody could say what stands in them.
// Absent: it has none, and nothing was allocated to see that, once prepare() was called.

/// Has protobuf make what it makes at the first look at a message.
void prepare();

/// Of a response body that is cut off, what may be the beginning of a secret goes too.
[[nodiscard]] std::optional<v1::LogRecord> redacted(const Redactor& redactor, const v1::LogRecord& record);
/// Every text of it but its identity's. Trace context that holds a registered secret goes as a whole.
[[nodiscard]] std::optional<v1::SyncEvent> redacted(const Redactor& redactor, const v1::SyncEvent& event);

/// Every text but the id, which is the record's key.
void redact(const Redactor& redactor, v1::Operation& operation);

}  // namespace runfold::redact
