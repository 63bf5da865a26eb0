// One request and its response on a connection that stands.
#include "transport/http/exchange.hpp"

#include "transport/http/syntax.hpp"

#include <boost/asio.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <optional>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kHeaderBytes = 64 * 1024;

/// Bytes to one response, 1xx ones left out.
class ResponseReader {
 public:
  ResponseReader(bool head_request, std::size_t body_limit) : head_request_(head_request), body_limit_(body_limit) { start(); }

  enum class State : std::uint8_t { kMore, kWhole, kTooLarge, kBroken };

  asio::mutable_buffer space() { return buffer_.prepare(kReadBytes); }
  void filled(std::size_t bytes) { buffer_.commit(bytes); }
  const std::string& why() const noexcept { return why_; }

  State read() {
    while (buffer_.size() > 0) {
      const bool was_header = !parser_->is_header_done();
      error_code error;
      const std::size_t used = parser_->put(buffer_.cdata(), error);
      buffer_.consume(used);
      if (was_header) header_read_ += used;
      if (error == beast::http::error::body_limit) return State::kTooLarge;
      if (error && error != beast::http::error::need_more) return broken("what came is not HTTP/1.1: " + error.message());
      const bool unfinished = error == beast::http::error::need_more;
      if ((was_header ? header_read_ : 0) + (unfinished ? buffer_.size() : 0) > kHeaderBytes)
        return broken("its header is longer than 64 KiB");
      if (was_header && parser_->is_header_done()) {
        const auto status = parser_->get().result_int();
        if (status == 101) return broken("it switched protocols unasked");
        if (status < 200) {
          start();
          continue;
        }
        accept_header();
      }
      if (parser_->is_header_done() && parser_->is_done()) return State::kWhole;
      if (unfinished) return State::kMore;
    }
    return State::kMore;
  }

  /// The connection ended in good order.
  State end() {
    error_code error;
    if (!parser_->is_header_done() || !parser_->need_eof()) return broken("it closed the connection before the response was whole");
    parser_->put_eof(error);
    return error ? broken("it closed the connection before the response was whole") : State::kWhole;
  }

  Exchanged take() {
    response_.body = std::move(parser_->get().body());
    return {std::move(response_), parser_->keep_alive() && !parser_->need_eof() && buffer_.size() == 0};
  }

 private:
  void start() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytes);
    parser_->body_limit(body_limit_);
    parser_->skip(head_request_);
    header_read_ = 0;
  }

  /// Copies the header out before the body is read: fields of a trailer never count as the response's own.
  void accept_header() {
    response_.status = parser_->get().result_int();
    for (const auto& field : parser_->get()) {
      const auto name = field.name_string();
      const auto value = field.value();
      response_.fields.add({name.data(), name.size()}, {value.data(), value.size()});
    }
    parser_->eager(true);
  }

  State broken(std::string why) {
    why_ = std::move(why);
    return State::kBroken;
  }

  bool head_request_;
  std::size_t body_limit_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::response_parser<beast::http::string_body>> parser_;
  std::size_t header_read_ = 0;
  Response response_;
  std::string why_;
};

}  // namespace

Result<std::string> request_head(const ClientRequest& request, const Url& url, const ClientOptions& options) {
  const auto invalid = [&](const std::string& what) {
    return Error{Errc::kInvalid, "The request to " + url.host_port() + " cannot be sent: " + what + "."};
  };
  if (!is_token(request.method)) return invalid("its method is not one word");
  std::string head = request.method + " " + url.target + " HTTP/1.1\r\n";
  const Fields& fields = request.fields;
  if (!fields.get("Host")) head += "Host: " + url.host_field() + "\r\n";
  if (!fields.get("User-Agent") && !options.user_agent.empty()) {
    if (!is_field_value(options.user_agent)) return invalid("the user agent holds a control character");
    head += "User-Agent: " + options.user_agent + "\r\n";
  }
  if (!fields.get("Accept")) head += "Accept: */*\r\n";
  if (!url.authorization.empty() && !fields.get("Authorization")) head += "Authorization: " + url.authorization + "\r\n";
  for (const auto& [name, value] : fields.all()) {
    if (equal_fold(name, "Content-Length") || equal_fold(name, "Transfer-Encoding")) continue;  // the body says it
    if (!is_token(name) || !is_field_value(value))
      return invalid("the field " + printable(name) + " has a name or a value that HTTP cannot carry");
    head += name + ": " + value + "\r\n";
  }
  const bool usually_has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (!request.body.empty() || usually_has_body) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n";
}

asio::awaitable<Result<Exchanged>> exchange(const ClientRequest& request, const std::string& head, const Url& url,
                                            const ClientOptions& options, Attempt& attempt) {
  attempt.doing = "sending the request";
  attempt.response_begun = false;
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(request.body)};
  // A server may refuse a body before it has read all of it: what it says is worth reading even when sending failed.
  const error_code unsent = co_await attempt.link->write(parts);
  if (!attempt.aborted) attempt.doing = "waiting for the response";

  using State = ResponseReader::State;
  ResponseReader reader(request.method == "HEAD", options.response_bytes);
  State state = State::kMore;
  std::string why;
  while (state == State::kMore) {
    const auto [error, bytes] = co_await attempt.link->read_some(reader.space());
    if (!error) {
      attempt.response_begun = true;
      attempt.doing = "receiving the response";
      reader.filled(bytes);
      state = reader.read();
    } else if (error == asio::error::eof) {
      state = reader.end();
    } else {
      why = (unsent ? unsent : error).message();
      state = State::kBroken;
    }
  }
  if (state == State::kTooLarge) {
    co_return Error{Errc::kTooLarge,
                    "The response of " + url.host_port() + " is larger than " + std::to_string(options.response_bytes) + " bytes."};
  }
  if (state == State::kBroken) {
    co_return Error{Errc::kBroken, "The connection to " + url.host_port() + " broke while " + attempt.doing + " (" +
                                       (why.empty() ? reader.why() : why) + ")."};
  }
  Exchanged exchanged = reader.take();
  const auto connection = request.fields.get("Connection");
  if (unsent || (connection && list_holds(*connection, "close"))) exchanged.reusable = false;
  co_return exchanged;
}

}  // namespace runfold::http
