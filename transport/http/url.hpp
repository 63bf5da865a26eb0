// An http or https URL taken apart for a client.
#pragma once

#include "transport/http/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace runfold::http {

struct Url {
  bool tls = false;
  /// Name or address, an IPv6 address without brackets.
  std::string host;
  std::uint16_t port = 80;
  /// Path and query, as sent.
  std::string target;
  /// The value of the Authorization field that user and password in the URL stand for; empty when there are none.
  std::string authorization;

  /// HOST:PORT: what messages name. Holds no credentials.
  [[nodiscard]] std::string host_port() const;
  /// The value of the Host field.
  [[nodiscard]] std::string host_field() const;
};

/// Errors: kInvalid says what is wrong, without user, password, path and query.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

}  // namespace runfold::http
