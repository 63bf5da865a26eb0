// Tells whether the record at an offset is the one that was taken there.
#pragma once

#include "collector/store/batch.hpp"
#include "transport/kafka/record.hpp"

namespace runfold::collector {

/// What to remember of a record. Cheap enough for every record: its sizes, and the first and last 16 bytes of key and value,
/// stand for all its bytes; with the time, no other record will have the same by chance. Equal on every machine and release.
[[nodiscard]] LastRecord last_record(const kafka::InRecord& record) noexcept;

}  // namespace runfold::collector
