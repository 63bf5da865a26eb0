// The end of a client whose thread hangs in a name look-up.
#include "transport/kafka/client_end.hpp"

#include "tests/support/wait_until.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <string>

namespace {

constexpr const char* kSilentName = "name-server-does-not-answer.invalid";

std::atomic<bool> released{false};
std::atomic<int> waiting{0};

}  // namespace

/// librdkafka's name look-ups come here: the linker finds this one before the C library's.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  if (node != nullptr && std::strcmp(node, kSilentName) == 0) {
    ++waiting;
    released.wait(false);
    --waiting;
    return EAI_AGAIN;
  }
  static const auto next = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace runfold::kafka {
namespace {

using test::wait_until;

class SilentNameServer : public ::testing::Test {
 protected:
  SilentNameServer() {
    released = false;
    EXPECT_TRUE(properties_.set("bootstrap.servers", std::string(kSilentName) + ":9092").has_value());
  }
  ~SilentNameServer() override {
    released = true;
    released.notify_all();
    EXPECT_TRUE(wait_until([] { return clients_ending() == 0 && waiting == 0; })) << "what was left goes when the look-up is over";
  }
  /// Whether something comes back though the look-up does not.
  static bool comes_back(const std::function<void()>& work) {
    auto done = std::async(std::launch::async, work);
    const bool in_time = wait_until([&] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    if (!in_time) {
      released = true;
      released.notify_all();
    }
    return in_time;
  }
  Properties properties_;
};

TEST_F(SilentNameServer, DoesNotHoldUpTheEndOfAProducer) {
  auto producer = Producer::create(properties_, [](const Delivery&) {});
  ASSERT_TRUE(producer.has_value());
  ASSERT_TRUE(wait_until([] { return waiting > 0; }));
  EXPECT_TRUE(comes_back([&] { producer->reset(); }));
  EXPECT_EQ(clients_ending(), 1U);
}

/// How a process ended: whether clients were still at their end when OpenSSL would have cleaned up.
enum Ended { kNoneLeft = 60, kSomeLeft, kNeverBegan };

[[noreturn]] void leave_with_a_client_at_its_end(const Properties& properties) {
  // Registered before there is a client, as OpenSSL's handler is: it runs after the clients' own, and sees what OpenSSL's would.
  std::atexit([] { ::_exit(clients_ending() == 0 ? kNoneLeft : kSomeLeft); });
  auto producer = Producer::create(properties, [](const Delivery&) {});
  if (!wait_until([] { return waiting > 0; })) ::_exit(kNeverBegan);
  producer->reset();
  std::atexit([] {
    if (clients_ending() != 1) ::_exit(kNeverBegan);
    released = true;
    released.notify_all();
  });
  std::exit(0);
}

TEST_F(SilentNameServer, LeavesNoClientToRunOnBehindAnOrdinaryEndOfTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // in a process of its own, which no other test's threads are in
  EXPECT_EXIT(leave_with_a_client_at_its_end(properties_), ::testing::ExitedWithCode(kNoneLeft), "");
}

TEST_F(SilentNameServer, DoesNotHoldUpThoseWhoLookAtTopics) {
  EXPECT_TRUE(
      comes_back([&] { EXPECT_FALSE(verify_topics(properties_, topic_policies({}), std::chrono::milliseconds(100)).has_value()); }));
  EXPECT_EQ(clients_ending(), 1U);
}

}  // namespace
}  // namespace runfold::kafka
