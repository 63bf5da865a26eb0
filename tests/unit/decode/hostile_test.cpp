// Hostile records: whatever the bytes, decoding throws nothing and allocates no more than decode.hpp states.
#include "collector/decode.hpp"

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "tests/support/random_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>

namespace {

/// What this thread has allocated since it was reset, and the most that was held at once.
struct Heap {
  std::size_t held = 0;
  std::size_t most = 0;
  std::size_t count = 0;
  void reset() { *this = {}; }
};
thread_local Heap heap;

/// Each block is preceded by its size.
constexpr std::size_t kAhead = alignof(std::max_align_t);

void* allocate(std::size_t size) {
  void* block = std::malloc(size + kAhead);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<std::size_t*>(block) = size;
  heap.held += size;
  heap.most = std::max(heap.most, heap.held);
  ++heap.count;
  return static_cast<char*>(block) + kAhead;
}

void release(void* at) noexcept {
  if (at == nullptr) return;
  void* block = static_cast<char*>(at) - kAhead;
  heap.held -= std::min(heap.held, *static_cast<std::size_t*>(block));
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* at) noexcept {
  release(at);
}
void operator delete[](void* at) noexcept {
  release(at);
}
void operator delete(void* at, std::size_t) noexcept {
  release(at);
}
void operator delete[](void* at, std::size_t) noexcept {
  release(at);
}

namespace runfold::collector {
namespace {

using runfold::test::RandomMessages;

/// Decodes the value as each of the three. Says what was allocated beyond what may be; empty: nothing.
std::string excess(const std::string& value) {
  heap.reset();
  (void)decode_event(value);
  (void)decode_operation("o-1", value);
  if (heap.count > 0) return "events and operations allocated " + std::to_string(heap.most) + " bytes";
  std::size_t most = 0;
  {
    LogBatchView batch;
    (void)decode_log_batch(value, batch);
    most = heap.most;
  }
  if (most > std::min(value.size() * kDecodeBytesPerByte, kDecodeMostBytes)) {
    return "a batch of " + std::to_string(value.size()) + " bytes allocated " + std::to_string(most);
  }
  return {};
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string value;
  value.reserve(part.size() * times);
  for (; times > 0; --times) value += part;
  return value;
}

TEST(HostileRecords, TheCounterSeesWhatIsAllocated) {
  heap.reset();
  { const std::string text(1000, 'x'); }
  EXPECT_EQ(heap.count, 1U);
  EXPECT_GE(heap.most, 1000U);
  EXPECT_EQ(heap.held, 0U);
}

TEST(HostileRecords, TheDensestBatchesStayWithinTheStatedMultiple) {
  const std::string empty_record("\x22\x00", 2);
  const std::string empty_call("\x22\x02\x52\x00", 4);
  const std::string identity("\x0a\x03\x0a\x01r", 5);
  for (std::size_t records = 1; records <= 20'000; records += 1 + records / 7) {
    for (const std::string& part : {empty_record, empty_call, empty_record + empty_call, empty_call + repeated(empty_record, 5)}) {
      EXPECT_EQ(excess(identity + repeated(part, records)), "") << records;
      EXPECT_EQ(excess(repeated(part, records) + "\xff"), "") << records;
    }
  }
  // All of these are refused, so nothing is gained by ever more of them.
  LogBatchView batch;
  const std::string beyond = identity + repeated(empty_record, 10'001);
  const auto refused = decode_log_batch(beyond, batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, DecodeErrc::kLimit);
}

TEST(HostileRecords, ABatchThatIsUsedAgainAllocatesNothingMore) {
  const std::string value = std::string("\x0a\x03\x0a\x01r", 5) + repeated(std::string("\x22\x02\x52\x00", 4), 5'000);
  LogBatchView batch;
  ASSERT_TRUE(decode_log_batch(value, batch));
  heap.reset();
  ASSERT_TRUE(decode_log_batch(value, batch));
  EXPECT_EQ(heap.count, 0U);
}

TEST(HostileRecords, MessagesWithinMessagesCostNoStack) {
  // Every level that the contract has, and then a million that it has not: they are skipped, not walked into.
  std::string nested;
  for (int level = 0; level < 1'000'000; ++level) nested.insert(nested.end(), {'\x52', '\x02'});
  EXPECT_EQ(excess(nested), "");
  EXPECT_EQ(excess(repeated("\x0b", 1'000'000)), "");  // groups
  EXPECT_EQ(excess(std::string(4 * 1024 * 1024, '\xff')), "");
  EXPECT_EQ(excess(std::string(4 * 1024 * 1024, '\0')), "");
}

TEST(HostileRecords, LabelsAndFieldsBeyondTheirBoundsAreRefused) {
  v1::Operation operation;
  operation.set_operation_id("o-1");
  operation.set_status(std::string(1024, 's'));
  EXPECT_TRUE(decode_operation("o-1", operation.SerializeAsString()));
  for (const auto& set :
       {+[](v1::Operation& o) { o.set_status(std::string(1025, 'x')); }, +[](v1::Operation& o) { o.set_name(std::string(1025, 'x')); },
        +[](v1::Operation& o) { o.set_owner_id(std::string(1025, 'x')); },
        +[](v1::Operation& o) { o.set_version(std::string(1025, 'x')); }}) {
    v1::Operation longer = operation;
    set(longer);
    const std::string bytes = longer.SerializeAsString();
    const auto refused = decode_operation("o-1", bytes);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, DecodeErrc::kLimit);
  }
  const std::string many = repeated(std::string("\x10\x01", 2), 1'001);
  const auto event = decode_event(many);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, DecodeErrc::kLimit);
}

/// Random messages, damaged once, twice and often; and bytes of no message at all.
TEST(HostileRecords, NoDamageMakesThemThrowOrAllocateMore) {
  for (std::uint64_t seed = 0; seed < 4'000; ++seed) {
    RandomMessages random(seed);
    v1::SyncEvent event;
    v1::LogBatch batch;
    v1::Operation operation;
    random.fill(event);
    random.fill(batch);
    random.fill(operation);
    for (std::string value : {event.SerializeAsString(), batch.SerializeAsString(), operation.SerializeAsString()}) {
      ASSERT_EQ(excess(value), "") << "seed " << seed;
      for (int times = 0; times < 4; ++times) {
        value = random.damaged(std::move(value));
        ASSERT_NO_THROW(ASSERT_EQ(excess(value), "") << "seed " << seed);
      }
    }
    std::string noise(random.below(300), '\0');
    for (char& byte : noise) byte = static_cast<char>(random.below(256));
    ASSERT_NO_THROW(ASSERT_EQ(excess(noise), "") << "seed " << seed);
  }
}

}  // namespace
}  // namespace runfold::collector
