// The file by which commands find an embedded broker: whole, private, and only while its process lives.
#include "transport/kafka/embedded_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace runfold::kafka {
namespace {

namespace fs = std::filesystem;

class EmbeddedAddressFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "runfold-test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    ::setenv("RUNFOLD_STATE_DIR", (folder_ / "made" / "on demand").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("RUNFOLD_STATE_DIR");
    fs::remove_all(folder_);
  }
  static EmbeddedAddress mine() { return {"127.0.0.1:4242", "http://127.0.0.1:8730", static_cast<int>(::getpid())}; }

  fs::path folder_;
};

TEST_F(EmbeddedAddressFile, ReadsBackWhatALivingProcessWrote) {
  EXPECT_FALSE(read_embedded_address());
  const auto written = write_embedded_address(mine());
  ASSERT_TRUE(written) << written.error().message;
  const auto read = read_embedded_address();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bootstrap_servers, "127.0.0.1:4242");
  EXPECT_EQ(read->collector_url, "http://127.0.0.1:8730");
  EXPECT_EQ(read->os_pid, static_cast<int>(::getpid()));
}

TEST_F(EmbeddedAddressFile, IsForItsUserAlone) {
  ASSERT_TRUE(write_embedded_address(mine()).has_value());
  struct stat status {};
  ASSERT_EQ(::stat(embedded_address_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(EmbeddedAddressFile, LeavesNothingElseInTheFolder) {
  ASSERT_TRUE(write_embedded_address(mine()).has_value());
  ASSERT_TRUE(write_embedded_address(mine()).has_value());
  const fs::directory_iterator files(embedded_address_file().parent_path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(EmbeddedAddressFile, OfAProcessThatHasEndedIsIgnored) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_TRUE(write_embedded_address({"127.0.0.1:4242", "", static_cast<int>(child)}).has_value());
  EXPECT_FALSE(read_embedded_address());
}

TEST_F(EmbeddedAddressFile, OfAnotherProcessIsNotRemoved) {
  EmbeddedAddress parents = mine();
  parents.os_pid = static_cast<int>(::getppid());
  ASSERT_TRUE(write_embedded_address(parents).has_value());
  remove_embedded_address();
  EXPECT_TRUE(fs::exists(embedded_address_file()));
  ASSERT_TRUE(write_embedded_address(mine()).has_value());
  remove_embedded_address();
  EXPECT_FALSE(fs::exists(embedded_address_file()));
}

TEST_F(EmbeddedAddressFile, OfNonsenseIsNoAddress) {
  fs::create_directories(embedded_address_file().parent_path());
  std::ofstream(embedded_address_file()) << "not an address\nos_pid=-3\n";
  EXPECT_FALSE(read_embedded_address());
}

TEST_F(EmbeddedAddressFile, ThatCannotBeWrittenSaysWhereAndWhatToDo) {
  std::ofstream(folder_ / "a-file") << "in the way";
  ::setenv("RUNFOLD_STATE_DIR", (folder_ / "a-file" / "below").c_str(), 1);
  const auto written = write_embedded_address(mine());
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, ::testing::HasSubstr("a-file"));
  EXPECT_THAT(written.error().message, ::testing::HasSubstr("RUNFOLD_STATE_DIR"));
}

TEST_F(EmbeddedAddressFile, IsInTheStateFolderOfTheUser) {
  const char* old = std::getenv("XDG_STATE_HOME");
  const std::string kept = old == nullptr ? "" : old;
  ::unsetenv("RUNFOLD_STATE_DIR");
  ::setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(embedded_address_file(), "/state/runfold/embedded-broker");
  if (old == nullptr) {
    ::unsetenv("XDG_STATE_HOME");
  } else {
    ::setenv("XDG_STATE_HOME", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace runfold::kafka
