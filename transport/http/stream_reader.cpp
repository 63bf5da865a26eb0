// Bytes to HTTP messages piece by piece, with no socket and no body held.
#include "transport/http/stream_reader.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <limits>
#include <string_view>
#include <vector>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

/// So many at a time: few enough for one gathering write, many enough that small chunks do not cost one each.
constexpr std::size_t kPieces = 32;
constexpr std::size_t kIdleBytes = 16 * 1024;

/// A body of which nothing is kept but where the last put() met a piece of it.
struct PieceBody {
  using value_type = asio::const_buffer;
  class reader {
   public:
    template <bool isRequest, class BeastFields>
    reader(beast::http::header<isRequest, BeastFields>&, value_type& piece) : piece_(piece) {}
    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      piece_ = *asio::buffer_sequence_begin(buffers);
      return piece_.size();
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& piece_;
  };
};

std::string text(beast::string_view view) {
  return {view.data(), view.size()};
}

}  // namespace

template <bool isRequest>
class StreamReader<isRequest>::Impl {
 public:
  explicit Impl(std::size_t header_limit) : header_limit_(header_limit) { pieces_.reserve(kPieces); }

  State read_head(bool bodiless) {
    if (!why_.empty()) return State::kBroken;
    if (!parser_) start(bodiless);
    if (parser_->is_header_done()) return State::kReady;
    if (buffer_.size() == 0) return State::kMore;
    error_code error;
    const std::size_t used = parser_->put(buffer_.cdata(), error);
    buffer_.consume(used);
    header_read_ += used;
    if (error == beast::http::error::header_limit) return State::kTooLarge;
    if (error && error != beast::http::error::need_more) return broken(error.message());
    // The parser takes whole fields out of the buffer as they come, so its own limit is on the rest alone.
    const bool whole = parser_->is_header_done();
    if (header_read_ + (whole ? 0 : buffer_.size()) > header_limit_) return State::kTooLarge;
    if (!whole) return State::kMore;
    copy_head();
    return State::kReady;
  }

  State read_body() {
    if (!why_.empty()) return State::kBroken;
    while (!parser_->is_done() && pieces_.size() < kPieces && parsed_ < buffer_.size()) {
      asio::const_buffer& piece = parser_->get().body();
      piece = {};
      error_code error;
      parsed_ += parser_->put(asio::buffer(buffer_.cdata() + parsed_), error);
      if (piece.size() > 0) {
        pieces_.push_back(piece);
        piece_bytes_ += piece.size();
      }
      if (error == beast::http::error::need_more) {
        // Only a chunk's own line or the trailer waits here to become whole.
        if (buffer_.size() - parsed_ > header_limit_) return broken("a chunk's extension or the trailer is too long");
        break;
      }
      if (error) return broken(error.message());
    }
    if (!pieces_.empty() || parser_->is_done()) return State::kReady;
    buffer_.consume(std::exchange(parsed_, 0));
    return State::kMore;
  }

  void drop_pieces() {
    buffer_.consume(std::exchange(parsed_, 0));
    pieces_.clear();
    piece_bytes_ = 0;
  }

  State end() {
    error_code error;
    if (parser_ && parser_->is_header_done() && parser_->need_eof()) {
      parser_->put_eof(error);
      if (!error) return State::kReady;
    }
    return broken("it closed the connection in the middle of a message");
  }

  void next() {
    drop_pieces();
    parser_.reset();
  }

  beast::flat_buffer buffer_;
  std::vector<asio::const_buffer> pieces_;
  std::size_t piece_bytes_ = 0;
  StreamHead head_;
  std::string why_;
  std::optional<beast::http::parser<isRequest, PieceBody>> parser_;

 private:
  void start(bool bodiless) {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(header_limit_, std::numeric_limits<std::uint32_t>::max())));
    parser_->body_limit(boost::none);
    if constexpr (!isRequest) parser_->skip(bodiless);
    header_read_ = 0;
  }

  /// Copied out before the body is read: fields of a trailer never count as the message's own.
  void copy_head() {
    const auto& message = parser_->get();
    head_ = {};
    if constexpr (isRequest) {
      head_.method = text(message.method_string());
      head_.target = text(message.target());
    } else {
      head_.status = message.result_int();
      head_.reason = text(message.reason());
    }
    for (const auto& field : message) {
      const auto name = field.name_string();
      const auto value = field.value();
      head_.fields.add({name.data(), name.size()}, {value.data(), value.size()});
    }
    head_.http_1_0 = message.version() == 10;
    head_.keep_alive = parser_->keep_alive();
    head_.chunked = parser_->chunked();
    if (const auto length = parser_->content_length()) head_.content_length = *length;
  }

  State broken(std::string why) {
    why_ = std::move(why);
    return State::kBroken;
  }

  std::size_t header_limit_;
  std::size_t header_read_ = 0;
  /// How much of the buffer has been parsed and not been dropped: the pieces lie in it.
  std::size_t parsed_ = 0;
};

template <bool isRequest>
StreamReader<isRequest>::StreamReader(std::size_t header_bytes) : impl_(std::make_unique<Impl>(header_bytes)) {}
template <bool isRequest>
StreamReader<isRequest>::~StreamReader() = default;

template <bool isRequest>
asio::mutable_buffer StreamReader<isRequest>::space(std::size_t bytes) {
  return impl_->buffer_.prepare(bytes);
}
template <bool isRequest>
void StreamReader<isRequest>::filled(std::size_t bytes) {
  impl_->buffer_.commit(bytes);
}
template <bool isRequest>
auto StreamReader<isRequest>::end() -> State {
  return impl_->end();
}

template <bool isRequest>
bool StreamReader<isRequest>::has_begun() {
  auto& buffer = impl_->buffer_;
  while (buffer.size() > 0) {
    const char first = *static_cast<const char*>(buffer.cdata().data());
    if (first != '\r' && first != '\n') return true;
    buffer.consume(1);
  }
  return false;
}
template <bool isRequest>
bool StreamReader<isRequest>::is_empty() const noexcept {
  return impl_->buffer_.size() == 0;
}

template <bool isRequest>
auto StreamReader<isRequest>::read_head(bool bodiless) -> State {
  return impl_->read_head(bodiless);
}
template <bool isRequest>
const StreamHead& StreamReader<isRequest>::head() const noexcept {
  return impl_->head_;
}
template <bool isRequest>
auto StreamReader<isRequest>::read_body() -> State {
  return impl_->read_body();
}
template <bool isRequest>
std::span<const asio::const_buffer> StreamReader<isRequest>::pieces() const noexcept {
  return impl_->pieces_;
}
template <bool isRequest>
std::size_t StreamReader<isRequest>::piece_bytes() const noexcept {
  return impl_->piece_bytes_;
}
template <bool isRequest>
void StreamReader<isRequest>::drop_pieces() {
  impl_->drop_pieces();
}
template <bool isRequest>
bool StreamReader<isRequest>::is_whole() const noexcept {
  return impl_->parser_ && impl_->parser_->is_done();
}
template <bool isRequest>
const std::string& StreamReader<isRequest>::why() const noexcept {
  return impl_->why_;
}
template <bool isRequest>
void StreamReader<isRequest>::next() {
  impl_->next();
}
template <bool isRequest>
void StreamReader<isRequest>::clear() {
  impl_->next();
  impl_->buffer_.clear();
  impl_->why_.clear();
}
template <bool isRequest>
void StreamReader<isRequest>::shrink() {
  if (impl_->buffer_.size() == 0 && impl_->buffer_.capacity() > kIdleBytes) impl_->buffer_.shrink_to_fit();
}

template class StreamReader<true>;
template class StreamReader<false>;

}  // namespace runfold::http
