// Who may: the bearer token of a request.
#include "producer/agent/authorization.hpp"

#include <openssl/crypto.h>

namespace runfold::agent {

std::string_view bearer_token(const http::Request& request) noexcept {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view given = request.fields.get("authorization").value_or("");
  return given.starts_with(kBearer) ? given.substr(kBearer.size()) : std::string_view();
}

bool same_token(std::string_view given, std::string_view right) noexcept {
  return !right.empty() && given.size() == right.size() && CRYPTO_memcmp(given.data(), right.data(), right.size()) == 0;
}

http::Response not_authorised(std::string_view which) {
  const std::string detail = std::string("Send the header \"Authorization: Bearer TOKEN\" with ").append(which).append(".");
  http::Response response = http::Problem{401, "Not authorised", detail, {}}.to_response();
  response.fields.set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace runfold::agent
