// A run's sink that keeps everything, and an event loop with a thread of its own: for the intake's and the proxy's tests.
#pragma once

#include "producer/agent/sink.hpp"
#include "producer/redact/records.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace runfold::agent::test {

/// The record as delivery hands it on.
[[nodiscard]] inline v1::LogRecord delivered(const v1::LogRecord& record, const redact::Redactor& redactor = redact::Redactor()) {
  return redact::redacted(redactor, record).value_or(record);
}

/// Thread: any.
class Recorded {
 public:
  [[nodiscard]] RunSink sink() {
    return {[this](v1::LogRecord record) {
              const std::scoped_lock lock(mutex_);
              logs_.push_back(std::move(record));
              return true;
            },
            [this](v1::SyncEvent event) {
              const std::scoped_lock lock(mutex_);
              events_.push_back(std::move(event));
              return true;
            }};
  }
  [[nodiscard]] std::vector<v1::LogRecord> logs() {
    const std::scoped_lock lock(mutex_);
    return logs_;
  }
  [[nodiscard]] std::vector<v1::SyncEvent> events() {
    const std::scoped_lock lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::vector<v1::LogRecord> logs_;
  std::vector<v1::SyncEvent> events_;
};

/// Runs something that has run() and stop() on a thread, until it is destroyed.
template <class Server>
class Running {
 public:
  explicit Running(Server& server, boost::asio::io_context& io) : server_(server), io_(io) {
    boost::asio::co_spawn(io_, server_.run(), boost::asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Running() {
    boost::asio::post(io_, [this] {
      server_.stop(std::chrono::milliseconds(0));
      until_destroyed_.reset();
    });
    thread_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Server& server_;
  boost::asio::io_context& io_;
  /// Were the thread to end with a server that stopped before, the next one on this io_context would get our stop().
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> until_destroyed_{io_.get_executor()};
  std::thread thread_;
};

}  // namespace runfold::agent::test
