// Finds credentials that can be told by what they look like.
#pragma once

#include "producer/redact/found.hpp"

#include <cstddef>
#include <string_view>

namespace runfold::redact {

// Each looks whether one begins at `at`, and returns where to look on: behind it if there is one, else at + 1.

/// "eyJ...": a JSON Web Token, of three parts or more.
[[nodiscard]] std::size_t find_jwt(std::string_view text, std::size_t at, Found& found);
/// "AKIA" or "ASIA" and 16 more capitals and digits, not within a longer word: an AWS access key id.
[[nodiscard]] std::size_t find_aws_key(std::string_view text, std::size_t at, Found& found);
/// What stands behind the word "Bearer" and looks like a token: 8 bytes or more with a digit, or 20. `at` is at the "rer".
[[nodiscard]] std::size_t find_bearer(std::string_view text, std::size_t at, Found& found);
/// "-----BEGIN ... PRIVATE KEY-----" to its end, or the text's.
[[nodiscard]] std::size_t find_key_block(std::string_view text, std::size_t at, Found& found);
/// User and password of "scheme://user:password@host", slashes in the password included. `at` is at the ':'.
[[nodiscard]] std::size_t find_user_info(std::string_view text, std::size_t at, Found& found);

}  // namespace runfold::redact
