// Lines on stderr in the fixed format.
#pragma once

#include "runfold/v1/log.pb.h"

#include <chrono>
#include <string>
#include <string_view>

namespace runfold {

/// Appends the fixed line (see format_line in logger.hpp) without its newline; allocates only when `out` must grow.
void append_line(std::string& out, std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message);

/// Writes one line to stderr, whole, in one write where the kernel takes it in one.
void print_line(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message);

/// The same for what must not wait: a line that stderr has no room for now is skipped, and a longer one than 4096 bytes is cut.
void print_line_if_writable(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message);

}  // namespace runfold
