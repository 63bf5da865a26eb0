// Addresses on loopback where nobody answers, in the two ways that a network has.
#pragma once

#include <cstdlib>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runfold::test {

/// A port of this host that is held, so that nobody else gets it, yet does not answer as long as this lives.
class UnansweredAddress {
 public:
  enum class Kind {
    kRefuses,  ///< Connections are refused at once.
    kSilent,   ///< Connections are taken by the kernel, and nothing ever comes back.
  };

  /// kRefuses: a server that the test starts may listen at the address, and start there again; it stays out of others' reach.
  explicit UnansweredAddress(Kind kind) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const int yes = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(socket_, generic, size) != 0 || ::getsockname(socket_, generic, &size) != 0) std::abort();
    if (kind == Kind::kSilent && ::listen(socket_, 64) != 0) std::abort();
    port_ = ntohs(address.sin_port);
  }
  ~UnansweredAddress() { ::close(socket_); }
  UnansweredAddress(const UnansweredAddress&) = delete;
  UnansweredAddress& operator=(const UnansweredAddress&) = delete;

  /// Ends kRefuses: returns a listening descriptor of the same address, which the caller owns.
  [[nodiscard]] int listen_from_now() const {
    const int copy = ::dup(socket_);
    if (copy < 0 || ::listen(copy, 64) != 0) std::abort();
    return copy;
  }

  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] std::string text() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  int port_ = 0;
};

}  // namespace runfold::test
