// A Kafka as a test speaks to it: the properties of its clients, and Runfold's topics made there.
#pragma once

#include "tests/support/program.hpp"
#include "transport/kafka/properties.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runfold::test {

/// The command under test.
inline const std::string kRunfold = RUNFOLD_BINARY_DIR "/runfold";

/// Properties of a client of the Kafka at `servers`.
inline kafka::Properties kafka_at(const std::string& servers) {
  kafka::Properties out;
  EXPECT_TRUE(out.set("bootstrap.servers", servers).has_value());
  return out;
}

/// Has `runfold topics create` make what is missing there.
inline void create_topics(const std::string& servers) {
  Program create({kRunfold, "topics", "create", "--bootstrap-servers", servers, "--replication", "1"});
  const auto end = create.wait();
  ASSERT_TRUE(end.has_value()) << create.err();
  ASSERT_EQ(end->exit_code, 0) << create.err();
}

}  // namespace runfold::test
