// JSON Web Tokens, made and recognised.
#include "producer/agent/job_tokens.hpp"

#include "producer/agent/authorization.hpp"
#include "producer/sdk/random_id.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <span>
#include <stdexcept>

namespace runfold::agent {
namespace {

std::string base64url(std::span<const std::uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.resize(text.find_last_not_of('=') + 1);
  return text;
}

std::string base64url(std::string_view text) {
  return base64url(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace

JobTokens::JobTokens() {
  random_bytes(key_);
}

std::string JobTokens::signature(std::string_view text) const {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           mac.data(), &size) == nullptr) {
    throw std::runtime_error("OpenSSL refuses to sign a token");
  }
  return base64url(std::span(mac).first(size));
}

std::string JobTokens::make() const {
  const std::string body = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url("{\"jti\":\"" + random_uuid() + "\"}");
  return body + "." + signature(body);
}

bool JobTokens::made(std::string_view token) const {
  const std::size_t dot = token.rfind('.');
  if (dot == std::string_view::npos) return false;
  return same_token(token.substr(dot + 1), signature(token.substr(0, dot)));
}

}  // namespace runfold::agent
