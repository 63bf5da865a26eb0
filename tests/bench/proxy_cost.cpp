// Measures what the Container API proxy costs: small requests a second and large bodies both ways, through it and without it, in turn.
#include "producer/agent/proxy.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBuffer = 256 * 1024;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// One end of a connection that reads heads and bodies, and holds no body.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor), bytes_(kBuffer) {
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(descriptor_); }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the connection broke");
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_body(std::size_t bytes) {
    static const std::string block(kBuffer, 'b');
    for (; bytes > 0; bytes -= std::min(bytes, block.size())) send(std::string_view(block).substr(0, bytes));
  }
  /// A head and its body's length; nothing at the connection's end.
  bool head(std::string& text, std::size_t& length) {
    text.clear();
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      const ssize_t got = ::recv(descriptor_, bytes_.data(), bytes_.size(), 0);
      if (got <= 0) return false;
      text.append(bytes_.data(), static_cast<std::size_t>(got));
    }
    const std::size_t at = text.find("Content-Length: ");
    length = at < end ? std::stoul(text.substr(at + 16)) : 0;
    early_ = text.size() - end - 4;
    return true;
  }
  void take_body(std::size_t length) {
    length -= std::min(early_, length);
    while (length > 0) {
      const ssize_t got = ::recv(descriptor_, bytes_.data(), std::min(bytes_.size(), length), 0);
      if (got <= 0) throw std::runtime_error("the connection broke");
      length -= static_cast<std::size_t>(got);
    }
  }

 private:
  int descriptor_;
  std::vector<char> bytes_;
  std::size_t early_ = 0;
};

/// Answers "GET /N" with N bytes, and anything else once it has all of it.
void serve(int descriptor) {
  Peer peer(descriptor);
  std::string request;
  std::size_t length = 0;
  while (peer.head(request, length)) {
    peer.take_body(length);
    const std::size_t wanted = request.starts_with("GET /") ? std::stoul(request.substr(5)) : 2;
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(wanted) + "\r\n\r\n");
    peer.send_body(wanted);
  }
}

class Upstream {
 public:
  Upstream() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen on loopback");
    }
    port_ = ntohs(address.sin_port);
    std::thread([listener = listener_] {
      for (int accepted = 0; (accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) std::thread(serve, accepted).detach();
    }).detach();
  }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
};

/// One request after another on one connection; gives the seconds.
double call(std::uint16_t port, const std::string& head, std::size_t body, std::size_t times) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
  Peer peer(descriptor);
  const auto began = std::chrono::steady_clock::now();
  std::string response;
  for (std::size_t i = 0; i < times; ++i) {
    peer.send(head);
    peer.send_body(body);
    std::size_t length = 0;
    if (!peer.head(response, length) || !response.starts_with("HTTP/1.1 200")) throw std::runtime_error("no good answer: " + response);
    peer.take_body(length);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// What a thread has used of a CPU, in seconds.
double cpu_of(clockid_t thread) {
  timespec used{};
  ::clock_gettime(thread, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of[of.size() / 2];
}

struct Measured {
  const char* what;
  const char* unit;
  std::string head;
  std::size_t body = 0;
  std::size_t times = 1;
  /// Of the unit, in all requests of a round.
  double amount = 1;
  std::vector<double> direct = {};
  std::vector<double> proxied = {};
  std::vector<double> ratios = {};
  /// Of the proxy's thread, in microseconds for one of the unit.
  std::vector<double> cpu = {};
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t rounds = 7;
  std::size_t requests = 20'000;
  std::size_t mebibytes = 1024;
  CLI::App app("Measures what the Container API proxy costs. Upstream, proxy and client are threads of one process, over loopback.");
  app.add_option("--rounds", rounds, "Rounds, after one that does not count")->check(CLI::PositiveNumber);
  app.add_option("--requests", requests, "Small requests a round");
  app.add_option("--mib", mebibytes, "Size of a large body");
  CLI11_PARSE(app, argc, argv);

  const Upstream upstream;
  boost::asio::io_context io(1);
  runfold::agent::ProxyOptions options;
  options.upstream = "http://127.0.0.1:" + std::to_string(upstream.port());
  const auto proxy =
      runfold::agent::Proxy::listen(io.get_executor(), {[](runfold::v1::LogRecord) { return true; }, {}}, std::move(options)).value();
  const std::string url = proxy->url();
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  boost::asio::co_spawn(io, proxy->run(), boost::asio::detached);
  std::thread loop([&io] { io.run(); });
  clockid_t loop_cpu{};
  ::pthread_getcpuclockid(loop.native_handle(), &loop_cpu);

  const std::string fields =
      " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\nUser-Agent: bench\r\nAccept: "
      "application/json\r\n";
  const std::size_t large = mebibytes << 20;
  const auto count = static_cast<double>(requests);
  const auto size = static_cast<double>(mebibytes);
  std::vector<Measured> all{
      {"small GET, 200 B", "1/s", "GET /200" + fields + "\r\n", 0, requests, count},
      {"small POST, 500 B", "1/s", "POST /a" + fields + "Content-Length: 500\r\n\r\n", 500, requests, count},
      {"large response", "MiB/s", "GET /" + std::to_string(large) + fields + "\r\n", 0, 1, size},
      {"large request", "MiB/s", "PUT /a" + fields + "Content-Length: " + std::to_string(large) + "\r\n\r\n", large, 1, size},
  };
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (Measured& measured : all) {
      const double direct = measured.amount / call(upstream.port(), measured.head, measured.body, measured.times);
      const double cpu_before = cpu_of(loop_cpu);
      const double proxied = measured.amount / call(port, measured.head, measured.body, measured.times);
      if (round == 0) continue;
      measured.direct.push_back(direct);
      measured.proxied.push_back(proxied);
      measured.ratios.push_back(proxied / direct);
      measured.cpu.push_back((cpu_of(loop_cpu) - cpu_before) / measured.amount * 1e6);
    }
  }
  std::printf("| | unit | direct | through the proxy | ratio | proxy's CPU, us |\n|---|---|---|---|---|---|\n");
  for (const Measured& measured : all) {
    std::printf("| %s | %s | %.0f | %.0f | %.2f | %.0f |\n", measured.what, measured.unit, median(measured.direct),
                median(measured.proxied), median(measured.ratios), median(measured.cpu));
  }
  boost::asio::post(io, [&] { proxy->stop(std::chrono::milliseconds(0)); });
  loop.join();
  return 0;
}
