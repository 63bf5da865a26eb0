// A text's SHA-256.
#pragma once

#include <string>
#include <string_view>

namespace runfold::agent {

/// 64 hexadecimal digits in lower case.
[[nodiscard]] std::string sha256(std::string_view text);

}  // namespace runfold::agent
