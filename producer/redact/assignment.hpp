// Finds the value that a text gives to a name: key=value, "key": "value", Header: value.
#pragma once

#include "producer/redact/found.hpp"
#include "producer/redact/names.hpp"

#include <cstddef>
#include <string_view>

namespace runfold::redact {

/// `text[at]` is the '=' or ':' behind what may be a secret's name. Returns where to look on: behind the value if it is one.
///
/// The value: between quotes, however often the text around was put into JSON; a JSON array or object; of a header of
/// kind kLine, the rest of the line; one that begins with a bracket, up to the one that closes it on that line (or, in
/// a text of many that nothing closes, its end); else up to a blank,
/// '&', ';', '<' or a quote that ends something. "Bearer abc" is one value.
/// true, false, null and none are no secrets.
[[nodiscard]] std::size_t find_assignment(std::string_view text, std::size_t at, const Names& names, Found& found);

}  // namespace runfold::redact
