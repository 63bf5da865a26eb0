// Speaks just enough HTTP/1.0 to read a small answer.
#include "tests/support/http_get.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace runfold::test {

std::optional<HttpAnswer> http_get(const std::string& url, std::chrono::milliseconds limit) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  const std::string rest = url.substr(kScheme.size());
  const std::string authority = rest.substr(0, rest.find('/'));
  const std::string path = rest.find('/') == std::string::npos ? "/" : rest.substr(rest.find('/'));
  const auto colon = authority.rfind(':');
  if (colon == std::string::npos) return std::nullopt;

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(authority.c_str() + colon + 1)));
  if (::inet_pton(AF_INET, authority.substr(0, colon).c_str(), &address.sin_addr) != 1) return std::nullopt;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  timeval timeout{};
  timeout.tv_sec = static_cast<time_t>(limit.count() / 1000);
  timeout.tv_usec = static_cast<suseconds_t>(limit.count() % 1000 * 1000);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);

  std::string answer;
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + authority + "\r\nAccept: */*\r\n\r\n";
  const bool asked = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  if (asked) {
    std::array<char, 8192> buffer{};
    for (ssize_t size = 0; (size = ::recv(socket, buffer.data(), buffer.size(), 0)) > 0;)
      answer.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(socket);

  const auto head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || head == std::string::npos) return std::nullopt;
  return HttpAnswer{std::atoi(answer.c_str() + answer.find(' ') + 1), answer.substr(head + 4)};
}

}  // namespace runfold::test
