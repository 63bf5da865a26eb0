// A store in real trouble under a real Kafka: the collector pauses, stays in the group, says why, and goes on by itself.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include <sys/resource.h>

namespace runfold::collector::test {
namespace {

using runfold::test::http_get;
using runfold::test::lines_with;
using runfold::test::wait_until;
using testing::HasSubstr;

class StoreTrouble : public testing::Test {
 protected:
  StoreTrouble() : collector_("trouble") {}

  /// Sends records that are not numbered, so that one folded twice would count twice, and one lost not at all.
  void send(int count) {
    for (int i = 0; i < count; ++i, ++sent_) {
      auto event = about<v1::SyncEvent>("run-" + std::to_string(sent_ % 50));
      event.mutable_stats_committed()->mutable_stats()->set_entities_created(1);
      sender_.send(collector_.topics().events, "run-" + std::to_string(sent_ % 50), event.SerializeAsString());
      // Text that does not compress, so that the store grows.
      auto logs = about<v1::LogBatch>("run-" + std::to_string(sent_ % 50));
      logs.add_records()->set_severity(v1::SEVERITY_INFO);
      std::string text(20'000, ' ');
      for (char& c : text) c = static_cast<char>('!' + random_() % 90);
      logs.mutable_records(0)->set_message(text);
      sender_.send(collector_.topics().logs, "run-" + std::to_string(sent_ % 50), logs.SerializeAsString());
    }
  }

  std::string readyz() {
    const auto answer = http_get(collector_.url() + "/readyz");
    return answer ? answer->body : std::string();
  }
  /// Sends until /readyz speaks of the store; what it says.
  std::string trouble() {
    std::string said;
    const bool told = wait_until([&] {
      if (!collector_.running()) return true;
      send(20);
      said = readyz();
      return said.find("\"store\"") != std::string::npos;
    });
    return told ? said : "no trouble was told: " + said;
  }

  /// Everything that was sent is in the store once, and the collector never left the group.
  void expect_all_folded() {
    EXPECT_TRUE(collector_.ready()) << collector_.said();
    std::uint64_t entities = 0, logs = 0;
    EXPECT_TRUE(wait_until([&] {
      entities = logs = 0;
      for (std::uint64_t run = 0; run < std::min<std::uint64_t>(sent_, 50); ++run) {
        const auto answer = http_get(collector_.url() + "/api/v1/runs/run-" + std::to_string(run));
        if (!answer || answer->status != 200) return false;
        entities += number_in(answer->body, "\"entities_created\":");
        logs += number_in(answer->body, "\"6\":");
      }
      return entities >= sent_ && logs >= sent_;
    })) << collector_.said();
    EXPECT_EQ(entities, sent_);
    EXPECT_EQ(logs, sent_);
    EXPECT_EQ(lines_with(collector_.said(), "assigned "), 1) << "it left the group:\n" << collector_.said();
    EXPECT_EQ(lines_with(collector_.said(), "commits succeed again"), 1) << collector_.said();
    EXPECT_GE(lines_with(collector_.said(), "a batch cannot be committed"), 1) << collector_.said();
    EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
  }

  static std::uint64_t number_in(const std::string& json, const std::string& key) {
    const auto at = json.find(key);
    return at == std::string::npos ? 0 : std::strtoull(json.c_str() + at + key.size(), nullptr, 10);
  }

  CollectorUnderTest collector_;
  Sender sender_;
  std::minstd_rand random_;
  std::uint64_t sent_ = 0;
};

/// A mount namespace with a small file system of its own can be had here.
bool may_mount() {
  return std::system("unshare --mount --map-root-user sh -c 'mount -t tmpfs -o size=1m none /mnt' >/dev/null 2>&1") == 0;  // NOLINT
}

TEST_F(StoreTrouble, AFullDiskIsWaitedOut) {
  if (!may_mount()) {
    std::cerr << "SKIPPED: no mount namespace can be had here, so no disk can be made full\n";
    GTEST_SKIP() << "no mount namespace can be had";
  }
  collector_.start_on_small_disk("24m");
  ASSERT_TRUE(collector_.ready()) << collector_.said();
  send(10);
  // Another's file takes what is left.
  const auto ballast = collector_.disk() / "ballast";
  {
    std::ofstream file(ballast, std::ios::binary);
    const std::string block(64 * 1024, 'b');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  const std::string said = trouble();
  EXPECT_THAT(said, HasSubstr("full"));
  EXPECT_THAT(said, HasSubstr("make space"));
  EXPECT_TRUE(collector_.running()) << collector_.said();
  std::filesystem::remove(ballast);
  expect_all_folded();
}

TEST_F(StoreTrouble, ADatabaseThatAnotherProcessHoldsIsWaitedOut) {
  collector_.start();
  ASSERT_TRUE(collector_.ready()) << collector_.said();
  send(10);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(collector_.store_path().c_str(), &other), SQLITE_OK);
  sqlite3_busy_timeout(other, 10'000);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::string said = trouble();
  EXPECT_THAT(said, HasSubstr("another connection holds"));
  EXPECT_TRUE(collector_.running()) << collector_.said();
  ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  expect_all_folded();
}

TEST_F(StoreTrouble, FilesThatCanNoLongerBeWrittenAreWaitedOut) {
  collector_.start();
  ASSERT_TRUE(collector_.ready()) << collector_.said();
  send(10);
  // Every write beyond the first byte of a file fails from now on, whoever owns it and whatever was open before.
  rlimit before{};
  ASSERT_EQ(::prlimit(collector_.pid(), RLIMIT_FSIZE, nullptr, &before), 0);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::prlimit(collector_.pid(), RLIMIT_FSIZE, &none, nullptr), 0);
  const std::string said = trouble();
  EXPECT_THAT(said, HasSubstr("store.db"));
  EXPECT_THAT(said, HasSubstr("writing"));
  EXPECT_TRUE(collector_.running()) << collector_.said();
  ASSERT_EQ(::prlimit(collector_.pid(), RLIMIT_FSIZE, &before, nullptr), 0);
  expect_all_folded();
}

}  // namespace
}  // namespace runfold::collector::test
