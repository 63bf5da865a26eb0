// A text's SHA-256.
#include "producer/agent/sha256.hpp"

#include "producer/sdk/random_id.hpp"

#include <openssl/sha.h>

#include <array>
#include <cstdint>

namespace runfold::agent {

std::string sha256(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return hex(digest);
}

}  // namespace runfold::agent
