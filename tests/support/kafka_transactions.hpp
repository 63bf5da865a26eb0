// Records that are written in transactions, each of which leaves a marker behind: it takes an offset and is no record.
#pragma once

#include "tests/support/broker.hpp"
#include "transport/kafka/handle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace runfold::kafka::test {

/// Writes `value` to partition 0 of `topic` as often as asked, each time in a transaction of its own.
inline void write_in_transactions(const std::string& servers, const std::string& topic, const std::string& value, int times) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 256> why{};
  const std::string id = runfold::test::unique_name("writer");
  ASSERT_EQ(rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), why.data(), why.size()), RD_KAFKA_CONF_OK) << why.data();
  ASSERT_EQ(rd_kafka_conf_set(conf, "transactional.id", id.c_str(), why.data(), why.size()), RD_KAFKA_CONF_OK) << why.data();
  const ClientHandle client{rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size())};
  ASSERT_TRUE(client) << why.data();
  const auto expect_none = [](rd_kafka_error_t* error) {
    const ErrorHandle owned{error};
    ASSERT_EQ(error, nullptr) << rd_kafka_error_string(error);
  };
  std::string copy = value;
  expect_none(rd_kafka_init_transactions(client.get(), 40'000));
  for (int transaction = 0; transaction < times; ++transaction) {
    expect_none(rd_kafka_begin_transaction(client.get()));
    ASSERT_EQ(rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
                                RD_KAFKA_V_VALUE(copy.data(), copy.size()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
              RD_KAFKA_RESP_ERR_NO_ERROR);
    expect_none(rd_kafka_commit_transaction(client.get(), 40'000));
  }
}

}  // namespace runfold::kafka::test
