// Bytes to requests, with no socket: feed what arrives, ask for what to do next.
#pragma once

#include "transport/http/message.hpp"

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace runfold::http {

/// Reads one request after another out of the bytes it is given; what follows a request waits for the next.
///
/// Holds at most the header limit, the body limit and one read of bytes.
class RequestReader {
 public:
  RequestReader(std::size_t header_bytes, std::size_t body_bytes);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  struct Incoming {
    Request request;
    bool http_1_0 = false;
    bool keep_alive = true;
  };

  enum class State : std::uint8_t {
    kMore,      ///< Read more, then ask again.
    kHead,      ///< A head is whole, and no byte of its body taken: look at head(), then ask again. Once a request.
    kContinue,  ///< The client waits for "100 Continue": send it, then ask again.
    kWhole,     ///< A request is whole: take() it.
    kRefused,   ///< problem() says why; nothing more can be read.
  };

  /// Where to read to, and how much was read.
  [[nodiscard]] boost::asio::mutable_buffer space();
  void filled(std::size_t bytes);

  /// Whether a byte of a request is there; empty lines before it do not count.
  [[nodiscard]] bool has_begun();
  [[nodiscard]] bool is_empty() const noexcept;
  [[nodiscard]] State read();
  /// How much of the body under way has come.
  [[nodiscard]] std::size_t body_bytes() const noexcept;
  /// The request under way without its body, from kHead on.
  [[nodiscard]] Request& head() noexcept;
  [[nodiscard]] Incoming take();
  [[nodiscard]] const Problem& problem() const noexcept;
  /// Drops the bytes that are there, and the request under way.
  void forget();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runfold::http
