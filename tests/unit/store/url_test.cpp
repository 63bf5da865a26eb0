// Store URLs.
#include "collector/store/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StoreUrl, ARelativeAndAnAbsolutePathAreTakenAsTheyStand) {
  EXPECT_EQ(parse_store_url("sqlite:runfold.db").value().location, "runfold.db");
  EXPECT_EQ(parse_store_url("sqlite:data/a b.db").value().location, "data/a b.db");
  EXPECT_EQ(parse_store_url("sqlite:/var/lib/r.db").value().location, "/var/lib/r.db");
  EXPECT_EQ(parse_store_url("sqlite:///var/lib/r.db").value().location, "/var/lib/r.db");
}

TEST(StoreUrl, WhatIsNotAFileIsRefusedWithWhatToWrite) {
  for (const std::string url :
       {"", "runfold.db", "sqlite:", "sqlite::memory:", "sqlite:file:x?mode=memory", "sqlite://host/x.db", "sqlite:dir/", "mysql://db/x"}) {
    const auto parsed = parse_store_url(url);
    ASSERT_TRUE(parsed.has_error()) << url;
    EXPECT_EQ(parsed.error().code, StoreErrc::kInvalid);
    EXPECT_THAT(parsed.error().message, HasSubstr("sqlite:PATH")) << url;
  }
  EXPECT_THAT(parse_store_url("sqlite::memory:").error().message, HasSubstr("not a file"));
}

TEST(StoreUrl, APasswordInAnUnknownUrlIsNotShown) {
  EXPECT_THAT(parse_store_url("postgresql://runfold:hunter2@db/runfold").error().message, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace runfold::collector
