// Blocking loopback sockets that say exactly what a test wants said.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::test {

/// One connected socket. No wait is longer than 20 s.
class RawSocket {
 public:
  explicit RawSocket(int descriptor) : descriptor_(descriptor) {
    const timeval limit{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  RawSocket(RawSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), unread_(std::move(other.unread_)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() { close(); }

  [[nodiscard]] static RawSocket connect(std::uint16_t port) {
    RawSocket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(made.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
    }
    return made;
  }

  /// False: the other side is gone.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Sends what the kernel takes at once, and says how much.
  std::size_t send_some(std::string_view text) {
    const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  /// Whether the kernel takes more within `limit_ms`.
  [[nodiscard]] bool is_writable(int limit_ms) const {
    pollfd waited{descriptor_, POLLOUT, 0};
    return ::poll(&waited, 1, limit_ms) > 0;
  }

  struct Response {
    int status = 0;  ///< 0: the connection ended before a whole response
    std::string head;
    std::string body;
    [[nodiscard]] bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
  };

  /// Reads one response: its body by Content-Length, chunked, or to the end of the connection.
  [[nodiscard]] Response response(bool to_head = false) {
    Response got;
    const std::size_t end = until("\r\n\r\n");
    if (end == std::string::npos) return got;
    got.head = take(end);
    got.status = std::stoi(got.head.substr(9, 3));
    if (to_head || got.status < 200 || got.status == 204 || got.status == 304) return got;
    if (const std::size_t at = got.head.find("Content-Length: "); at != std::string::npos) {
      const std::size_t size = std::stoul(got.head.substr(at + 16));
      while (unread_.size() < size) {
        if (!more()) return {};
      }
      got.body = take(size);
    } else if (got.has("Transfer-Encoding: chunked")) {
      for (;;) {
        const std::size_t line = until("\r\n");
        if (line == std::string::npos) return {};
        const std::size_t size = std::stoul(take(line), nullptr, 16);
        while (unread_.size() < size + 2) {
          if (!more()) return {};
        }
        got.body += take(size);
        unread_.erase(0, 2);
        if (size == 0) break;
      }
    } else {
      got.body = rest();
    }
    return got;
  }

  /// Reads through the first `marker`, whose end it gives; npos: the connection ended before it.
  [[nodiscard]] std::size_t until(std::string_view marker) {
    for (;;) {
      if (const std::size_t at = unread_.find(marker); at != std::string::npos) return at + marker.size();
      if (!more()) return std::string::npos;
    }
  }
  /// As many as are there, up to `bytes`.
  [[nodiscard]] std::string take(std::size_t bytes) {
    std::string taken = unread_.substr(0, bytes);
    unread_.erase(0, bytes);
    return taken;
  }
  /// What comes next, as far as there is space for it. 0: the connection ended.
  [[nodiscard]] std::size_t take_into(std::span<char> space) {
    const std::string early = take(std::min(space.size(), unread_.size()));
    if (!early.empty()) return early.copy(space.data(), early.size());
    const ssize_t got = ::recv(descriptor_, space.data(), space.size(), 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  /// Everything to the end of the connection.
  [[nodiscard]] std::string rest() {
    while (more()) {
    }
    return std::exchange(unread_, {});
  }
  /// Whether the other side ends the connection without a further byte.
  [[nodiscard]] bool is_ended() { return unread_.empty() && !more() && errno != EAGAIN; }

  /// Whether something to read, or the end, is there within `limit_ms`.
  [[nodiscard]] bool is_readable(int limit_ms) const {
    pollfd waited{descriptor_, POLLIN, 0};
    return !unread_.empty() || ::poll(&waited, 1, limit_ms) > 0;
  }

  void shutdown_send() { ::shutdown(descriptor_, SHUT_WR); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  /// Ends the connection with a reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  bool more() {
    char bytes[16384];
    errno = 0;
    const ssize_t got = ::recv(descriptor_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    unread_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  int descriptor_;
  std::string unread_;
};

/// Listens on a free loopback port.
class RawListener {
 public:
  RawListener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(descriptor_, 16) != 0 ||
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
  }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;
  ~RawListener() { close(); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string url(const std::string& target) const { return "http://127.0.0.1:" + std::to_string(port_) + target; }
  [[nodiscard]] RawSocket accept() { return RawSocket(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC)); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

}  // namespace runfold::test
