// A file of Kafka properties, as people write them; what is wrong in one is told with its line, without what may be a secret.
#include "transport/kafka/properties_file.hpp"

#include "tests/support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace runfold::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PropertiesFile : public ::testing::Test {
 protected:
  Result<void> read(const std::string& text) {
    std::ofstream(path_) << text;
    return read_properties_file(path_, properties_);
  }

  const runfold::test::TemporaryFolder folder_;
  const std::string path_ = (folder_.path() / "kafka.properties").string();
  Properties properties_;
};

TEST_F(PropertiesFile, IsReadLineByLineOverWhatIsThere) {
  properties_.set("client.id", "before").value();
  properties_.set("acks", "all").value();
  ASSERT_TRUE(read("# a comment\n\n  \t\n  # another\nclient.id=orders=eu\r\n\tsasl.password=two words \nsasl.username=last").has_value());
  EXPECT_EQ(properties_.get("client.id"), "orders=eu");
  EXPECT_EQ(properties_.get("acks"), "all");
  EXPECT_EQ(properties_.get("sasl.password"), "two words");
  EXPECT_EQ(properties_.get("sasl.username"), "last") << "its line has no end";
  EXPECT_EQ(properties_.all().size(), 4U);
}

TEST_F(PropertiesFile, ThatIsEmptySaysNothing) {
  EXPECT_TRUE(read("").has_value());
  EXPECT_TRUE(properties_.all().empty());
}

TEST_F(PropertiesFile, ThatIsWrongIsToldWithItsLine) {
  const auto unknown = read("# a comment\nbootstrap.server=127.0.0.1:9092\n");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kInvalid);
  EXPECT_THAT(unknown.error().message, StartsWith(path_ + ":2: "));
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean bootstrap.servers?"));
  const auto nameless = read("acks=all\n\nopen-sesame\n");
  ASSERT_FALSE(nameless);
  EXPECT_THAT(nameless.error().message, StartsWith(path_ + ":3: "));
  EXPECT_THAT(nameless.error().message, Not(HasSubstr("open-sesame")));
}

TEST_F(PropertiesFile, ThatCannotBeReadIsTold) {
  for (const std::string& path : {path_, folder_.path().string()}) {
    const auto read = read_properties_file(path, properties_);
    ASSERT_FALSE(read) << path;
    EXPECT_EQ(read.error().code, Errc::kInvalid);
    EXPECT_EQ(read.error().message, "the Kafka properties file " + path + " cannot be read; it holds one name=value a line");
  }
}

}  // namespace
}  // namespace runfold::kafka
