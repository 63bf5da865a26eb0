// Who was killed for want of memory: by the kernel's counters, of a cgroup of either version or of the machine.
#include "producer/agent/out_of_memory.hpp"

#include "producer/agent/end.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace runfold::agent {
namespace {

class OutOfMemoryTest : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    const auto path = folder_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  OutOfMemory watch() { return OutOfMemory(folder_.path()); }

  runfold::test::TemporaryFolder folder_;
};

TEST_F(OutOfMemoryTest, IsSaidOfACgroupWithItsLimit) {
  write("proc/self/cgroup", "0::/pods/one\n");
  write("sys/fs/cgroup/pods/one/memory.events", "low 0\noom 2\noom_kill 2\noom_group_kill 0\n");
  write("sys/fs/cgroup/pods/one/memory.max", "536870912\n");
  const OutOfMemory memory = watch();
  EXPECT_FALSE(memory.since());
  write("sys/fs/cgroup/pods/one/memory.events", "low 0\noom 3\noom_kill 3\noom_group_kill 0\n");
  EXPECT_EQ(memory.since(), "its cgroup reached its memory limit of 512 MiB");
  write("sys/fs/cgroup/pods/one/memory.max", "max\n");
  EXPECT_EQ(memory.since(), "its cgroup reached its memory limit") << "the limit is that of a cgroup above";
}

TEST_F(OutOfMemoryTest, IsSaidOfAContainerThatSeesItsCgroupAsTheRoot) {
  write("proc/self/cgroup", "0::/docker/0123abcd\n");
  write("sys/fs/cgroup/memory.events", "oom_kill 0\n");
  const OutOfMemory memory = watch();
  write("sys/fs/cgroup/memory.events", "oom_kill 1\n");
  EXPECT_TRUE(memory.since());
}

TEST_F(OutOfMemoryTest, IsSaidOfACgroupOfVersionOne) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/a\n9:memory:/b\n0::/c\n");
  write("sys/fs/cgroup/memory/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
  write("sys/fs/cgroup/memory/b/memory.limit_in_bytes", "1000\n");
  const OutOfMemory memory = watch();
  EXPECT_FALSE(memory.since());
  write("sys/fs/cgroup/memory/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n");
  EXPECT_EQ(memory.since(), "its cgroup reached its memory limit of 1000 bytes");
}

TEST_F(OutOfMemoryTest, IsSaidOfTheMachineWhereNoCgroupCounts) {
  write("proc/self/cgroup", "0::/\n");
  write("proc/vmstat", "nr_free_pages 5\noom_kill 4\n");
  const OutOfMemory memory = watch();
  EXPECT_FALSE(memory.since());
  write("proc/vmstat", "nr_free_pages 5\noom_kill 5\n");
  EXPECT_EQ(memory.since(), "the machine ran out of memory");
}

TEST_F(OutOfMemoryTest, IsNotSaidWhereNobodyCounts) {
  const OutOfMemory memory = watch();
  EXPECT_FALSE(memory.since());
  write("proc/self/cgroup", "garbage\n:\n");
  write("proc/vmstat", "oom_kill many\n");
  EXPECT_FALSE(watch().since());
}

TEST(MergeEnd, AKillForWantOfMemoryIsSaidOfSigkillAlone) {
  ProcessEnd process;
  process.out_of_memory = "the machine ran out of memory";
  process.status = ExitStatus{std::nullopt, SIGKILL, false};
  EXPECT_EQ(merge_end(std::nullopt, process).error, "killed by signal 9 (SIGKILL): the machine ran out of memory");
  process.status = ExitStatus{std::nullopt, SIGSEGV, false};
  EXPECT_EQ(merge_end(std::nullopt, process).error, "killed by signal 11 (SIGSEGV)");
  process.status = ExitStatus{1, std::nullopt, false};
  EXPECT_EQ(merge_end(std::nullopt, process).error, "exited with code 1");
}

}  // namespace
}  // namespace runfold::agent
