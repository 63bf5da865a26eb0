// A broker address that refuses connections until it is told to answer; then it relays them to a real one.
#pragma once

#include "tests/support/unanswered_address.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <thread>

// g++ 12 with -fsanitize=address takes a coroutine frame's own operator delete for a mismatch.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace runfold::test {

/// Stands for a cluster that is down and comes up. Thread: its own relays.
class LateBroker {
 public:
  LateBroker() : address_(UnansweredAddress::Kind::kRefuses) {}
  ~LateBroker() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }
  LateBroker(const LateBroker&) = delete;
  LateBroker& operator=(const LateBroker&) = delete;

  [[nodiscard]] std::string text() const { return address_.text(); }

  /// From now on connections are relayed to `port` on this host.
  void answer_as(unsigned short port) {
    const int listening = address_.listen_from_now();
    acceptor_.emplace(io_, Tcp::v4(), listening);
    boost::asio::co_spawn(io_, accept(port), boost::asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = std::shared_ptr<Tcp::socket>;

  boost::asio::awaitable<void> accept(unsigned short port) {
    for (;;) {
      auto client = std::make_shared<Tcp::socket>(co_await acceptor_->async_accept(boost::asio::use_awaitable));
      auto server = std::make_shared<Tcp::socket>(io_);
      const Tcp::endpoint to(boost::asio::ip::address_v4::loopback(), port);
      co_await server->async_connect(to, boost::asio::use_awaitable);
      boost::asio::co_spawn(io_, copy(client, server), boost::asio::detached);
      boost::asio::co_spawn(io_, copy(server, client), boost::asio::detached);
    }
  }

  static boost::asio::awaitable<void> copy(Socket from, Socket to) {
    std::array<char, 16384> bytes{};
    for (;;) {
      const std::size_t count = co_await from->async_read_some(boost::asio::buffer(bytes), boost::asio::use_awaitable);
      co_await boost::asio::async_write(*to, boost::asio::buffer(bytes, count), boost::asio::use_awaitable);
    }
  }

  UnansweredAddress address_;
  boost::asio::io_context io_;
  std::optional<Tcp::acceptor> acceptor_;
  std::thread thread_;
};

}  // namespace runfold::test

#pragma GCC diagnostic pop
