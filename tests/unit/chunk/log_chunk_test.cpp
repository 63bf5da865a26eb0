// Log chunks: what goes in comes out, and damage is noticed.
#include "collector/log_chunk.hpp"

#include <gmock/gmock.h>

#include <string>

namespace runfold::collector {
namespace {

using ::testing::HasSubstr;

v1::LogBatch some_records(int count) {
  v1::LogBatch batch;
  for (int i = 0; i < count; ++i) {
    v1::LogRecord& record = *batch.add_records();
    record.set_message("uploaded invoice " + std::to_string(i));
    record.set_severity(v1::SEVERITY_INFO);
    record.set_stream(v1::LOG_STREAM_STDERR);
    record.mutable_logged_at()->set_seconds(1'700'000'000 + i);
  }
  return batch;
}

PendingLogs pending(const v1::LogBatch& batch) {
  PendingLogs logs;
  logs.key = {"r-1", 2};
  logs.chunk = 7;
  logs.records = static_cast<std::uint32_t>(batch.records_size());
  logs.first_ns = 1;
  logs.last_ns = 2;
  logs.severities = 0x40;
  logs.streams = 0x08;
  logs.batch = batch.SerializeAsString();
  return logs;
}

TEST(LogChunk, RecordsComeBackAsTheyWentIn) {
  const v1::LogBatch batch = some_records(500);
  const LogChunk chunk = to_chunk(pending(batch));
  const auto back = from_chunk(chunk);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->SerializeAsString(), batch.SerializeAsString());
}

TEST(LogChunk, ARecordAsLargeAsTheConfigurationEverAllowsIsReadAgain) {
  // The most that limits.record_bytes may be, less what stands around the text in a batch.
  v1::LogBatch batch;
  batch.add_records()->set_message(std::string(64 * 1024 * 1024 - 10, 'x'));
  ASSERT_EQ(batch.ByteSizeLong(), 64U * 1024U * 1024U);
  const auto back = from_chunk(to_chunk(pending(batch)));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->records(0).message().size(), batch.records(0).message().size());
}

TEST(LogChunk, WhatDescribesTheRecordsIsKept) {
  const LogChunk chunk = to_chunk(pending(some_records(3)));
  EXPECT_EQ(chunk.key, (RunKey{"r-1", 2}));
  EXPECT_EQ(chunk.chunk, 7U);
  EXPECT_EQ(chunk.records, 3U);
  EXPECT_EQ(chunk.first_ns, 1);
  EXPECT_EQ(chunk.last_ns, 2);
  EXPECT_EQ(chunk.severities, 0x40);
  EXPECT_EQ(chunk.streams, 0x08);
}

TEST(LogChunk, TextIsCompressed) {
  const v1::LogBatch batch = some_records(1000);
  EXPECT_LT(to_chunk(pending(batch)).data.size(), batch.ByteSizeLong() / 5);
}

TEST(LogChunk, AnEmptyBatchComesBackEmpty) {
  const auto back = from_chunk(to_chunk(pending({})));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->records_size(), 0);
}

TEST(LogChunk, AnyFlippedBitIsNoticedOrHarmless) {
  const v1::LogBatch batch = some_records(20);
  const LogChunk good = to_chunk(pending(batch));
  for (std::size_t i = 0; i < good.data.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      LogChunk damaged = good;
      damaged.data[i] = static_cast<char>(damaged.data[i] ^ (1 << bit));
      const auto back = from_chunk(damaged);
      if (back.has_value()) {
        EXPECT_EQ(back->SerializeAsString(), batch.SerializeAsString()) << "byte " << i;
      }
    }
  }
}

TEST(LogChunk, DamageNamesTheRunAndTheChunk) {
  LogChunk chunk = to_chunk(pending(some_records(20)));
  chunk.data.resize(chunk.data.size() / 2);
  const auto back = from_chunk(chunk);
  ASSERT_TRUE(back.has_error());
  EXPECT_EQ(back.error().code, StoreErrc::kCorrupt);
  EXPECT_THAT(back.error().message, HasSubstr("log chunk 7 of run r-1 (attempt 2)"));
}

TEST(LogChunk, NoDataIsDamage) {
  LogChunk chunk = to_chunk(pending(some_records(1)));
  chunk.data.clear();
  EXPECT_TRUE(from_chunk(chunk).has_error());
}

TEST(LogChunk, ABlockThatClaimsToBeHugeIsRefusedBeforeMemoryIsTaken) {
  LogChunk chunk = to_chunk(pending(some_records(1)));
  // A frame header with an eight-byte content size of 2^60, and nothing behind it.
  chunk.data = std::string("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10", 13);
  const auto back = from_chunk(chunk);
  ASSERT_TRUE(back.has_error());
  EXPECT_THAT(back.error().message, HasSubstr("more than 64 MiB"));
}

TEST(LogChunk, AnotherNumberOfRecordsThanPromisedIsDamage) {
  LogChunk chunk = to_chunk(pending(some_records(3)));
  chunk.records = 4;
  const auto back = from_chunk(chunk);
  ASSERT_TRUE(back.has_error());
  EXPECT_THAT(back.error().message, HasSubstr("3 records and should hold 4"));
}

TEST(LogChunk, TextThatIsNotLogRecordsIsDamage) {
  PendingLogs logs = pending(some_records(1));
  logs.batch = "\x07 this is not protobuf";
  EXPECT_TRUE(from_chunk(to_chunk(std::move(logs))).has_error());
}

}  // namespace
}  // namespace runfold::collector
