// Turns what librdkafka says about connections into errors that people can act on, for producers and consumers alike.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/properties.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::kafka {

/// Follows one client's brokers through its error callback.
///
/// librdkafka tells of each broker first (_TRANSPORT, "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed:
/// Connection refused (after 0ms in state CONNECT)"), then, once, that all are down. The last cause is kept for that.
/// Thread: any.
class Connection {
 public:
  explicit Connection(std::string bootstrap_servers);

  /// What to tell the owner about one error of the client, if anything: a broker that closes an idle connection is no trouble.
  [[nodiscard]] std::optional<Error> on_error(int rdkafka_error, std::string_view reason);

  /// A broker has answered. True when that ends a time in which none did.
  bool on_answer() noexcept {
    reached_.store(true, std::memory_order_relaxed);
    return unreachable_.load(std::memory_order_relaxed) && unreachable_.exchange(false);
  }
  /// A broker has answered, ever.
  [[nodiscard]] bool reached() const noexcept { return reached_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool unreachable() const noexcept { return unreachable_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] Error refusal() const;

  std::atomic<bool> unreachable_{false};
  std::atomic<bool> reached_{false};
  std::mutex mutex_;
  std::string bootstrap_servers_;
  std::string cause_;
  bool refused_access_ = false;
};

/// The part of a reason that says why, in few words: "connection refused", "the name does not resolve".
[[nodiscard]] std::string cause_of(std::string_view reason);

/// Makes a librdkafka configuration of the properties, with logging that never prints unless `debug` is set: then lines
/// go to stderr. The caller adds callbacks and opaque.
/// Errors: kInvalid when there is no bootstrap.servers, or a property is refused.
[[nodiscard]] Result<ConfHandle> make_conf(const Properties& properties);

/// Makes a client of the configuration that make_conf() made of the same properties.
[[nodiscard]] Result<ClientHandle> make_client(rd_kafka_type_t type, ConfHandle conf, const Properties& properties);

/// The addresses of the properties (bootstrap.servers or its old name).
[[nodiscard]] std::optional<std::string> bootstrap_servers(const Properties& properties);

}  // namespace runfold::kafka
