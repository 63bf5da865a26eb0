// Bytes to requests, with no socket.
#include "transport/http/request_reader.hpp"

#include "transport/http/syntax.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cassert>
#include <limits>
#include <optional>

namespace runfold::http {

namespace beast = boost::beast;

namespace {

constexpr std::size_t kRequestReadBytes = 8 * 1024;

Problem malformed(std::string detail) {
  return {400, "Malformed request", std::move(detail), {}};
}

}  // namespace

class RequestReader::Impl {
 public:
  Impl(std::size_t header_limit, std::size_t body_limit) : header_limit_(header_limit), body_limit_(body_limit) {}

  State read() {
    if (!parser_) {
      parser_.emplace();
      parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(header_limit_, std::numeric_limits<std::uint32_t>::max())));
      parser_->body_limit(body_limit_);
      header_read_ = 0;
      expects_continue_ = false;
    }
    if (!parser_->is_header_done()) return read_header();
    if (std::exchange(expects_continue_, false) && !parser_->is_done() && buffer_.size() == 0) return State::kContinue;
    return read_body();
  }

  [[nodiscard]] std::size_t body_bytes() const noexcept { return parser_ ? parser_->get().body().size() : 0; }

  Incoming take() {
    assert(parser_ && parser_->is_done());
    incoming_.request.body = std::move(parser_->get().body());
    parser_.reset();
    return std::exchange(incoming_, {});
  }

  void forget() {
    buffer_.clear();
    parser_.reset();
  }

  Request& head() noexcept { return incoming_.request; }

  beast::flat_buffer buffer_;
  Problem problem_;

 private:
  State refused(Problem problem) {
    problem_ = std::move(problem);
    return State::kRefused;
  }

  State header_too_large() {
    return refused({431,
                    "Request Header Fields Too Large",
                    "The request line and header are larger than " + std::to_string(header_limit_) + " bytes.",
                    {}});
  }

  State refused_by_parser(const boost::system::error_code& error) {
    if (error == beast::http::error::header_limit) return header_too_large();
    if (error == beast::http::error::body_limit) {
      return refused({413, "Content Too Large", "The request's body is larger than " + std::to_string(body_limit_) + " bytes.", {}});
    }
    return refused(malformed("The request is not valid HTTP/1.1: " + error.message() + "."));
  }

  State read_header() {
    boost::system::error_code error;
    const std::size_t used = parser_->put(buffer_.cdata(), error);
    buffer_.consume(used);
    header_read_ += used;
    if (error && error != beast::http::error::need_more) return refused_by_parser(error);
    // The parser takes whole fields out of the buffer as they come, so its own limit is on the rest alone.
    const bool whole = parser_->is_header_done();
    if (header_read_ + (whole ? 0 : buffer_.size()) > header_limit_) return header_too_large();
    if (!whole) return State::kMore;
    return accept_header();
  }

  /// Copies the header out before the body is read: fields of a trailer never count as the request's own.
  State accept_header() {
    const auto& message = parser_->get();
    incoming_ = {};
    incoming_.http_1_0 = message.version() == 10;
    incoming_.keep_alive = parser_->keep_alive();
    incoming_.request.method = std::string(message.method_string());
    incoming_.request.target = std::string(message.target());
    std::size_t hosts = 0;
    for (const auto& field : message) {
      const auto name = field.name_string();
      const auto value = field.value();
      incoming_.request.fields.add({name.data(), name.size()}, {value.data(), value.size()});
      hosts += field.name() == beast::http::field::host ? 1 : 0;
    }
    if (hosts > 1 || (hosts == 0 && !incoming_.http_1_0)) return refused(malformed("An HTTP/1.1 request has exactly one Host field."));
    if (const auto coding = incoming_.request.fields.get("Transfer-Encoding")) {
      if (incoming_.http_1_0) return refused(malformed("An HTTP/1.0 request has no Transfer-Encoding."));
      if (!equal_fold(*coding, "chunked")) {
        return refused({501,
                        "Not Implemented",
                        "The transfer coding \"" + printable(*coding) + "\" is not supported; send the body chunked or with its length.",
                        {}});
      }
    }
    if (const auto expect = incoming_.request.fields.get("Expect")) {
      if (!equal_fold(*expect, "100-continue")) {
        return refused({417, "Expectation Failed", "The expectation \"" + printable(*expect) + "\" is not known.", {}});
      }
      expects_continue_ = !incoming_.http_1_0;
    }
    return State::kHead;
  }

  State read_body() {
    parser_->eager(true);
    while (!parser_->is_done()) {
      if (buffer_.size() == 0) return State::kMore;
      boost::system::error_code error;
      const std::size_t used = parser_->put(buffer_.cdata(), error);
      buffer_.consume(used);
      if (error == beast::http::error::need_more) {
        // Only a chunk's own line or the trailer waits here to become whole.
        if (buffer_.size() > header_limit_)
          return refused(malformed("A chunk's extension or the trailer is longer than " + std::to_string(header_limit_) + " bytes."));
        return State::kMore;
      }
      if (error) return refused_by_parser(error);
    }
    return State::kWhole;
  }

  std::size_t header_limit_;
  std::size_t body_limit_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::size_t header_read_ = 0;
  bool expects_continue_ = false;
  Incoming incoming_;
};

RequestReader::RequestReader(std::size_t header_bytes, std::size_t body_bytes) : impl_(std::make_unique<Impl>(header_bytes, body_bytes)) {}
RequestReader::~RequestReader() = default;

boost::asio::mutable_buffer RequestReader::space() {
  return impl_->buffer_.prepare(kRequestReadBytes);
}
void RequestReader::filled(std::size_t bytes) {
  impl_->buffer_.commit(bytes);
}

bool RequestReader::has_begun() {
  auto& buffer = impl_->buffer_;
  while (buffer.size() > 0) {
    const char first = *static_cast<const char*>(buffer.cdata().data());
    if (first != '\r' && first != '\n') return true;
    buffer.consume(1);
  }
  return false;
}

bool RequestReader::is_empty() const noexcept {
  return impl_->buffer_.size() == 0;
}
RequestReader::State RequestReader::read() {
  return impl_->read();
}
std::size_t RequestReader::body_bytes() const noexcept {
  return impl_->body_bytes();
}
Request& RequestReader::head() noexcept {
  return impl_->head();
}
RequestReader::Incoming RequestReader::take() {
  return impl_->take();
}
const Problem& RequestReader::problem() const noexcept {
  return impl_->problem_;
}
void RequestReader::forget() {
  impl_->forget();
}

}  // namespace runfold::http
