// The file of an agent's jobs: what it gives back, what it holds, and what damage does.
#include "producer/agent/job_file.hpp"
#include "producer/agent/job_tokens.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace runfold::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

const std::string kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

RememberedJob job(const std::string& run_id) {
  RememberedJob job;
  job.options = {.run_id = run_id,
                 .attempt = 2,
                 .traceparent = kTraceparent,
                 .connector_id = "invoices",
                 .version = "2.1",
                 .site = "s\u00fcd \"acme\"\n",
                 .os_pid = 4711,
                 .account = "a-7",
                 .heartbeat_interval = milliseconds(2'500),
                 .started_at = std::chrono::system_clock::time_point(std::chrono::microseconds(1'700'000'000'123'456))};
  job.token_sha256 = JobTokens::hash_of("token of " + run_id);
  job.process = ProcessMark{.os_pid = 4711, .start_ticks = 123'456'789'012, .boot_id = "a-boot", .pid_namespace = "pid:[1]"};
  return job;
}

class JobFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<JobFile> file() {
    return std::make_unique<JobFile>(path, [this](const std::string& message) { told.push_back(message); });
  }
  std::vector<std::string> runs_left() {
    std::vector<std::string> runs;
    for (const auto& one : file()->open()) runs.push_back(one.options.run_id);
    std::sort(runs.begin(), runs.end());
    return runs;
  }
  void leave(const std::vector<std::string>& runs) {
    const auto own = file();
    static_cast<void>(own->open());
    for (const auto& run : runs) own->remember(job(run));
  }

  runfold::test::TemporaryFolder folder;
  fs::path path = folder.path() / "spool" / "agent-1.jobs";
  std::vector<std::string> told;
};
using Runs = std::vector<std::string>;

TEST_F(JobFileTest, GivesTheNextAgentAllThatIsKnownOfAJob) {
  leave({"run-1"});
  const auto next = file()->open();
  ASSERT_EQ(next.size(), 1U);
  const auto wanted = job("run-1");
  EXPECT_EQ(next[0].options.run_id, "run-1");
  EXPECT_EQ(next[0].options.attempt, 2U);
  EXPECT_EQ(next[0].options.traceparent, kTraceparent);
  EXPECT_EQ(next[0].options.connector_id, "invoices");
  EXPECT_EQ(next[0].options.version, "2.1");
  EXPECT_EQ(next[0].options.site, wanted.options.site);
  EXPECT_EQ(next[0].options.account, "a-7");
  EXPECT_EQ(next[0].options.os_pid, 4711U);
  EXPECT_EQ(next[0].options.heartbeat_interval, milliseconds(2'500));
  EXPECT_EQ(next[0].options.started_at, wanted.options.started_at);
  EXPECT_EQ(next[0].token_sha256, wanted.token_sha256);
  ASSERT_TRUE(next[0].process.has_value());
  EXPECT_EQ(next[0].process->os_pid, 4711);
  EXPECT_EQ(next[0].process->start_ticks, 123'456'789'012U);
  EXPECT_EQ(next[0].process->boot_id, "a-boot");
  EXPECT_EQ(next[0].process->pid_namespace, "pid:[1]");
  EXPECT_TRUE(told.empty());
}

TEST_F(JobFileTest, IsForItsUserAloneAndHasNoToken) {
  const auto own = file();
  EXPECT_TRUE(own->open().empty());
  own->remember(job("run-1"));
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(path.parent_path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700U);
  EXPECT_EQ(read(path).find("token of run-1"), std::string::npos);
  EXPECT_NE(read(path).find(JobTokens::hash_of("token of run-1")), std::string::npos);
}

TEST_F(JobFileTest, OneThatHasLeftIsForgottenAndWithTheLastTheFileGoes) {
  {
    const auto own = file();
    static_cast<void>(own->open());
    own->remember(job("run-1"));
    own->remember(job("run-2"));
    own->forget(job("run-1").token_sha256);
    own->forget(job("never registered").token_sha256);
  }
  {
    const auto next = file();
    ASSERT_EQ(next->open().size(), 1U);
    next->forget(job("run-2").token_sha256);
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(told.empty());
}

TEST_F(JobFileTest, StaysSmallHoweverManyJobsComeAndGo) {
  const auto own = file();
  static_cast<void>(own->open());
  own->remember(job("stays"));
  std::uintmax_t most = 0;
  for (int i = 0; i < 2'000; ++i) {
    own->remember(job("run"));
    own->forget(job("run").token_sha256);
    most = std::max(most, fs::file_size(path));
  }
  EXPECT_GT(most, 32U * 1024) << "it is not written anew each time";
  EXPECT_LT(most, 128U * 1024);
  EXPECT_EQ(read(path).find("stays") != std::string::npos, true);
}

TEST_F(JobFileTest, TwoAgentsNeverHaveTheSameJobs) {
  leave({"run-1"});
  const auto one = file();
  EXPECT_EQ(one->open().size(), 1U);
  const auto other = file();
  EXPECT_TRUE(other->open().empty());
  EXPECT_FALSE(other->is_held());
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("is in use by another agent on the same port"), std::string::npos) << told[0];
  other->remember(job("run-2"));
  // Also once the file was written anew.
  for (int i = 0; i < 500; ++i) {
    one->remember(job("run"));
    one->forget(job("run").token_sha256);
  }
  EXPECT_TRUE(runs_left().empty());
  EXPECT_EQ(read(path).find("run-2"), std::string::npos);
}

TEST_F(JobFileTest, AFileThatBreaksOffAnywhereGivesTheJobsBeforeAndIsSetAside) {
  leave({"run-1", "run-2"});
  const std::string whole = read(path);
  const auto second = whole.find("run-2");
  const auto first_ends = whole.rfind('\n', second) + 1;
  for (std::size_t size = first_ends + 1; size < whole.size(); size += 7) {
    fs::remove(path.string() + ".damaged");
    told.clear();
    write(path, whole.substr(0, size));
    EXPECT_EQ(runs_left(), Runs{"run-1"}) << size;
    ASSERT_EQ(told.size(), 1U) << size;
    EXPECT_NE(told[0].find("1 jobs can be read"), std::string::npos) << told[0];
    EXPECT_EQ(read(path.string() + ".damaged"), whole.substr(0, size));
    EXPECT_EQ(runs_left(), Runs{"run-1"}) << "and what is left is whole again";
    EXPECT_EQ(told.size(), 1U);
  }
}

TEST_F(JobFileTest, AWrongByteCostsItsOwnJobAtMost) {
  leave({"run-1", "run-2", "run-3"});
  const std::string whole = read(path);
  const auto begin = whole.rfind('\n', whole.find("run-2")) + 1;
  const auto end = whole.find('\n', begin);
  for (std::size_t at = begin; at < end; at += 5) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    write(path, wrong);
    EXPECT_EQ(runs_left(), (Runs{"run-1", "run-3"})) << at;
  }
}

TEST_F(JobFileTest, WhatIsNoneOfItsOwnIsSetAsideAndNotTouched) {
  fs::create_directories(path.parent_path());
  for (const std::string& foreign : {std::string("my shopping list\n"), std::string("r"), std::string(3'000'000, '\0'),
                                     "runfold agent jobs 1\n" + std::string(3'000'000, 'x')}) {
    told.clear();
    write(path, foreign);
    EXPECT_TRUE(runs_left().empty());
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0].find("is damaged or none of its own"), std::string::npos) << told[0];
    EXPECT_EQ(read(path.string() + ".damaged"), foreign);
    leave({"run-1"});
    EXPECT_EQ(runs_left(), Runs{"run-1"});
  }
}

TEST_F(JobFileTest, NeverWritesIntoAFileThatItFindsBesideItsOwn) {
  fs::create_directories(path.parent_path());
  const fs::path others = folder.path() / "others";
  write(others, "theirs");
  fs::create_hard_link(others, path.string() + ".new");
  leave({"run-1"});
  EXPECT_EQ(read(others), "theirs");
  EXPECT_EQ(runs_left(), Runs{"run-1"});
  EXPECT_TRUE(told.empty());
}

TEST_F(JobFileTest, WhereNoFileCanBeItSaysSoAndGoesOn) {
  fs::create_directories(path);
  const auto own = file();
  EXPECT_TRUE(own->open().empty());
  EXPECT_FALSE(own->is_held());
  own->remember(job("run-1"));
  own->forget(job("run-1").token_sha256);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("cannot be opened"), std::string::npos) << told[0];
}

TEST_F(JobFileTest, AFileThatSomebodyRemovesIsMadeAnewWithAllThatIsKnown) {
  {
    const auto own = file();
    static_cast<void>(own->open());
    own->remember(job("run-1"));
    fs::remove_all(path.parent_path());
    own->remember(job("run-2"));
  }
  EXPECT_EQ(runs_left(), (Runs{"run-1", "run-2"}));
}

TEST_F(JobFileTest, WhatADiskRefusedIsWrittenWithTheNextChange) {
  {
    const auto own = file();
    static_cast<void>(own->open());
    fs::remove_all(path.parent_path());
    write(path.parent_path(), "a file in the folder's place");
    own->remember(job("run-1"));
    own->remember(job("run-2"));
    ASSERT_EQ(told.size(), 1U) << "said once";
    EXPECT_NE(told[0].find("cannot be written"), std::string::npos) << told[0];
    fs::remove(path.parent_path());
    own->remember(job("run-3"));
  }
  EXPECT_EQ(runs_left(), (Runs{"run-1", "run-2", "run-3"}));
}

TEST(ProcessMark, FindsTheProcessThatLivesAndNoOtherUnderItsNumber) {
  using State = FoundProcess::State;
  runfold::test::Program process({"/bin/sleep", "infinity"});
  const auto mark = mark_of(process.pid());
  ASSERT_TRUE(mark.has_value());
  const auto found = find_process(*mark);
  EXPECT_EQ(found.state, State::kThere);
  EXPECT_TRUE(found.pidfd);

  auto reused = *mark;
  reused.start_ticks -= 1;
  EXPECT_EQ(find_process(reused).state, State::kGone) << "the number is another's now";
  auto before_restart = *mark;
  before_restart.boot_id = "another";
  EXPECT_EQ(find_process(before_restart).state, State::kGone);
  auto elsewhere = *mark;
  elsewhere.pid_namespace = "pid:[1]";
  EXPECT_EQ(find_process(elsewhere).state, State::kUnknown);

  process.signal(SIGKILL);
  ASSERT_TRUE(process.wait().has_value());
  EXPECT_EQ(find_process(*mark).state, State::kGone);

  auto of_a_thread = *mark;
  std::thread([&] {
    of_a_thread.os_pid = ::gettid();
    EXPECT_EQ(find_process(of_a_thread).state, State::kGone) << "the number is a thread's now";
  }).join();
}

}  // namespace
}  // namespace runfold::agent
