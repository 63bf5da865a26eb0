// librdkafka's codes are sorted by what a caller can do, and its words about connections become sentences.
#include "transport/kafka/error.hpp"
#include "transport/kafka/connection.hpp"

#include <librdkafka/rdkafka.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::kafka {
namespace {

using ::testing::HasSubstr;

TEST(Classify, SortsCodesByWhatCanBeDone) {
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN), Errc::kUnreachable);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__TRANSPORT), Errc::kUnreachable);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__QUEUE_FULL), Errc::kQueueFull);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), Errc::kTimedOut);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), Errc::kTooLarge);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), Errc::kUnauthorised);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), Errc::kNotFound);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET), Errc::kOutOfRange);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE), Errc::kTimedOut) << "a new leader will know it soon";
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__INVALID_ARG), Errc::kInvalid);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID), Errc::kFenced);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR__FATAL), Errc::kFatal);
  EXPECT_EQ(classify(RD_KAFKA_RESP_ERR_UNKNOWN), Errc::kOther);
}

TEST(Classify, OnlyTroubleThatPassesIsRetryable) {
  EXPECT_TRUE((Error{Errc::kUnreachable, ""}.retryable()));
  EXPECT_TRUE((Error{Errc::kQueueFull, ""}.retryable()));
  EXPECT_TRUE((Error{Errc::kTimedOut, ""}.retryable()));
  EXPECT_FALSE((Error{Errc::kTooLarge, ""}.retryable()));
  EXPECT_FALSE((Error{Errc::kFatal, ""}.retryable()));
}

TEST(MakeError, SaysWhatWasTriedAndWhy) {
  const Error error = make_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "read letters[3]", "while fetching");
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_EQ(error.message, "cannot read letters[3]: Broker: Unknown topic or partition (while fetching)");
}

constexpr const char* kRefused =
    "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)";

TEST(Connection, AllBrokersDownNamesTheAddressAndTheLastCause) {
  Connection connection("127.0.0.1:9");
  EXPECT_FALSE(connection.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, kRefused));
  const auto error = connection.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kUnreachable);
  EXPECT_EQ(error->message, "no Kafka broker answers at 127.0.0.1:9 (connection refused)");
}

TEST(Connection, EachFurtherAttemptIsToldWhileNoneAnswers) {
  Connection connection("127.0.0.1:9");
  ASSERT_TRUE(connection.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down"));
  const auto again = connection.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, kRefused);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->message, "no Kafka broker answers at 127.0.0.1:9 (connection refused)");
}

TEST(Connection, OneBrokerOfSeveralThatIsDownIsNoOutage) {
  Connection connection("a:9092,b:9092");
  EXPECT_FALSE(connection.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, "b:9092/2: Connect to ipv4#10.0.0.2:9092 failed: Connection refused"));
  EXPECT_FALSE(connection.unreachable());
}

TEST(Connection, ABrokerThatClosesAnIdleConnectionIsNoTrouble) {
  Connection connection("a:9092");
  EXPECT_FALSE(connection.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, "a:9092/1: Disconnected (after 600012ms in state UP)"));
}

TEST(Connection, RecoveryIsToldOnceAnOutage) {
  Connection connection("a:9092");
  EXPECT_FALSE(connection.on_answer());
  ASSERT_TRUE(connection.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ""));
  EXPECT_TRUE(connection.unreachable());
  EXPECT_TRUE(connection.on_answer());
  EXPECT_FALSE(connection.on_answer());
  EXPECT_FALSE(connection.unreachable());
}

TEST(Connection, ARefusedLoginIsUnauthorisedAndStaysSo) {
  Connection connection("a:9092");
  const auto error = connection.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION,
                                         "sasl_ssl://a:9092/bootstrap: SASL authentication error: Invalid username or password");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kUnauthorised);
  EXPECT_EQ(error->message,
            "Kafka at a:9092 refuses this client: SASL authentication error: Invalid username or password; check sasl.mechanisms, "
            "sasl.username and sasl.password");
  const auto down = connection.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
  ASSERT_TRUE(down);
  EXPECT_EQ(down->code, Errc::kUnauthorised);
  EXPECT_EQ(down->message, error->message) << "it does answer";
}

TEST(Connection, CausesAreSaidInFewWords) {
  EXPECT_EQ(cause_of(kRefused), "connection refused");
  EXPECT_EQ(cause_of("nowhere:9092/bootstrap: Failed to resolve 'nowhere:9092': Name or service not known (after 3ms in state CONNECT)"),
            "the name does not resolve");
  EXPECT_EQ(cause_of("10.0.0.1:9092/bootstrap: Connection setup timed out in state CONNECT (after 10003ms in state CONNECT)"),
            "the connection timed out");
  EXPECT_EQ(
      cause_of("ssl://a:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate "
               "could not be verified, verify that ssl.ca.location is correctly configured (after 5ms in state SSL_HANDSHAKE)"),
      "its certificate cannot be verified: did an authority of ssl.ca.location sign it, and for this host name?");
  EXPECT_EQ(cause_of("a:1/bootstrap: Something new happened (after 3ms in state CONNECT)"), "Something new happened");
}

}  // namespace
}  // namespace runfold::kafka
