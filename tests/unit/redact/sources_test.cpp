// Secrets out of variables and files, a key that comes line by line.
#include "producer/redact/sources.hpp"
#include "producer/redact/key_block.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace runfold::redact {
namespace {

using test::TemporaryFolder;

class SourcesTest : public ::testing::Test {
 protected:
  std::string file(const std::string& text) {
    const std::string path = folder_.path() / "secrets";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  TemporaryFolder folder_;
  Redactor redactor_;
};

TEST_F(SourcesTest, AVariablesValueIsRegistered) {
  ::setenv("REDACT_TEST", "hunter2", 1);
  ASSERT_TRUE(add_environment(redactor_, "REDACT_TEST"));
  EXPECT_TRUE(redactor_.finds_in("a hunter2 b"));
  ::setenv("REDACT_TEST", "x", 1);
  const auto added = add_environment(redactor_, "REDACT_TEST");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Errc::kTooShort);
  EXPECT_EQ(added.error().message,
            "the secret in the environment variable REDACT_TEST is 1 bytes long and would be found everywhere; it needs at least 4");
  ::setenv("REDACT_TEST", "", 1);
  EXPECT_EQ(add_environment(redactor_, "REDACT_TEST").error().code, Errc::kEmpty);
  ::unsetenv("REDACT_TEST");
  EXPECT_EQ(add_environment(redactor_, "REDACT_TEST").error().code, Errc::kNotSet);
  EXPECT_EQ(add_environment(redactor_, "").error().code, Errc::kNotSet);
}

TEST_F(SourcesTest, AFileHoldsOneSecretALine) {
  ASSERT_TRUE(add_file(redactor_, file("first-one\r\n\nsecond one\n")));
  EXPECT_EQ(redactor_.replaced("first-one second one").value_or(""), "[redacted] [redacted]");
}

TEST_F(SourcesTest, AFileThatHoldsNoneIsRefusedByName) {
  const std::string path = file("");
  EXPECT_EQ(add_file(redactor_, path).error().code, Errc::kEmpty);
  EXPECT_EQ(add_file(redactor_, path).error().message, "the file of secrets " + path + " is empty; there is nothing to replace");
  EXPECT_EQ(add_file(redactor_, file("long enough\nab\n")).error().code, Errc::kTooShort);
  EXPECT_EQ(add_file(redactor_, file(std::string(1024 * 1024 + 1, 'x'))).error().code, Errc::kTooLong);
  const std::string missing = folder_.path() / "missing";
  EXPECT_EQ(add_file(redactor_, missing).error().code, Errc::kUnreadable);
  EXPECT_EQ(add_file(redactor_, missing).error().message,
            "the file of secrets " + missing + " cannot be read: No such file or directory; it holds one secret a line");
  EXPECT_EQ(add_file(redactor_, folder_.path().string()).error().code, Errc::kUnreadable);
}

TEST(KeyBlockTest, CoversTheLinesOfAPrivateKeyAndNoOthers) {
  KeyBlock block;
  EXPECT_FALSE(block.covers("a line"));
  EXPECT_FALSE(block.covers("MIIEow=="));
  EXPECT_FALSE(block.covers("-----BEGIN RSA PRIVATE KEY-----")) << "it says so itself";
  EXPECT_TRUE(block.covers("Proc-Type: 4,ENCRYPTED"));
  EXPECT_TRUE(block.covers(""));
  EXPECT_TRUE(block.covers("  MIIEowIBAAKCAQEA+/7=\r"));
  EXPECT_TRUE(block.covers("-----END RSA PRIVATE KEY-----"));
  EXPECT_FALSE(block.covers("MIIEow=="));
  EXPECT_FALSE(block.covers("-----BEGIN CERTIFICATE-----"));
  EXPECT_FALSE(block.covers("MIIEow=="));
  EXPECT_FALSE(block.covers("k: -----BEGIN PRIVATE KEY-----"));
  EXPECT_FALSE(block.covers("and then it went on.")) << "a key that never ended hides nothing else";
  EXPECT_FALSE(block.covers("MIIEow=="));
  EXPECT_FALSE(block.covers("-----BEGIN PRIVATE KEY-----MII-----END PRIVATE KEY-----"));
  EXPECT_FALSE(block.covers("MIIEow=="));
}

TEST(KeyBlockTest, KnowsTheRestOfAKeyByItsEnd) {
  const std::string rest = "AQEA+/=\nMIIEow==\n-----END RSA PRIVATE KEY-----";
  EXPECT_EQ(KeyBlock::end_at_beginning(rest + "\nand on"), rest.size());
  EXPECT_EQ(KeyBlock::end_at_beginning("a line\n" + rest), 0U);
  EXPECT_EQ(KeyBlock::end_at_beginning("AQEA\n-----END CERTIFICATE-----"), 0U);
  EXPECT_EQ(KeyBlock::end_at_beginning("AQEA\n"), 0U);
}

}  // namespace
}  // namespace runfold::redact
