// What a sink has to offer to be put through the contract: a receiver that can be looked into, and one that is dead.
#pragma once

#include "sinks/sink.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace runfold::sinks::contract {

/// Above what anything here takes.
inline constexpr std::chrono::seconds kPatience{60};

/// Runs a coroutine on its event loop until it completes.
template <class T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr thrown;
  bool done = false;
  auto completed = [&](std::exception_ptr exception, T value) {
    thrown = exception;
    result = std::move(value);
    done = true;
  };
  boost::asio::co_spawn(context, std::move(work), completed);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done && std::chrono::steady_clock::now() < deadline) {
    context.restart();
    context.run_one_until(deadline);
  }
  if (!done) throw std::runtime_error("the coroutine did not complete in time");
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*result);
}

/// What a receiver got, as the sink's record says it.
struct Arrival {
  std::string idempotency_key;
  std::string run_id;
  auto operator<=>(const Arrival&) const = default;
};

/// A sink and its receiver.
class SinkRig {
 public:
  virtual ~SinkRig() = default;
  virtual Sink& sink() = 0;
  /// Waits until `count` records have arrived; all that have, those of one run in their order.
  virtual std::vector<Arrival> arrivals(std::size_t count) = 0;
  /// A record that the receiver takes.
  virtual Item good(std::int64_t id, const std::string& run_id) = 0;
  /// A record that the receiver refuses for good.
  virtual Item refused(std::int64_t id, const std::string& run_id) = 0;
  /// A record that fails, as one to be tried again.
  virtual Item failing(std::int64_t id, const std::string& run_id) = 0;
};

/// A kind of sink.
struct SinkUnderTest {
  std::string name;
  std::function<std::unique_ptr<SinkRig>(boost::asio::io_context&)> make;
  /// A sink whose receiver takes connections and never says a word; its own timeout is the one given.
  std::function<std::unique_ptr<SinkRig>(boost::asio::io_context&, std::chrono::milliseconds timeout)> make_dead;
};

/// All kinds there are.
[[nodiscard]] const std::vector<SinkUnderTest>& sinks();
/// The rigs, a file each.
[[nodiscard]] SinkUnderTest webhook_under_test();
/// `bootstrap_servers`: empty for an embedded broker.
[[nodiscard]] SinkUnderTest kafka_topic_under_test(std::string name, std::string bootstrap_servers);

}  // namespace runfold::sinks::contract
