// A relay's insides: the two connections, and the call that is under way between them.
#pragma once

#include "transport/http/deadline.hpp"
#include "transport/http/dial.hpp"
#include "transport/http/outgoing.hpp"
#include "transport/http/relay.hpp"
#include "transport/http/response_head.hpp"
#include "transport/http/stream_reader.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace runfold::http {

/// serve() is the client's side of it, relay_call() one call, of which upload() may run beside the rest; whichever of them sees a byte move
/// puts the deadline off. What ends a wait early (deadline, close(), a client that left) closes or cancels what is waited for and
/// leaves a mark; the coroutine that waited reads the marks.
class Relay final : public Connection {
 public:
  Relay(boost::asio::ip::tcp::socket client, std::shared_ptr<const Relaying> relaying);

  boost::asio::awaitable<void> serve() override;
  std::optional<std::chrono::steady_clock::time_point> idle_since() const noexcept override { return idle_since_; }
  void drain() override;
  void close() override;

 private:
  static constexpr std::size_t kHeadRead = 16 * 1024;
  static constexpr std::size_t kBodyRead = 64 * 1024;
  static constexpr std::string_view kConnecting = "connecting";
  static constexpr std::string_view kWaiting = "waiting for the response";

  // relay.cpp: the client's side.
  void on_deadline();
  /// Whatever waits for the upstream ends with an error.
  void cut_upstream();
  boost::asio::awaitable<bool> fill_request(std::size_t bytes);
  boost::asio::awaitable<bool> write_client(std::span<const boost::asio::const_buffer> parts);
  /// Serves one request. False: the connection is over.
  boost::asio::awaitable<bool> serve_one();
  /// Says why the connection ends here. Always false.
  boost::asio::awaitable<bool> refuse(const Problem& problem);
  boost::asio::awaitable<bool> answer(const Problem& problem, const ResponseFraming& framing);
  /// Reads what the client still sends, for a while, so that it gets to read the response.
  boost::asio::awaitable<void> linger();
  /// Looks whether the client still waits: it has sent its request and reads nothing yet.
  void watch_client();
  void end_watch();

  // relay_call.cpp: one call.
  void begin_call(const std::string& target);
  /// Tells of it if it did not go well.
  void finish_call(std::string error);
  boost::asio::awaitable<bool> relay_call();
  /// Whether the connection of the request before can serve this one.
  bool has_kept_upstream(bool repeatable);
  boost::asio::awaitable<bool> connect();
  /// Sends the head, with the body if that is there already; what is still to come is sent beside what follows.
  boost::asio::awaitable<void> send(const std::string& head);
  void await_response();
  /// Passes the rest of the request's body on.
  boost::asio::awaitable<void> upload();
  boost::asio::awaitable<void> end_of_upload();
  boost::asio::awaitable<void> break_off_upload();
  /// Ends a call that was answered. False: the connection is over.
  boost::asio::awaitable<bool> settle(bool whole);
  /// Ends a call without a response. False: the connection is over.
  boost::asio::awaitable<bool> answer_failure();

  // relay_response.cpp: what comes back.
  boost::asio::awaitable<bool> fill_response(std::size_t bytes);
  /// Receives a final response's head, and passes interim ones on. False: there is none.
  boost::asio::awaitable<bool> receive_head();
  /// Passes the response on, whose head is there. False: it is not whole.
  boost::asio::awaitable<bool> pass_response();
  /// The beginning of a failing call's body.
  void keep_body();
  [[nodiscard]] bool closes_with_body() const;
  [[nodiscard]] std::string broke(const std::string& why) const;
  /// Why a response that had begun is not whole.
  [[nodiscard]] std::string unfinished() const;

  boost::asio::ip::tcp::socket client_;
  std::shared_ptr<const Relaying> relaying_;
  RequestStream request_{relaying_->limits.header_bytes};
  ResponseStream response_{relaying_->limits.header_bytes};
  std::unique_ptr<Link> upstream_;
  /// The connection that is being opened.
  std::unique_ptr<Attempt> attempt_;
  ClientOptions dialling_;
  std::shared_ptr<int> lookups_ = std::make_shared<int>(0);

  std::optional<std::chrono::steady_clock::time_point> idle_since_;
  bool draining_ = false;
  bool closed_ = false;

  // The call under way, which the counter tells from those before.
  std::uint64_t calls_ = 0;
  FailedCall call_;
  bool in_call_ = false;
  std::chrono::steady_clock::time_point began_;
  std::string doing_;
  /// Why there is no response, or none that is whole.
  std::string why_;
  bool timed_out_ = false;
  bool response_begun_ = false;
  bool interim_sent_ = false;
  bool keep_client_ = true;
  /// It waited to be told to go on with its body, and got a final response instead.
  bool unasked_ = false;
  /// What is wrong with the rest of the request, the client being there.
  std::string client_fault_;
  bool client_gone_ = false;
  /// The deadline passed while its body was waited for.
  bool client_late_ = false;
  bool watching_ = false;
  Outgoing up_;
  Outgoing down_;
  /// Why sending to the upstream failed.
  boost::system::error_code upload_error_;
  bool upload_ended_ = true;
  bool upload_reads_ = false;
  bool stop_upload_ = false;
  boost::asio::steady_timer upload_over_;
  Deadline deadline_;
  Deadline watch_;
};

/// "1500 ms", for messages.
[[nodiscard]] std::string in_ms(std::chrono::milliseconds time);

}  // namespace runfold::http
