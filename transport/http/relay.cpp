// A relay's connection to its client: requests, refusals, and whether it still waits.
#include "transport/http/relay.hpp"

#include "transport/http/relay_connection.hpp"
#include "transport/http/relay_head.hpp"

#include <sys/socket.h>
#include <boost/asio.hpp>

#include <array>
#include <cerrno>
#include <utility>

namespace runfold::http {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string in_ms(milliseconds time) {
  return std::to_string(time.count()) + " ms";
}

Relay::Relay(asio::ip::tcp::socket client, std::shared_ptr<const Relaying> relaying)
    : client_(std::move(client)),
      relaying_(std::move(relaying)),
      upload_over_(client_.get_executor(), asio::steady_timer::time_point::max()),
      deadline_(client_.get_executor(), [this] { on_deadline(); }),
      watch_(client_.get_executor(), [this] { watch_client(); }) {
  error_code ignored;
  client_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

asio::awaitable<void> Relay::serve() {
  const auto self = shared_from_this();
  try {
    bool again = true;
    while (again) again = co_await serve_one();
  } catch (const std::exception& error) {
    if (in_call_) finish_call(error.what());
  }
  close();
}

void Relay::drain() {
  draining_ = true;
  if (idle_since_) close();
}

void Relay::close() {
  if (std::exchange(closed_, true)) return;
  error_code ignored;
  client_.close(ignored);
  cut_upstream();
}

void Relay::on_deadline() {
  timed_out_ = true;
  // A client that waits to be told to go on is not late.
  client_late_ = upload_reads_ && (interim_sent_ || !request_.head().fields.get("Expect"));
  cut_upstream();
  error_code ignored;
  client_.cancel(ignored);  // it stays open for a 408 or 504
}

void Relay::cut_upstream() {
  if (attempt_) attempt_->abort();
  if (upstream_) upstream_->close();
}

asio::awaitable<bool> Relay::fill_request(std::size_t bytes) {
  if (closed_ || deadline_.passed()) co_return false;
  const auto [error, got] = co_await client_.async_read_some(request_.space(bytes), asio::as_tuple(asio::use_awaitable));
  if (error) co_return false;
  request_.filled(got);
  co_return true;
}

asio::awaitable<bool> Relay::write_client(std::span<const asio::const_buffer> parts) {
  if (closed_) co_return false;
  const auto [error, bytes] = co_await asio::async_write(client_, parts, asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

asio::awaitable<bool> Relay::serve_one() {
  if (draining_) co_return false;
  timed_out_ = false;
  request_.shrink();
  response_.shrink();
  idle_since_ = steady_clock::now();
  deadline_.set(relaying_->limits.idle_time);
  while (!request_.has_begun()) {
    if (!co_await fill_request(kHeadRead)) co_return false;
  }
  idle_since_.reset();

  deadline_.set(relaying_->limits.header_time);
  auto state = request_.read_head();
  while (state == RequestStream::State::kMore) {
    if (!co_await fill_request(kHeadRead)) {
      if (closed_ || !timed_out_) co_return false;
      const Problem late{
          408, "Request Timeout", "The request's head was not complete within " + in_ms(relaying_->limits.header_time) + ".", {}};
      co_return co_await refuse(late);
    }
    state = request_.read_head();
  }
  if (state == RequestStream::State::kTooLarge) {
    const Problem large{431,
                        "Request Header Fields Too Large",
                        "The request line and header are larger than " + std::to_string(relaying_->limits.header_bytes) + " bytes.",
                        {}};
    co_return co_await refuse(large);
  }
  if (state == RequestStream::State::kBroken) {
    const Problem broken{400, "Malformed request", "The request is not valid HTTP/1.1: " + request_.why() + ".", {}};
    co_return co_await refuse(broken);
  }
  if (const auto problem = refusal(request_.head())) co_return co_await refuse(*problem);
  co_return co_await relay_call();
}

asio::awaitable<bool> Relay::refuse(const Problem& problem) {
  const ResponseFraming last{false, false, false};
  co_return co_await answer(problem, last);
}

asio::awaitable<bool> Relay::answer(const Problem& problem, const ResponseFraming& framing) {
  deadline_.set(kLastWords);
  std::string why;
  const Response response = problem.to_response();
  const auto head = response_head(response, framing, why);
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head->text),
                                                asio::buffer(response.body.data(), head->has_body ? response.body.size() : 0)};
  if (!co_await write_client(parts)) co_return false;
  if (!head->keep_alive) co_await linger();
  co_return head->keep_alive;
}

asio::awaitable<void> Relay::linger() {
  error_code ignored;
  client_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  deadline_.set(kLinger);
  do {
    request_.clear();
  } while (co_await fill_request(kHeadRead));
}

void Relay::watch_client() {
  if (watching_) return;
  watching_ = true;
  client_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this(), this, turn = calls_](const error_code& error) {
    if (error || turn != calls_ || !watching_) return;
    watching_ = false;
    char byte = 0;
    const auto got = ::recv(client_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0 || (got < 0 && errno == EAGAIN)) return;  // its next request is there already
    client_gone_ = true;
    cut_upstream();
  });
}

void Relay::end_watch() {
  watch_.clear();
  error_code ignored;
  if (std::exchange(watching_, false)) client_.cancel(ignored);
}

std::shared_ptr<Connection> make_relay(asio::ip::tcp::socket client, std::shared_ptr<const Relaying> relaying) {
  return std::make_shared<Relay>(std::move(client), std::move(relaying));
}

}  // namespace runfold::http
