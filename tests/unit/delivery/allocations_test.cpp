// What is emitted by the thousand allocates nothing on the emitting thread.
#include "producer/delivery/queued.hpp"
#include "producer/redact/records.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

namespace {

thread_local std::size_t allocations = 0;

void* allocate(std::size_t size) {
  ++allocations;
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete[](void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}
void operator delete[](void* at, std::size_t) noexcept {
  std::free(at);
}

namespace runfold::delivery {
namespace {

constexpr std::size_t kRecordLimit = 4096;

TEST(Emitting, AllocatesNothingForARecordThatFits) {
  Ring ring(1 << 20);
  RunAccount run{RunDescription{}};
  v1::SyncEvent event;
  event.mutable_progress()->set_step_id("upload-all-the-invoices");
  event.mutable_progress()->set_message("a text that is too long for the small string");
  const std::string traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  v1::LogRecord record;
  record.set_message("a text that is too long for the small string");

  redact::Redactor redactor;
  ASSERT_TRUE(redactor.add("hunter2"));

  redact::prepare();
  allocations = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_FALSE(redact::redacted(redactor, event));
    ASSERT_FALSE(redact::redacted(redactor, record));
    ASSERT_FALSE(queue_event(ring, run, event, {.occurred_at_ns = 1, .traceparent = traceparent}, kRecordLimit).dropped);
    ASSERT_FALSE(queue_log(ring, run, record, 1, kRecordLimit).dropped);
    ASSERT_FALSE(queue_plain(ring, run, event.progress(), {.occurred_at_ns = 1, .traceparent = traceparent}).dropped);
    ASSERT_TRUE(texts_are_plain(redactor, record.message(), record.step_id()));
    ASSERT_FALSE(queue_log(ring, run, {.message = "a text that is too long for the small string"}, kRecordLimit).dropped);
  }
  EXPECT_EQ(allocations, 0U);
  event.mutable_progress()->set_message("\xff");
  ASSERT_FALSE(queue_event(ring, run, event, {.occurred_at_ns = 1}, kRecordLimit).dropped);
  EXPECT_GT(allocations, 0U) << "making it fit allocates, and this test would see it";
}

}  // namespace
}  // namespace runfold::delivery
