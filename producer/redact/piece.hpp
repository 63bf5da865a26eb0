// Says how much of output that is still coming may be recorded by itself.
#pragma once

#include "producer/redact/redactor.hpp"

#include <cstddef>
#include <string_view>

namespace runfold::redact {

/// As Redactor::whole_until(), where the rest comes later: holds back also what may become the introduction of a secret, as "passw"
/// and "https:/" may. That is the text's last word, of which at most 128 bytes, or the beginning of a private key's first line.
[[nodiscard]] std::size_t piece_until(const Redactor& redactor, std::string_view text);

}  // namespace runfold::redact
