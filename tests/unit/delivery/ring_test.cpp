// The ring: order, bounds, closing, and many writers at once.
#include "producer/delivery/ring.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace runfold::delivery {
namespace {

bool put(Ring& ring, std::string_view text, std::size_t up_to = 0) {
  const auto claim = ring.claim(text.size(), up_to == 0 ? ring.bound_bytes() : up_to);
  if (claim.data == nullptr) return false;
  std::memcpy(claim.data, text.data(), text.size());
  ring.commit(claim, text.size());
  return true;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Ring, RecordsOfAnySizeComeOutAsTheyWentInOverManyLaps) {
  std::mt19937 random(7);
  Ring ring(4096);
  std::deque<std::string> oracle;
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text(random() % 600, static_cast<char>('a' + i % 26));
    if (put(ring, text)) {
      oracle.push_back(text);
    } else {
      ++refused;
    }
    for (unsigned n = random() % 3; n > 0 && !oracle.empty(); --n) {
      ASSERT_EQ(text_of(ring.front()), oracle.front());
      ring.pop();
      oracle.pop_front();
    }
    if (oracle.empty()) ring.publish();
  }
  EXPECT_GT(refused, 0U);
  for (; !oracle.empty(); oracle.pop_front(), ring.pop()) ASSERT_EQ(text_of(ring.front()), oracle.front());
  EXPECT_TRUE(ring.front().empty());
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, ARecordMayBecomeSmallerThanItsClaimAndItsWriterMayWriteALittleBeyondIt) {
  std::mt19937 random(9);
  Ring ring(4096);
  std::deque<std::string> oracle;
  for (int i = 0; i < 5'000; ++i) {
    const std::size_t most = random() % 400;
    const std::string text(random() % (most + 1), static_cast<char>('a' + i % 26));
    const auto claim = ring.claim(most, ring.bound_bytes());
    if (claim.data != nullptr) {
      std::memset(claim.data, '#', most + Ring::kSpareBytes);
      std::memcpy(claim.data, text.data(), text.size());
      ring.commit(claim, text.size());
      oracle.push_back(text);
    }
    while (oracle.size() > random() % 8) {
      ASSERT_EQ(text_of(ring.front()), oracle.front());
      ring.pop();
      oracle.pop_front();
    }
    ring.publish();
  }
}

TEST(Ring, ALargeClaimIsNotRefusedForOldNewsOfTheReader) {
  Ring ring(4096);
  ASSERT_TRUE(put(ring, std::string(200, 'x')));
  ASSERT_FALSE(ring.front().empty());
  ring.pop();
  ring.publish();
  // No writer has had to know of that yet.
  EXPECT_TRUE(put(ring, std::string(1900, 'y'), ring.bound_bytes() / 2));
}

/// Whether the page that a byte stands in has memory.
bool is_resident(const std::byte* at) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  unsigned char resident = 0;
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(at) / page * page), page, &resident), 0);
  return (resident & 1) != 0;
}

TEST(Ring, WritersFindMemoryWhereTheReaderHasMadeItReady) {
  Ring ring(8 * 1024 * 1024);
  const auto first = ring.claim(8, ring.bound_bytes());
  ring.commit(first, 8);
  const std::byte* later = first.data + 128 * 1024;
  const std::byte* much_later = first.data + 4 * 1024 * 1024;
  ASSERT_FALSE(is_resident(later));
  ring.populate();
  if (!is_resident(first.data + 4096)) GTEST_SKIP() << "this kernel has no MADV_POPULATE_WRITE";
  EXPECT_TRUE(is_resident(later));
  EXPECT_FALSE(is_resident(much_later)) << "no more memory than is about to be used";
  for (int i = 0; i < 4; ++i) ring.commit(ring.claim(1024 * 1024, ring.bound_bytes()), 1024 * 1024);
  ring.populate();
  EXPECT_TRUE(is_resident(much_later + 128 * 1024));
}

TEST(Ring, ARecordNotYetCommittedHoldsBackThoseBehindIt) {
  Ring ring(4096);
  const auto slow = ring.claim(4, 4096);
  ASSERT_TRUE(put(ring, "fast"));
  EXPECT_TRUE(ring.front().empty());
  EXPECT_FALSE(ring.empty());
  std::memcpy(slow.data, "slow", 4);
  ring.commit(slow, 4);
  EXPECT_EQ(text_of(ring.front()), "slow");
  ring.pop();
  EXPECT_EQ(text_of(ring.front()), "fast");
}

TEST(Ring, ARefusedClaimTakesNothingAndSpaceComesBackWhenRead) {
  Ring ring(1024);
  const std::string big(900, 'x');
  ASSERT_TRUE(put(ring, big));
  const auto refused = ring.claim(200, 1024);
  EXPECT_EQ(refused.refusal, Ring::Refusal::kFull);
  EXPECT_TRUE(put(ring, std::string(64, 'y')));
  EXPECT_EQ(text_of(ring.front()), big);
  ring.pop();
  ring.publish();
  EXPECT_TRUE(put(ring, std::string(200, 'z')));
  EXPECT_EQ(ring.records(), 3U);
}

TEST(Ring, AClaimSeesOnlyItsShareOfTheRing) {
  Ring ring(1024);
  int small = 0;
  while (put(ring, std::string(32, 'd'), 512)) ++small;
  EXPECT_EQ(small, 512 / 48) << "with 8 bytes before it and 8 behind it";
  EXPECT_TRUE(put(ring, std::string(40, 'e'), 1024));
  EXPECT_FALSE(put(ring, std::string(40, 'd'), 512));
}

TEST(Ring, AClosedRingRefusesAndStillGivesWhatItHolds) {
  Ring ring(1024);
  ASSERT_TRUE(put(ring, "before"));
  ring.close();
  EXPECT_EQ(ring.claim(5, 1024).refusal, Ring::Refusal::kClosed);
  EXPECT_EQ(text_of(ring.front()), "before");
  ring.pop();
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, WritersOnManyThreadsLoseNothingAndKeepTheirOwnOrder) {
  constexpr int kWriters = 8;
  constexpr std::uint32_t kEach = 20'000;
  Ring ring(16 * 1024);
  std::vector<std::thread> writers;
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&ring, writer] {
      for (std::uint32_t i = 0; i < kEach;) {
        const std::uint32_t fields[2] = {writer, i};
        std::string text(8 + (i * 7 + writer) % 90, 'p');
        std::memcpy(text.data(), fields, sizeof fields);
        if (put(ring, text)) {
          ++i;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::uint32_t next[kWriters] = {};
  for (std::uint32_t read = 0; read < kWriters * kEach;) {
    const auto bytes = ring.front();
    if (bytes.empty()) {
      ring.publish();
      std::this_thread::yield();
      continue;
    }
    std::uint32_t fields[2];
    std::memcpy(fields, bytes.data(), sizeof fields);
    EXPECT_EQ(fields[1], next[fields[0]]++);
    EXPECT_EQ(bytes.size(), 8 + (fields[1] * 7 + fields[0]) % 90);
    ring.pop();
    ++read;
  }
  for (auto& writer : writers) writer.join();
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.records(), std::uint64_t{kWriters} * kEach);
}

}  // namespace
}  // namespace runfold::delivery
