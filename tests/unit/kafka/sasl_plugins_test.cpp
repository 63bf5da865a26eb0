// SASL plugins: left out where nobody needs them.
#include "transport/kafka/sasl_plugins.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace runfold::kafka {
namespace {

class SaslPlugins : public ::testing::Test {
 protected:
  SaslPlugins() { ::unsetenv("SASL_PATH"); }
  ~SaslPlugins() override { ::unsetenv("SASL_PATH"); }
  static std::string path_with(std::string_view protocol) {
    Properties properties;
    if (!protocol.empty()) properties.set("security.protocol", protocol).value();
    leave_out_sasl_plugins(properties);
    const char* path = std::getenv("SASL_PATH");
    return path == nullptr ? "" : path;
  }
};

TEST_F(SaslPlugins, AreLookedForNowhereWithoutSasl) {
  EXPECT_NE(path_with(""), "");
  ::unsetenv("SASL_PATH");
  EXPECT_NE(path_with("ssl"), "");
}

TEST_F(SaslPlugins, AreLookedForAsEverWithSasl) {
  EXPECT_EQ(path_with("sasl_ssl"), "");
  EXPECT_EQ(path_with("SASL_PLAINTEXT"), "");
}

TEST_F(SaslPlugins, AreLeftWhereTheUserHasThem) {
  ::setenv("SASL_PATH", "/opt/sasl2", 1);
  EXPECT_EQ(path_with(""), "/opt/sasl2");
}

}  // namespace
}  // namespace runfold::kafka
