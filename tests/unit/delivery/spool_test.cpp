// Records on disk: what is written is read back in order, what is not whole is lost alone and said, what is settled goes.
#include "producer/delivery/spool.hpp"

#include "tests/support/small_files.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace runfold::delivery {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string value_of(std::uint64_t number) {
  return "record " + std::to_string(number) + std::string(number % 7, '.');
}

SpoolFrame frame_of(std::uint64_t number, const std::string& value) {
  return {.token = number + 100,
          .run_number = 3,
          .channel = number % 2 == 0 ? Channel::kEvents : Channel::kLogs,
          .records = static_cast<std::uint32_t>(number),
          .sequence = number << 40,
          .time_ns = -1,
          .names = {.run_id = "a run", .attempt = 2, .source_id = "a source", .connector_id = "a connector"},
          .traceparent = "00-trace",
          .tracestate = "",
          .value = value};
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class SpoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> open(std::uint64_t file_bytes = 4 * 1024 * 1024) {
    auto folder = SpoolFolder::make(path_);
    EXPECT_TRUE(folder.has_value());
    const auto tell = [this](const std::string& what) { said_.push_back(what); };
    return std::make_unique<Spool>(std::move(*folder), Spool::Options{.file_bytes = file_bytes, .tell = tell});
  }
  static void append(Spool& spool, std::uint64_t from, std::uint64_t to, bool parked = true) {
    for (auto number = from; number <= to; ++number) {
      const auto ordinal = spool.append(frame_of(number, value_of(number)), parked);
      ASSERT_TRUE(ordinal.has_value());
      EXPECT_EQ(*ordinal, number);
    }
  }
  /// Reads all; each must be as it was written, and follow on the one before.
  static std::vector<std::uint64_t> read_all(Spool& spool) {
    std::vector<std::uint64_t> out;
    for (;;) {
      const auto frame = spool.read_next();
      EXPECT_TRUE(frame.has_value());
      if (!*frame) return out;
      const auto number = (*frame)->ordinal;
      const std::string value = value_of(number);
      const auto told = frame_of(number, value);
      EXPECT_EQ((*frame)->value, value);
      EXPECT_EQ((*frame)->token, told.token);
      EXPECT_EQ((*frame)->sequence, told.sequence);
      EXPECT_EQ((*frame)->channel, told.channel);
      EXPECT_EQ((*frame)->records, told.records);
      EXPECT_EQ((*frame)->time_ns, -1);
      EXPECT_EQ((*frame)->names.run_id, "a run");
      EXPECT_EQ((*frame)->names.connector_id, "a connector");
      out.push_back(number);
    }
  }
  static std::vector<std::uint64_t> up_to(std::uint64_t last) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t i = 1; i <= last; ++i) out.push_back(i);
    return out;
  }
  fs::path only_file() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (entry.path().extension() == ".spool") found = entry.path();
    }
    return found;
  }

  test::TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "spool" / "producer-x";
  std::vector<std::string> said_;
};

TEST(Crc32c, IsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST_F(SpoolTest, WhatAProducerLeftIsReadBackInItsOrder) {
  {
    auto spool = open(64 * 1024);
    append(*spool, 1, 5000);
  }
  auto spool = open();
  EXPECT_TRUE(spool->has_unread());
  EXPECT_EQ(read_all(*spool), up_to(5000));
  EXPECT_TRUE(said_.empty());
  for (std::uint64_t i = 1; i <= 5000; ++i) spool->settle(i);
  EXPECT_EQ(spool->bytes(), 0U);
  EXPECT_TRUE(spool->finished());
  spool.reset();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SpoolTest, OnlyItsUserMayReadIt) {
  auto spool = open();
  append(*spool, 1, 1);
  const auto mode = [](const fs::path& path) { return static_cast<unsigned>(fs::status(path).permissions()); };
  EXPECT_EQ(mode(path_), 0700U);
  EXPECT_EQ(mode(path_.parent_path()), 0700U);
  for (const auto& entry : fs::directory_iterator(path_)) EXPECT_EQ(mode(entry.path()), 0600U) << entry.path();
}

TEST_F(SpoolTest, AFolderHasOneHolder) {
  auto first = SpoolFolder::make(path_);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(SpoolFolder::take(path_).error(), boost::system::errc::device_or_resource_busy);
  { const auto gone = std::move(*first); }
  EXPECT_TRUE(SpoolFolder::take(path_).has_value());
}

TEST_F(SpoolTest, ALockOnARemovedFolderHoldsNothing) {
  auto first = SpoolFolder::make(path_);
  ASSERT_TRUE(first.has_value());
  auto late = SpoolFile::open(path_ / "lock", O_RDWR);
  ASSERT_TRUE(late.has_value());
  first->remove();
  EXPECT_EQ(late->lock(), boost::system::errc::no_such_file_or_directory);
  EXPECT_TRUE(SpoolFolder::make(path_).has_value());
}

TEST_F(SpoolTest, AWriteTornAtAnyByteLosesThatRecordAlone) {
  {
    auto spool = open();
    append(*spool, 1, 3);
  }
  const fs::path file = only_file();
  const auto three = fs::file_size(file);
  {
    auto spool = open();
    EXPECT_EQ(read_all(*spool), up_to(3));
  }
  fs::remove_all(path_);
  {
    auto spool = open();
    append(*spool, 1, 4);
  }
  const std::string whole = read_file(file);
  for (std::size_t size = three; size <= whole.size(); ++size) {
    write_file(file, whole.substr(0, size));
    said_.clear();
    {
      auto spool = open();
      EXPECT_EQ(read_all(*spool), up_to(size == whole.size() ? 4 : 3)) << size;
    }
    const bool torn = size > three && size < whole.size();
    ASSERT_EQ(said_.size(), torn ? 1U : 0U) << size;
    if (!torn) continue;
    EXPECT_THAT(said_[0], HasSubstr(file.string() + " breaks off at byte " + std::to_string(three)));
  }
}

TEST_F(SpoolTest, AWrongByteAnywhereCostsWhatStandsFromItOnAndIsSaid) {
  {
    auto spool = open();
    append(*spool, 1, 4);
  }
  const fs::path file = only_file();
  const std::string whole = read_file(file);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int wrong : {0x01, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ wrong);
      fs::remove_all(path_);
      fs::create_directories(path_);
      write_file(file, bytes);
      said_.clear();
      auto spool = open();
      const auto read = read_all(*spool);
      EXPECT_LT(read.size(), 4U) << at;
      EXPECT_EQ(read, up_to(read.size())) << at;
      ASSERT_EQ(said_.size(), 1U) << at;
      EXPECT_THAT(said_[0], HasSubstr(file.string()));
      for (const auto number : read) spool->settle(number);
      EXPECT_TRUE(spool->finished());
    }
  }
}

TEST_F(SpoolTest, AFileThatIsDamagedInItsMiddleIsSetAsideAndTheNextOnesAreRead) {
  {
    auto spool = open(64 * 1024);
    append(*spool, 1, 5000);
  }
  const fs::path first = path_ / "0000000001.spool";
  std::string bytes = read_file(first);
  bytes[bytes.size() / 2] ^= 1;
  write_file(first, bytes);
  auto spool = open();
  const auto read = read_all(*spool);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("is damaged at byte"));
  EXPECT_EQ(read.back(), 5000U);
  EXPECT_LT(read.size(), 5000U);
  for (const auto number : read) spool->settle(number);
  spool.reset();
  EXPECT_TRUE(fs::exists(first.string() + ".damaged"));
  EXPECT_FALSE(fs::exists(first));
  said_.clear();
  open().reset();  // and nobody is told again
  EXPECT_TRUE(said_.empty());
}

TEST_F(SpoolTest, AFileThatWasRemovedIsLostAloneAndSaidAndCounted) {
  auto spool = open(64 * 1024);
  append(*spool, 1, 5000);
  const auto before = spool->unread_records();
  fs::remove(path_ / "0000000002.spool");
  const auto read = read_all(*spool);
  EXPECT_LT(read.size(), 5000U);
  EXPECT_EQ(read.front(), 1U);
  EXPECT_EQ(read.back(), 5000U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("0000000002.spool was removed"));
  std::uint64_t got = 0;
  for (const auto number : read) got += number;
  const auto lost = spool->take_lost();
  EXPECT_EQ(lost[0] + lost[1], before[0] + before[1] - got);
  for (const auto number : read) spool->settle(number);
  EXPECT_TRUE(spool->finished());
}

TEST_F(SpoolTest, AFileThatCannotBeReadForOnceIsReadLater) {
  auto spool = open();
  append(*spool, 1, 10);
  const fs::path file = only_file();
  const fs::path elsewhere = folder_.path() / "elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);  // which is not followed
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(spool->read_next().has_value());
  fs::rename(elsewhere, file);
  EXPECT_EQ(read_all(*spool), up_to(10));
  EXPECT_TRUE(said_.empty());
}

TEST_F(SpoolTest, AFileThatCannotBeReadForGoodIsSetAsideAfterSomeTries) {
  auto spool = open(64 * 1024);
  append(*spool, 1, 5000);
  const fs::path first = path_ / "0000000001.spool";
  const fs::path elsewhere = folder_.path() / "elsewhere";
  fs::rename(first, elsewhere);
  fs::create_symlink(elsewhere, first);
  int tries = 0;
  while (!spool->read_next()) ASSERT_LT(++tries, 10);
  EXPECT_GT(tries, 1);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr(first.string() + " cannot be read"));
  EXPECT_TRUE(fs::is_symlink(first.string() + ".damaged"));
  const auto lost = spool->take_lost();
  EXPECT_GT(lost[0] + lost[1], 0U);
  EXPECT_EQ(read_all(*spool).back(), 5000U);
}

TEST_F(SpoolTest, AFolderThatWasRemovedIsMadeAnewAndHeldAgain) {
  auto spool = open();
  append(*spool, 1, 3, false);
  fs::remove_all(path_.parent_path());
  spool->leave_removed_file();
  append(*spool, 4, 6, false);
  EXPECT_EQ(SpoolFolder::take(path_).error(), boost::system::errc::device_or_resource_busy);
  for (std::uint64_t i = 1; i <= 4; ++i) spool->settle(i);
  spool.reset();
  spool = open();
  EXPECT_EQ(read_all(*spool), (std::vector<std::uint64_t>{5, 6}));
  for (const std::uint64_t i : {5, 6}) spool->settle(i);
  EXPECT_TRUE(said_.empty());
  spool.reset();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SpoolTest, WhatTheMarkSaysIsSettledIsNotReadAgain) {
  {
    auto spool = open();
    append(*spool, 1, 10, false);
    for (const std::uint64_t settled : {1, 2, 4, 3, 7}) spool->settle(settled);
    spool->write_mark();
  }
  {
    auto spool = open();
    EXPECT_EQ(read_all(*spool), (std::vector<std::uint64_t>{5, 6, 7, 8, 9, 10}));
    spool->settle(5);
  }
  auto spool = open();
  EXPECT_EQ(read_all(*spool), (std::vector<std::uint64_t>{6, 7, 8, 9, 10}));
}

TEST_F(SpoolTest, AMarkThatIsNotWholeSaysNothing) {
  {
    auto spool = open();
    append(*spool, 1, 3, false);
    spool->settle(1);
  }
  std::string mark = read_file(path_ / "settled");
  ASSERT_EQ(mark.size(), 12U);
  mark[1] ^= 4;
  write_file(path_ / "settled", mark);
  auto spool = open();
  EXPECT_EQ(read_all(*spool), up_to(3));
}

TEST_F(SpoolTest, AFileGoesWhenAllInItIsSettledInWhateverOrder) {
  auto spool = open(64 * 1024);
  append(*spool, 1, 5000, false);
  EXPECT_GT(spool->bytes(), 400'000U);
  for (std::uint64_t i = 5000; i > 1; --i) spool->settle(i);
  EXPECT_LE(spool->bytes(), 130U * 1024U) << "the first file, for its first record, and the one that is written";
  EXPECT_TRUE(fs::exists(path_ / "0000000001.spool"));
  spool->settle(1);
  EXPECT_FALSE(fs::exists(path_ / "0000000001.spool"));
  EXPECT_LE(spool->bytes(), 64U * 1024U);
  append(*spool, 5001, 5001, false);
  EXPECT_FALSE(spool->has_unread());
}

TEST_F(SpoolTest, ParkedRecordsAreReadWhileMoreAreParked) {
  auto spool = open(64 * 1024);
  append(*spool, 1, 10, false);
  EXPECT_FALSE(spool->has_unread());
  std::uint64_t parked = 10;
  std::uint64_t read = 10;
  for (int turn = 0; turn < 400; ++turn) {
    append(*spool, parked + 1, parked + 20);
    parked += 20;
    for (int i = 0; i < 15; ++i) {
      const auto frame = spool->read_next();
      ASSERT_TRUE(frame.has_value() && frame->has_value());
      EXPECT_EQ((*frame)->ordinal, ++read);
      spool->settle(read);
    }
  }
  const auto unread = spool->unread_records();
  EXPECT_EQ(unread[0] + unread[1], (read + 1 + parked) * (parked - read) / 2);
  while (read < parked) {
    EXPECT_EQ((**spool->read_next()).ordinal, ++read);
    spool->settle(read);
  }
  EXPECT_FALSE(spool->has_unread());
  append(*spool, parked + 1, parked + 1, false);
  EXPECT_FALSE(spool->has_unread());
}

TEST_F(SpoolTest, AWriteThatTheDiskBreaksOffAtAnyByteLeavesNothing) {
  std::uint64_t whole = 0;
  {
    auto spool = open();
    append(*spool, 1, 3);
    whole = spool->bytes();
  }
  for (std::uint64_t room = 0; room < whole; ++room) {
    fs::remove_all(path_);
    std::uint64_t kept = 0;
    {
      auto spool = open();
      {
        const test::SmallFiles full(room);
        while (spool->append(frame_of(kept + 1, value_of(kept + 1)), true)) ++kept;
      }
      EXPECT_LT(kept, 3U);
      append(*spool, kept + 1, kept + 1);
      ++kept;
    }
    auto spool = open();
    EXPECT_EQ(read_all(*spool), up_to(kept)) << room;
    EXPECT_TRUE(said_.empty());
  }
}

}  // namespace
}  // namespace runfold::delivery
