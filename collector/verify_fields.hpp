// Compares two messages of the contract field by field, and says in words where they differ.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// What is said of a side without a value.
inline constexpr const char* kNothing = "nothing";

/// A path within the message and the value on either side; kNothing for a side without it.
using OnField = std::function<void(const std::string& field, const std::string& a, const std::string& b)>;

/// Compares messages of one type. Repeated messages are matched by what names them (steps by name and attempt, completeness
/// by topic, drops by reason), so that one that is missing is said as one.
void compare_messages(const google::protobuf::Message& a, const google::protobuf::Message& b, const OnField& on_field);

/// At most about 200 bytes of it, harmless to print.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace runfold::collector
