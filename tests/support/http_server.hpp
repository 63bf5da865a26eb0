// An HTTP server on a free loopback port with an event loop and a thread of its own, for tests.
#pragma once

#include "transport/http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace runfold::test {

/// Serves from its construction until its destruction.
class HttpServer {
 public:
  explicit HttpServer(http::Router router, http::ServerLimits limits = {}) {
    server_ = http::Server::listen(context_.get_executor(), "127.0.0.1:0", std::move(router), limits, [this](const std::string& error) {
                const std::scoped_lock lock(mutex_);
                errors_.push_back(error);
              }).value();
    address_ = server_->address();
    auto ended = [this](std::exception_ptr) { ended_.set_value(); };
    boost::asio::co_spawn(context_, server_->run(), std::move(ended));
    thread_ = std::thread([this] { context_.run(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    stop(std::chrono::milliseconds(0));
    thread_.join();
  }

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] std::string url(const std::string& target) const { return "http://" + address_ + target; }
  [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))); }

  void stop(std::chrono::milliseconds grace) {
    auto stop = [this, grace] { server_->stop(grace); };
    boost::asio::post(context_, std::move(stop));
  }
  /// Whether run() completes within `limit`.
  [[nodiscard]] bool ends_within(std::chrono::milliseconds limit) { return ended_seen_.wait_for(limit) == std::future_status::ready; }

  /// What the server told its on_error.
  [[nodiscard]] std::vector<std::string> errors() const {
    const std::scoped_lock lock(mutex_);
    return errors_;
  }

  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> errors_;
  std::promise<void> ended_;
  std::future<void> ended_seen_ = ended_.get_future();
  boost::asio::io_context context_{1};
  std::unique_ptr<http::Server> server_;
  std::string address_;
  std::thread thread_;
};

}  // namespace runfold::test
