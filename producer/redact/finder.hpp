// Finds, in one pass, what names and patterns say is a secret.
#pragma once

#include "producer/redact/found.hpp"
#include "producer/redact/names.hpp"
#include "producer/redact/values.hpp"

#include <span>
#include <string_view>

namespace runfold::redact {

/// Most of a text is passed over 16 bytes at a time: only a few characters can be the beginning of something.
void find_by_names_and_patterns(std::string_view text, const Names& names, Found& found);

/// Whether a text is ASCII and nothing begins in it: neither what find_by_names_and_patterns() would look at nor a registered secret, of
/// which these are the first bytes. A "no" says nothing.
[[nodiscard]] bool is_plain(std::string_view text, std::span<const Values::Pair> registered) noexcept;

}  // namespace runfold::redact
