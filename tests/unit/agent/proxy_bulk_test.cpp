// Bodies far larger than what the proxy may hold, both ways, and readers that do not read.
#include "tests/support/process_memory.hpp"
#include "tests/unit/agent/proxy_rig.hpp"

#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <thread>

namespace runfold::agent {
namespace {

using runfold::test::RawListener;
using runfold::test::RawSocket;
using test::ProxyRig;

constexpr std::size_t kBody = 200U << 20;
constexpr std::size_t kMayGrow = 16U << 20;

/// The most that this process has had resident since reset_peak().
std::size_t peak_bytes() {
  return runfold::test::peak_resident_bytes(::getpid()).value();
}
void reset_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// The pattern of a body, from any position on.
const std::string& block() {
  static const std::string bytes = [] {
    std::string made(1U << 20, '\0');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>(i * 31 + i / 251);
    return made;
  }();
  return bytes;
}

/// Reads `bytes` of it and says whether they are the pattern. Allocates nothing: only what the proxy takes is to be seen.
bool takes_pattern(RawSocket& from, std::size_t bytes) {
  static std::array<char, 64 * 1024> space;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t got = from.take_into(std::span(space).first(std::min(space.size(), bytes - done)));
    if (got == 0) return false;
    for (std::size_t at = 0; at < got;) {
      const std::size_t begin = (done + at) % block().size();
      const std::size_t size = std::min(got - at, block().size() - begin);
      if (std::memcmp(space.data() + at, block().data() + begin, size) != 0) return false;
      at += size;
    }
    done += got;
  }
  return true;
}
bool sends_pattern(RawSocket& to, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += block().size()) {
    if (!to.send(block())) return false;
  }
  return true;
}

TEST(ProxyBulk, LargeBodiesPassBothWaysInBoundedMemory) {
  RawListener listener;
  ProxyRig proxy(listener.url(""));
  RawSocket client = proxy.connect();
  static_cast<void>(block());
  const std::string length = "Content-Length: " + std::to_string(kBody) + "\r\n\r\n";
  client.send("PUT /bulk HTTP/1.1\r\nHost: proxy\r\n" + length);
  RawSocket upstream = listener.accept();
  static_cast<void>(upstream.take(upstream.until("\r\n\r\n")));

  reset_peak();
  const std::size_t before = peak_bytes();
  bool sent = false;
  std::thread sender([&] { sent = sends_pattern(client, kBody); });
  EXPECT_TRUE(takes_pattern(upstream, kBody));
  sender.join();
  EXPECT_TRUE(sent);

  std::thread answerer([&] {
    upstream.send("HTTP/1.1 500 Oops\r\n" + length);
    sent = sends_pattern(upstream, kBody);
  });
  static_cast<void>(client.take(client.until("\r\n\r\n")));
  EXPECT_TRUE(takes_pattern(client, kBody));
  answerer.join();
  EXPECT_TRUE(sent);
  EXPECT_LT(peak_bytes() - before, kMayGrow);

  ASSERT_EQ(proxy.logs(1).size(), 1U);
  EXPECT_LE(proxy.logs()[0].api_call().response_body().size(), 3 * 16 * 1024U) << "bytes that are no text take three each";
  EXPECT_TRUE(proxy.logs()[0].api_call().response_body_truncated());
}

TEST(ProxyBulk, AReaderThatDoesNotReadHoldsItsSenderUp) {
  RawListener listener;
  ProxyRig proxy(listener.url(""));
  RawSocket client = proxy.connect();
  client.send("GET /bulk HTTP/1.1\r\nHost: proxy\r\n\r\n");
  RawSocket upstream = listener.accept();
  static_cast<void>(upstream.until("\r\n\r\n"));
  static_cast<void>(block());
  reset_peak();
  const std::size_t before = peak_bytes();
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n");
  std::size_t sent = 0;
  while (sent < kBody && upstream.is_writable(300)) sent += upstream.send_some(block());
  EXPECT_LT(sent, kBody) << "somebody holds what nobody has read";
  static_cast<void>(client.take(client.until("\r\n\r\n")));
  EXPECT_TRUE(takes_pattern(client, sent / 2));
  EXPECT_LT(peak_bytes() - before, kMayGrow);
}

}  // namespace
}  // namespace runfold::agent
