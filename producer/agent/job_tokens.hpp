// The tokens by which jobs speak for their runs.
#pragma once

#include "producer/agent/sha256.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace runfold::agent {

/// Makes tokens, and knows its own again.
///
/// A token is a JSON Web Token (HS256) whose key lives and dies with this object. So one whose run has ended is told from
/// one that was never given, with nothing kept of it; and redaction knows all of them by their looks.
/// Thread: any.
class JobTokens {
 public:
  /// Throws std::system_error when the kernel has no random bytes.
  JobTokens();

  /// One that nobody can guess, and another each time.
  [[nodiscard]] std::string make() const;
  /// Whether make() of this object made it.
  [[nodiscard]] bool made(std::string_view token) const;
  /// By which a token is known without being kept.
  [[nodiscard]] static std::string hash_of(std::string_view token) { return sha256(token); }

 private:
  [[nodiscard]] std::string signature(std::string_view text) const;
  std::array<std::uint8_t, 32> key_{};
};

}  // namespace runfold::agent
