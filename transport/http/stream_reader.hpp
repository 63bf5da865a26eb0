// Bytes to HTTP messages piece by piece, with no socket and no body held: for what is passed on as it comes.
#pragma once

#include "transport/http/message.hpp"

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace runfold::http {

/// The first lines of a message.
struct StreamHead {
  /// Of a request.
  std::string method;
  std::string target;
  /// Of a response.
  unsigned status = 0;
  std::string reason;

  Fields fields;
  bool http_1_0 = false;
  /// Whether its sender means to use the connection again.
  bool keep_alive = true;
  /// The length that it states. With neither this nor chunks, a request has no body and a response's ends with the connection.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

/// Reads one message after another: its head, then its body in pieces that lie in the bytes as they were read.
///
/// Holds at most the header limit and one read of bytes. Once broken it stays so.
template <bool isRequest>
class StreamReader {
 public:
  explicit StreamReader(std::size_t header_bytes);
  ~StreamReader();
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  enum class State : std::uint8_t {
    kMore,      ///< Read more, then ask again.
    kReady,     ///< What was asked for is there.
    kTooLarge,  ///< The head is larger than the limit.
    kBroken,    ///< why() says so.
  };

  /// Where to read to, and how much was read. Not while pieces are there.
  [[nodiscard]] boost::asio::mutable_buffer space(std::size_t bytes);
  void filled(std::size_t bytes);
  /// The connection ended in good order. kReady: the message is whole with that.
  [[nodiscard]] State end();

  /// Whether a byte of a message is there; empty lines before it do not count.
  [[nodiscard]] bool has_begun();
  [[nodiscard]] bool is_empty() const noexcept;

  /// `bodiless`: the response to a HEAD, which has no body whatever it states.
  [[nodiscard]] State read_head(bool bodiless = false);
  [[nodiscard]] const StreamHead& head() const noexcept;

  /// kReady: pieces are there, or the message is whole, or both.
  [[nodiscard]] State read_body();
  [[nodiscard]] std::span<const boost::asio::const_buffer> pieces() const noexcept;
  [[nodiscard]] std::size_t piece_bytes() const noexcept;
  /// The pieces have been passed on: their space is free again.
  void drop_pieces();
  [[nodiscard]] bool is_whole() const noexcept;

  [[nodiscard]] const std::string& why() const noexcept;
  /// On to the next message.
  void next();
  /// Forgets all bytes: for another connection.
  void clear();
  /// Gives memory back that only bodies need.
  void shrink();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

extern template class StreamReader<true>;
extern template class StreamReader<false>;
using RequestStream = StreamReader<true>;
using ResponseStream = StreamReader<false>;

}  // namespace runfold::http
