// Log records to compressed blocks (zstd) and back.
#include "collector/log_chunk.hpp"

#include <zstd.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::collector {
namespace {

/// A good ratio on log text at a few hundred MB/s.
constexpr int kLevel = 3;
/// A block that says it holds more than this is damaged: one chunk is a mebibyte of records, or one larger record.
constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

StoreError corrupt(const LogChunk& chunk, std::string_view what) {
  std::string message = "log chunk " + std::to_string(chunk.chunk) + " of run " + chunk.key.run_id + " (attempt " +
                        std::to_string(chunk.key.attempt) + ") is damaged: ";
  message.append(what).append("; restore the store from a backup or rebuild it from the topics");
  return {StoreErrc::kCorrupt, std::move(message)};
}

}  // namespace

LogChunk to_chunk(PendingLogs logs) {
  // Contexts cost a mebibyte to make: one a thread, used again.
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  LogChunk chunk;
  chunk.chunk = logs.chunk;
  chunk.records = logs.records;
  chunk.first_ns = logs.first_ns;
  chunk.last_ns = logs.last_ns;
  chunk.severities = logs.severities;
  chunk.streams = logs.streams;
  chunk.key = std::move(logs.key);
  chunk.data.resize(ZSTD_compressBound(logs.batch.size()));
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  const std::size_t size = ZSTD_compress2(context.get(), chunk.data.data(), chunk.data.size(), logs.batch.data(), logs.batch.size());
  // The room suffices for any input, so only memory can fail it.
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  chunk.data.resize(size);
  chunk.data.shrink_to_fit();
  return chunk;
}

StoreResult<v1::LogBatch> from_chunk(const LogChunk& chunk) {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  const unsigned long long size = ZSTD_getFrameContentSize(chunk.data.data(), chunk.data.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return corrupt(chunk, "it does not begin like one");
  if (size > kMaxBytes) return corrupt(chunk, "it says it holds more than 64 MiB");
  std::string batch(size, '\0');
  const std::size_t got = ZSTD_decompressDCtx(context.get(), batch.data(), batch.size(), chunk.data.data(), chunk.data.size());
  if (ZSTD_isError(got) != 0) return corrupt(chunk, ZSTD_getErrorName(got));
  if (got != size) return corrupt(chunk, "it holds less than it says");
  v1::LogBatch records;
  if (!records.ParseFromString(batch)) return corrupt(chunk, "what it holds is not log records");
  if (static_cast<std::uint32_t>(records.records_size()) != chunk.records) {
    return corrupt(chunk,
                   "it holds " + std::to_string(records.records_size()) + " records and should hold " + std::to_string(chunk.records));
  }
  return records;
}

}  // namespace runfold::collector
