// HTTP requests and responses as plain values, so that no handler includes Beast.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::http {

/// Header fields in order; names compare without regard to case.
class Fields {
 public:
  void set(std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value);
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const noexcept { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  std::string method;
  /// Path and query as sent.
  std::string target;
  /// The path alone, percent-decoded a segment at a time.
  std::string path;
  /// Query parameters, percent-decoded, in order; a name may stand more than once.
  std::vector<std::pair<std::string, std::string>> query;
  /// What the route's {name} segments matched, percent-decoded.
  std::map<std::string, std::string, std::less<>> path_parameters;
  Fields fields;
  std::string body;
  /// The client's address, for logs.
  std::string peer;

  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
  [[nodiscard]] std::string_view path_parameter(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  Fields fields;
  std::string body;
  /// When set, `body` is sent first and then what this gives, chunked, until it gives nothing: for downloads and streams.
  std::function<boost::asio::awaitable<std::optional<std::string>>()> next_chunk;

  [[nodiscard]] static Response json(std::string body, unsigned status = 200);
  [[nodiscard]] static Response text(std::string body, unsigned status = 200);
};

/// A problem document (RFC 9457), content type application/problem+json.
///
/// `title` is short and the same for every problem of its kind; `detail` names what, where and what to do.
struct Problem {
  unsigned status = 500;
  std::string title;
  std::string detail;
  /// Further members, for example {"parameter", "levle"}.
  std::vector<std::pair<std::string, std::string>> members;

  [[nodiscard]] Response to_response() const;
};

}  // namespace runfold::http
