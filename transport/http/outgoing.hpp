// What of a message is written at once: its head, and the pieces of its body that are there.
#pragma once

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::http {

/// Gathers buffers for one write, with the framing of the pieces. Valid until the reader drops its pieces.
class Outgoing {
 public:
  void start(std::string head) {
    head_ = std::move(head);
    parts_.clear();
    if (!head_.empty()) parts_.push_back(boost::asio::buffer(head_));
  }

  template <class Reader>
  void add_body(const Reader& reader, bool chunked) {
    static constexpr std::string_view kCrlf = "\r\n";
    static constexpr std::string_view kLastChunk = "0\r\n\r\n";
    const std::size_t bytes = reader.piece_bytes();
    if (chunked && bytes > 0) {
      parts_.emplace_back(chunk_size_.data(),
                          static_cast<std::size_t>(std::snprintf(chunk_size_.data(), chunk_size_.size(), "%zx\r\n", bytes)));
    }
    parts_.insert(parts_.end(), reader.pieces().begin(), reader.pieces().end());
    if (chunked && bytes > 0) parts_.push_back(boost::asio::buffer(kCrlf));
    if (chunked && reader.is_whole()) parts_.push_back(boost::asio::buffer(kLastChunk));
  }

  [[nodiscard]] const std::vector<boost::asio::const_buffer>& parts() const noexcept { return parts_; }

 private:
  std::string head_;
  std::array<char, 24> chunk_size_{};
  std::vector<boost::asio::const_buffer> parts_;
};

}  // namespace runfold::http
