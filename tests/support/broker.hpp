// What a test needs of the real Apache Kafka that tests/broker/with-broker started: its address, and names of its own.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <unistd.h>

namespace runfold::test {

/// bootstrap.servers of the broker to test against.
inline std::string broker_address() {
  const char* address = std::getenv("RUNFOLD_TEST_BOOTSTRAP");
  return address == nullptr ? "" : address;
}

/// A topic or group name that no other test, run or process uses on the same broker.
inline std::string unique_name(std::string_view prefix) {
  static const auto started = std::chrono::system_clock::now().time_since_epoch().count();
  static std::atomic<int> count{0};
  return std::string(prefix) + "-" + std::to_string(::getpid()) + "-" + std::to_string(started) + "-" + std::to_string(++count);
}

/// Ends a test program that has no broker before its first test: with 77 (ctest: skipped), or 1 when CI=true.
class RequiresBroker : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!broker_address().empty()) return;
    const char* ci = std::getenv("CI");
    const bool must_run = ci != nullptr && std::string_view(ci) == "true";
    std::fputs("SKIPPED: RUNFOLD_TEST_BOOTSTRAP is not set; run this program as tests/broker/with-broker PROGRAM\n", stderr);
    std::exit(must_run ? 1 : 77);
  }
};

/// In every program that includes this file.
inline ::testing::Environment* const kRequiresBroker = ::testing::AddGlobalTestEnvironment(new RequiresBroker);

}  // namespace runfold::test
