// One client's connection to the server: reads requests, runs their handlers, writes the responses.
#include "transport/http/connection.hpp"

#include "transport/http/deadline.hpp"
#include "transport/http/request_reader.hpp"
#include "transport/http/response_head.hpp"
#include "transport/http/syntax.hpp"

#include <boost/asio.hpp>

#include <array>
#include <cstdio>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A body of at most this much is always taken: other clients' large ones keep nobody from saying little.
constexpr std::size_t kSmallBody = 16 * 1024;

Problem unexpected() {
  return {500, "Internal Server Error", "The server met an unexpected condition; its log says more.", {}};
}

class ConnectionImpl final : public Connection {
 public:
  ConnectionImpl(asio::ip::tcp::socket socket, std::shared_ptr<const Serving> serving)
      : socket_(std::move(socket)), serving_(std::move(serving)), deadline_(socket_.get_executor(), [this] { on_deadline(); }) {
    boost::system::error_code ignored;
    const auto endpoint = socket_.remote_endpoint(ignored);
    if (!ignored)
      peer_ = (endpoint.address().is_v6() ? "[" + endpoint.address().to_string() + "]" : endpoint.address().to_string()) + ":" +
              std::to_string(endpoint.port());
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  }

  asio::awaitable<void> serve() override {
    const auto self = shared_from_this();
    try {
      bool again = true;
      while (again) {
        again = co_await serve_one();
        hold_body(0);
      }
    } catch (const std::exception& error) {
      serving_->report("connection of " + peer_ + ": " + error.what());
    }
    hold_body(0);  // what was thrown left it as it was
    close();
  }

  std::optional<steady_clock::time_point> idle_since() const noexcept override { return idle_since_; }

  void drain() override {
    draining_ = true;
    if (idle_since_) {
      close();
    } else if (in_event_stream_ && in_handler_) {
      handler_cancel_.emit(asio::cancellation_type::terminal);
    }
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    boost::system::error_code ignored;
    socket_.close(ignored);
    if (in_handler_) handler_cancel_.emit(asio::cancellation_type::terminal);
  }

 private:
  void on_deadline() {
    boost::system::error_code ignored;
    if (in_handler_) {
      handler_cancel_.emit(asio::cancellation_type::terminal);
    } else if (reading_) {
      socket_.cancel(ignored);  // the socket stays open for a 408
    } else {
      socket_.close(ignored);
    }
  }

  /// Counts what this connection has of a body among those of all. False: together they are too much.
  bool hold_body(std::size_t bytes) {
    std::size_t& all = serving_->bodies_bytes;
    all += bytes - body_bytes_;
    body_bytes_ = bytes;
    return bytes <= kSmallBody || all <= serving_->limits.bodies_bytes || all == bytes;
  }

  /// Reads more into the reader. False: the deadline passed, or the client is gone.
  asio::awaitable<bool> fill(RequestReader& reader) {
    if (closed_ || deadline_.passed()) co_return false;
    reading_ = true;
    const auto [error, bytes] = co_await socket_.async_read_some(reader.space(), asio::as_tuple(asio::use_awaitable));
    reading_ = false;
    if (error) co_return false;
    reader.filled(bytes);
    co_return true;
  }

  /// Serves one request. False: the connection is over.
  asio::awaitable<bool> serve_one() {
    if (draining_) co_return false;
    idle_since_ = steady_clock::now();
    deadline_.set(serving_->limits.idle_time);
    while (!reader_.has_begun()) {
      if (!co_await fill(reader_)) co_return false;
    }
    idle_since_.reset();

    deadline_.set(serving_->limits.request_time);
    auto state = reader_.read();
    while (state != RequestReader::State::kWhole && state != RequestReader::State::kRefused) {
      std::optional<Response> refused;
      if (state == RequestReader::State::kHead) {
        reader_.head().peer = peer_;
        refused = serving_->router.refusal(reader_.head());
      } else if (state == RequestReader::State::kContinue) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!co_await write(asio::buffer(kContinue))) co_return false;
      } else if (!co_await fill(reader_)) {
        if (closed_ || !deadline_.passed()) co_return false;
        const milliseconds limit = serving_->limits.request_time;
        const Problem late{408, "Request Timeout", "The request was not complete within " + std::to_string(limit.count()) + " ms.", {}};
        co_return co_await refuse(late);
      }
      state = reader_.read();
      // Where all of it is here already, the route refuses it, and the connection can go on.
      if (refused && state != RequestReader::State::kWhole) co_return co_await refuse(*refused);
      if (!hold_body(reader_.body_bytes())) {
        const Problem crowded{503, "Service Unavailable", "Too many large requests are being sent at once; try again.", {}};
        co_return co_await refuse(crowded);
      }
    }
    if (state == RequestReader::State::kRefused) co_return co_await refuse(reader_.problem());

    RequestReader::Incoming incoming = reader_.take();
    co_return co_await answer(incoming);
  }

  /// Runs the handler and sends its response. False: the connection is over.
  asio::awaitable<bool> answer(RequestReader::Incoming& incoming) {
    Request& request = incoming.request;
    deadline_.set(serving_->limits.response_time);
    std::string error;
    auto work = serving_->router.route(request);
    std::optional<Response> response = co_await guarded(std::move(work), error);
    if (closed_) co_return false;
    if (deadline_.passed()) {
      const milliseconds limit = serving_->limits.response_time;
      serving_->report(request.method + " " + printable(request.path) + ": no response within " + std::to_string(limit.count()) + " ms");
      const Problem late{
          503, "Service Unavailable", "There was no response within " + std::to_string(limit.count()) + " ms; try again.", {}};
      co_return co_await refuse(late);
    }
    if (!response) {
      serving_->report(request.method + " " + printable(request.path) + ": " + error);
      response = unexpected().to_response();
    }

    const ResponseFraming framing{incoming.http_1_0, request.method == "HEAD", incoming.keep_alive && !draining_};
    auto head = response_head(*response, framing, error);
    if (!head) {
      serving_->report(request.method + " " + printable(request.path) + ": " + error);
      response = unexpected().to_response();
      head = response_head(*response, framing, error);
    }
    if (response->next_chunk && head->has_body) {
      in_event_stream_ = response->fields.get("Content-Type").value_or("").starts_with("text/event-stream");
      const bool whole = co_await stream(*response, *head, request);
      in_event_stream_ = false;
      if (!whole) co_return false;
    } else {
      const std::array<asio::const_buffer, 2> parts{asio::buffer(head->text), asio::buffer(head->has_body ? response->body : kNothing)};
      if (!co_await write(parts)) co_return false;
    }
    if (head->keep_alive) co_return true;
    boost::system::error_code ignored;
    if (!reader_.is_empty() || socket_.available(ignored) > 0) co_await linger();
    co_return false;
  }

  /// Sends the head, then the body in parts as next_chunk gives them. False: broken off.
  asio::awaitable<bool> stream(Response& response, const ResponseHead& head, const Request& request) {
    std::uint64_t sent = response.body.size();
    std::string first = head.text;
    if (!response.body.empty()) first += head.chunked ? chunk_head(response.body.size()) + response.body + "\r\n" : response.body;
    if (!co_await write(asio::buffer(first))) co_return false;
    while (!(in_event_stream_ && draining_)) {
      deadline_.set(serving_->limits.response_time);
      std::string error;
      auto next = next_chunk(response);
      std::optional<std::optional<std::string>> chunk = co_await guarded(std::move(next), error);
      if (closed_) co_return false;
      if (in_event_stream_ && draining_) break;
      if (!chunk || deadline_.passed()) {
        serving_->report(request.method + " " + printable(request.path) + ": " + (chunk ? "the next part took too long" : error));
        co_return false;
      }
      if (!chunk->has_value()) break;
      const std::string& body = **chunk;
      if (body.empty()) continue;
      sent += body.size();
      if (head.content_length && sent > *head.content_length) break;
      const std::string size = head.chunked ? chunk_head(body.size()) : "";
      const std::array<asio::const_buffer, 3> parts{asio::buffer(size), asio::buffer(body), asio::buffer(head.chunked ? kCrlf : kNothing)};
      if (!co_await write(parts)) co_return false;
    }
    if (head.content_length && sent != *head.content_length) {
      serving_->report(request.method + " " + printable(request.path) + ": the stream is not as long as its Content-Length");
      co_return false;
    }
    static constexpr std::string_view kEnd = "0\r\n\r\n";
    if (!head.chunked) co_return true;
    co_return co_await write(asio::buffer(kEnd));
  }

  static asio::awaitable<std::optional<std::string>> next_chunk(Response& response) { co_return co_await response.next_chunk(); }

  static std::string chunk_head(std::size_t bytes) {
    char text[24];
    std::snprintf(text, sizeof text, "%zx\r\n", bytes);
    return text;
  }

  /// Runs a handler's coroutine so that the deadline and close() can cancel it. Nothing: it threw, and `error` says what.
  template <class T>
  asio::awaitable<std::optional<T>> guarded(asio::awaitable<T> work, std::string& error) {
    std::optional<T> outcome;
    in_handler_ = true;
    try {
      outcome = co_await asio::co_spawn(socket_.get_executor(), std::move(work),
                                        asio::bind_cancellation_slot(handler_cancel_.slot(), asio::use_awaitable));
    } catch (const std::exception& thrown) {
      error = thrown.what();
    } catch (...) {
      error = "something that is no exception was thrown";
    }
    in_handler_ = false;
    handler_cancel_.slot().clear();
    co_return outcome;
  }

  /// Writes all of it before the deadline that is set. False: it could not.
  template <class Buffers>
  asio::awaitable<bool> write(Buffers buffers) {
    if (closed_ || deadline_.passed()) co_return false;
    const auto [error, bytes] = co_await asio::async_write(socket_, buffers, asio::as_tuple(asio::use_awaitable));
    co_return !error;
  }

  /// Says why the connection ends here. Always false.
  asio::awaitable<bool> refuse(const Problem& problem) {
    const Response response = problem.to_response();
    co_return co_await refuse(response);
  }
  asio::awaitable<bool> refuse(const Response& response) {
    reader_.forget();
    hold_body(0);
    deadline_.set(kLastWords);
    std::string why;
    const auto head = response_head(response, {false, false, false}, why);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head->text), asio::buffer(response.body)};
    if (co_await write(parts)) co_await linger();
    co_return false;
  }

  /// Reads what the client still sends, for a while, so that it gets to read the response.
  asio::awaitable<void> linger() {
    boost::system::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    deadline_.set(kLinger);
    RequestReader drain(serving_->limits.header_bytes, 0);
    while (co_await fill(drain)) drain.forget();
  }

  inline static const std::string kNothing;
  inline static const std::string kCrlf = "\r\n";

  asio::ip::tcp::socket socket_;
  std::shared_ptr<const Serving> serving_;
  RequestReader reader_{serving_->limits.header_bytes, serving_->limits.body_bytes};
  std::string peer_;
  /// Its part of serving_->bodies_bytes.
  std::size_t body_bytes_ = 0;
  asio::cancellation_signal handler_cancel_;
  std::optional<steady_clock::time_point> idle_since_;
  bool reading_ = false;
  bool in_handler_ = false;
  bool in_event_stream_ = false;
  bool draining_ = false;
  bool closed_ = false;
  Deadline deadline_;
};

}  // namespace

std::shared_ptr<Connection> Connection::create(asio::ip::tcp::socket socket, std::shared_ptr<const Serving> serving) {
  return std::make_shared<ConnectionImpl>(std::move(socket), std::move(serving));
}

}  // namespace runfold::http
