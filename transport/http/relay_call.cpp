// One call of a relay: connect, send the request while it comes, and end it well or not.
#include "transport/http/relay_connection.hpp"
#include "transport/http/relay_head.hpp"
#include "transport/http/syntax.hpp"

#include <boost/asio.hpp>

#include <utility>

namespace runfold::http {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// A response that takes longer than this is worth a look whether the client still waits for it.
constexpr milliseconds kWatchAfter{250};
/// A kept connection may be closed by the upstream just as it is used again. After so short a rest that is not to be feared: what
/// cannot be sent twice gets a new one after a longer.
constexpr milliseconds kShortRest{1'000};

}  // namespace

void Relay::begin_call(const std::string& target) {
  ++calls_;
  call_ = {};
  call_.method = request_.head().method;
  call_.target = target;
  in_call_ = true;
  began_ = steady_clock::now();
  why_.clear();
  client_fault_.clear();
  client_gone_ = client_late_ = stop_upload_ = response_begun_ = interim_sent_ = false;
  upload_ended_ = true;
  if (request_.is_whole()) watch_.set(kWatchAfter);
}

void Relay::finish_call(std::string error) {
  if (!std::exchange(in_call_, false)) return;
  if (error.empty() && call_.status.value_or(0) < 400) return;
  call_.error = std::move(error);
  call_.duration = steady_clock::now() - began_;
  relaying_->on_failure(std::move(call_));
}

asio::awaitable<bool> Relay::relay_call() {
  const StreamHead& request = request_.head();
  const std::string target = *path_and_query(request.target);
  begin_call(target);
  const std::string head = relayed_request(request, target, relaying_->upstream);
  const bool repeatable = request_.is_whole() && is_idempotent(request.method);
  bool answered = false;
  for (;;) {
    const bool kept = has_kept_upstream(repeatable);
    if (!kept && !co_await connect()) break;
    co_await send(head);
    answered = co_await receive_head();
    if (answered || !kept || !repeatable || response_begun_ || interim_sent_ || timed_out_ || client_gone_ || closed_) break;
    upstream_.reset();
  }
  if (!answered) co_return co_await answer_failure();
  const bool whole = co_await pass_response();
  co_return co_await settle(whole);
}

bool Relay::has_kept_upstream(bool repeatable) {
  if (!upstream_) return false;
  const bool rested = steady_clock::now() - upstream_->idle_since > kShortRest;
  if (upstream_->is_quiet() && (!rested || repeatable)) return true;
  upstream_.reset();
  return false;
}

asio::awaitable<bool> Relay::connect() {
  response_.clear();
  doing_ = kConnecting;
  attempt_ = std::make_unique<Attempt>();
  attempt_->until = steady_clock::now() + relaying_->limits.connect_time;
  deadline_.set(relaying_->limits.connect_time);
  const auto dialled = co_await dial(client_.get_executor(), relaying_->upstream, dialling_, relaying_->tls.get(), lookups_, *attempt_);
  const auto attempt = std::exchange(attempt_, nullptr);
  if (dialled && !attempt->aborted) {
    upstream_ = std::move(attempt->link);
    co_return true;
  }
  if (timed_out_) {
    why_ = relaying_->upstream.host_port() + " gave no connection within " + in_ms(relaying_->limits.connect_time) +
           " (they passed while " + attempt->doing + ").";
  } else if (!dialled) {
    why_ = dialled.error().message;
  }
  co_return false;
}

asio::awaitable<void> Relay::send(const std::string& head) {
  doing_ = "sending the request";
  deadline_.set(relaying_->limits.stall_time);
  upload_error_.clear();
  if (!request_.is_whole()) static_cast<void>(request_.read_body());
  up_.start(head);
  if (request_.is_whole()) up_.add_body(request_, request_.head().chunked);
  // What the upstream says is worth reading even when sending to it failed.
  upload_error_ = co_await upstream_->write(up_.parts());
  if (request_.is_whole()) {
    request_.drop_pieces();
    await_response();
  } else if (!upload_error_) {
    upload_ended_ = false;
    auto ended = [self = shared_from_this(), this](std::exception_ptr thrown) {
      if (thrown) cut_upstream();
      upload_ended_ = true;
      upload_over_.cancel();
    };
    asio::co_spawn(client_.get_executor(), upload(), std::move(ended));
  }
}

void Relay::await_response() {
  if (response_begun_) return;
  doing_ = kWaiting;
  deadline_.set(relaying_->limits.response_time);
  watch_.set(kWatchAfter);
}

asio::awaitable<void> Relay::upload() {
  using State = RequestStream::State;
  while (!stop_upload_) {
    const State state = request_.read_body();
    if (state == State::kBroken) {
      client_fault_ = "its body is not valid HTTP/1.1: " + request_.why();
      break;
    }
    if (state == State::kMore) {
      upload_reads_ = true;
      const auto [error, bytes] = co_await client_.async_read_some(request_.space(kBodyRead), asio::as_tuple(asio::use_awaitable));
      upload_reads_ = false;
      if (error) {
        client_gone_ = client_gone_ || (!stop_upload_ && !timed_out_);
        break;
      }
      request_.filled(bytes);
      deadline_.set(relaying_->limits.stall_time);
      continue;
    }
    up_.start({});
    up_.add_body(request_, request_.head().chunked);
    upload_error_ = co_await upstream_->write(up_.parts());
    if (upload_error_) co_return;
    deadline_.set(relaying_->limits.stall_time);
    request_.drop_pieces();
    if (!request_.is_whole()) continue;
    await_response();
    co_return;
  }
  // The upstream must not take what it has for the whole, nor wait for more.
  upstream_->close();
}

asio::awaitable<void> Relay::end_of_upload() {
  while (!upload_ended_) co_await upload_over_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Relay::break_off_upload() {
  if (!upload_ended_) {
    stop_upload_ = true;
    upstream_->close();
    error_code ignored;
    client_.cancel(ignored);
  }
  co_await end_of_upload();
}

asio::awaitable<bool> Relay::settle(bool whole) {
  if (!whole) {
    finish_call(client_gone_ && call_.status < 400u ? std::string() : unfinished());
    co_await break_off_upload();
    co_return false;
  }
  const bool upstream_stays = response_.head().keep_alive && !closes_with_body() && response_.is_empty();
  // Answered early: an upstream that stays reads the rest, and so the client may send it.
  if (!upstream_stays || unasked_) co_await break_off_upload();
  co_await end_of_upload();
  if (upstream_stays && request_.is_whole() && !upload_error_) {
    upstream_->idle_since = steady_clock::now();
  } else {
    upstream_.reset();
  }
  response_.next();
  if (!request_.is_whole() || !keep_client_) {
    co_await linger();
    co_return false;
  }
  request_.next();
  co_return !closed_;
}

asio::awaitable<bool> Relay::answer_failure() {
  end_watch();
  co_await break_off_upload();
  upstream_.reset();
  const ResponseFraming last{request_.head().http_1_0, request_.head().method == "HEAD", false};
  if (closed_ || client_gone_) {
    finish_call(closed_ ? "The proxy was stopped before there was a response."
                        : "The client closed the connection before there was a response.");
    co_return false;
  }
  if (client_late_ || !client_fault_.empty()) {
    const Problem fault{client_late_ ? 408u : 400u,
                        client_late_ ? "Request Timeout" : "Malformed request",
                        client_late_ ? "Nothing of the request's body came for " + in_ms(relaying_->limits.stall_time) + "."
                                     : "The request was given up: " + client_fault_ + ".",
                        {}};
    finish_call(fault.detail);
    co_return co_await answer(fault, last);
  }
  if (timed_out_ && doing_ != kConnecting) {
    why_ = relaying_->upstream.host_port() + " gave no response within " +
           in_ms(doing_ == kWaiting ? relaying_->limits.response_time : relaying_->limits.stall_time) + " (they passed while " + doing_ +
           ").";
  }
  finish_call(why_);
  const Problem failure{timed_out_ ? 504u : 502u, timed_out_ ? "Gateway Timeout" : "Bad Gateway", why_, {}};
  ResponseFraming framing = last;
  framing.keep_alive = request_.is_whole() && request_.head().keep_alive && !draining_;
  timed_out_ = false;
  const bool again = co_await answer(failure, framing);
  request_.next();
  co_return again;
}

}  // namespace runfold::http
