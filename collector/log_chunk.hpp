// Log records to compressed blocks and back.
#pragma once

#include "collector/rows.hpp"
#include "collector/store/batch.hpp"
#include "collector/store/error.hpp"
#include "runfold/v1/log.pb.h"

namespace runfold::collector {

/// Compresses (zstd, with a checksum of the content).
[[nodiscard]] LogChunk to_chunk(PendingLogs logs);

/// The records of a chunk, in order. Errors: kCorrupt names the run and the chunk.
[[nodiscard]] StoreResult<v1::LogBatch> from_chunk(const LogChunk& chunk);

}  // namespace runfold::collector
