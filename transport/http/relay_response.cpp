// What comes back through a relay: interim responses, the head, the body as it comes, and why it ended early.
#include "transport/http/relay_connection.hpp"
#include "transport/http/relay_head.hpp"
#include "transport/http/syntax.hpp"

#include <boost/asio.hpp>

#include <algorithm>
#include <array>

namespace runfold::http {

namespace asio = boost::asio;
using boost::system::error_code;

asio::awaitable<bool> Relay::fill_response(std::size_t bytes) {
  const auto [error, got] = co_await upstream_->read_some(response_.space(bytes));
  if (!error) {
    response_.filled(got);
    co_return true;
  }
  if (error == asio::error::eof && response_.end() == ResponseStream::State::kReady) co_return true;
  const std::string ended = response_begun_ ? response_.why() : "it closed the connection without a response";
  why_ = broke(error == asio::error::eof ? ended : (upload_error_ ? upload_error_ : error).message());
  co_return false;
}

asio::awaitable<bool> Relay::receive_head() {
  using State = ResponseStream::State;
  for (;;) {
    State state = response_.read_head(request_.head().method == "HEAD");
    while (state == State::kMore) {
      if (!co_await fill_response(kHeadRead)) co_return false;
      response_begun_ = true;
      doing_ = "receiving the response";
      deadline_.set(relaying_->limits.stall_time);
      state = response_.read_head();
    }
    const StreamHead& head = response_.head();
    if (state == State::kTooLarge) why_ = broke("its header is larger than " + std::to_string(relaying_->limits.header_bytes) + " bytes");
    if (state == State::kBroken) why_ = broke("what came is not HTTP/1.1: " + response_.why());
    if (state == State::kTooLarge || state == State::kBroken) co_return false;
    const auto coding = head.fields.get("Transfer-Encoding");
    if (head.status < 100 || head.status == 101 || head.status > 599 || (coding && !equal_fold(*coding, "chunked"))) {
      why_ = broke(coding ? "the transfer coding of what came is not known"
                          : "what came has the status " + std::to_string(head.status) + ", which it was not asked for");
      co_return false;
    }
    response_begun_ = true;
    if (head.status >= 200) co_return true;
    if (!request_.head().http_1_0) {
      interim_sent_ = true;
      const std::string interim = relayed_interim(head);
      const std::array<asio::const_buffer, 1> part{asio::buffer(interim)};
      if (!co_await write_client(part)) {
        client_gone_ = true;
        co_return false;
      }
    }
    response_.next();
    response_begun_ = false;
    if (upload_ended_) await_response();
  }
}

asio::awaitable<bool> Relay::pass_response() {
  using State = ResponseStream::State;
  const StreamHead& request = request_.head();
  const StreamHead& head = response_.head();
  end_watch();
  call_.status = head.status;
  call_.content_encoding = head.fields.get("Content-Encoding").value_or("");
  RelayedFraming framing;
  framing.http_1_0 = request.http_1_0;
  framing.has_body = request.method != "HEAD" && head.status != 204 && head.status != 304;
  const bool unframed = framing.has_body && request.http_1_0 && !head.content_length;
  // A client that was not told to go on may send the body now or leave it out: nobody can say where its next request begins.
  unasked_ = request.fields.get("Expect") && !interim_sent_ && !request_.is_whole();
  const bool unread = upload_error_ && !request_.is_whole();
  keep_client_ = framing.keep_alive = request.keep_alive && !draining_ && !unframed && !unasked_ && !unread;
  const bool chunked = framing.chunked(head);

  down_.start(relayed_response(head, framing));
  for (;;) {
    const State state = response_.read_body();
    if (state == State::kBroken) {
      why_ = broke("what came is not HTTP/1.1: " + response_.why());
      break;
    }
    if (state == State::kReady) {
      keep_body();
      down_.add_body(response_, chunked);
      if (response_.is_whole()) finish_call({});
    }
    if (!down_.parts().empty()) {
      if (!co_await write_client(down_.parts())) {
        client_gone_ = true;
        break;
      }
      deadline_.set(relaying_->limits.stall_time);
      down_.start({});
    }
    response_.drop_pieces();
    if (response_.is_whole() && state == State::kReady) co_return true;
    if (state == State::kMore && !co_await fill_response(kBodyRead)) break;
    deadline_.set(relaying_->limits.stall_time);
  }
  if (unframed) {
    // Its end would be that of the body: only a reset says that it is not.
    error_code ignored;
    client_.set_option(asio::socket_base::linger(true, 0), ignored);
  }
  co_return false;
}

void Relay::keep_body() {
  if (call_.status.value_or(0) < 400) return;
  call_.body_bytes += response_.piece_bytes();
  for (const asio::const_buffer& piece : response_.pieces()) {
    const std::size_t room = relaying_->kept_body_bytes + 1 - std::min(call_.body.size(), relaying_->kept_body_bytes + 1);
    call_.body.append(static_cast<const char*>(piece.data()), std::min(piece.size(), room));
  }
}

bool Relay::closes_with_body() const {
  const StreamHead& head = response_.head();
  return request_.head().method != "HEAD" && head.status != 204 && head.status != 304 && !head.content_length && !head.chunked;
}

std::string Relay::broke(const std::string& why) const {
  return "The connection to " + relaying_->upstream.host_port() + " broke while " + doing_ + " (" + why + ").";
}

std::string Relay::unfinished() const {
  if (client_gone_) return "The client closed the connection before the response was whole.";
  if (closed_) return "The proxy was stopped before the response was whole.";
  if (!client_fault_.empty()) return "The request was given up: " + client_fault_ + ".";
  if (timed_out_) return "Nothing moved for " + in_ms(relaying_->limits.stall_time) + " in the middle of the response.";
  return why_;
}

}  // namespace runfold::http
