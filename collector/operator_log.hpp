// Log lines for an operator, on stderr in the fixed format.
#pragma once

#include <string>
#include <string_view>

namespace runfold::collector {

/// "2026-05-16 14:32:11 UTC [INFO] message\n" at the present time. `severity` is syslog's, 0 to 7. A newline inside the
/// message is written as "\n" (backslash, n): one line a message.
[[nodiscard]] std::string operator_line(int severity, std::string_view message);

/// Writes one such line to stderr, whole, whoever else writes. Thread: any.
void operator_log(int severity, std::string_view message);

}  // namespace runfold::collector
