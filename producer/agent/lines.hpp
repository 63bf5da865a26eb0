// Cuts output into lines and makes log records of them.
#pragma once

#include "runfold/v1/log.pb.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::agent {

/// One line of output, or a piece of one.
struct OutputLine {
  /// Without the newline. Valid during the call that gives it.
  std::string_view bytes;
  /// No newline came behind it: the next piece continues it, or the stream ended.
  bool partial = false;
  /// It continues the piece before it.
  bool continues = false;
};

/// Splits a byte stream at newlines, whatever the reads cut it into.
///
/// A line longer than `limit` comes in pieces of at most `limit` bytes, cut between UTF-8 characters where it can be:
/// nothing is lost, and no more than `limit` bytes are held.
class LineSplitter {
 public:
  using OnLine = std::function<void(const OutputLine&)>;
  LineSplitter(std::size_t limit, OnLine on_line);

  void feed(std::string_view bytes);
  /// Gives what is held as a partial piece: at the stream's end, or when it has been quiet for long.
  void flush();
  [[nodiscard]] bool holds_something() const noexcept { return !held_.empty(); }

 private:
  void give(std::string_view bytes, bool partial);

  std::size_t limit_;
  OnLine on_line_;
  std::string held_;
  bool continues_ = false;
};

/// What the fixed line format "2026-05-16 14:32:11 UTC [INFO] message" says.
struct FixedLine {
  std::chrono::sys_seconds at;
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  std::string_view message;
};

/// Absent when the line is not of that format, day and level included.
[[nodiscard]] std::optional<FixedLine> parse_fixed_line(std::string_view line);

/// Makes log records of one output stream's lines.
///
/// Severity: of a stderr line in the fixed format, the line's own level; of every other line, info. A line that states no
/// level is not promoted to warning or error because of the stream it came on: too many programs tell their progress
/// there. A piece that continues a line has its severity.
/// Time: of a line in the fixed format, the line's own second (with the milliseconds of its arrival if it arrived within
/// that second); of every other line, that of its arrival.
class OutputRecords {
 public:
  explicit OutputRecords(v1::LogStream stream) : stream_(stream) {}
  [[nodiscard]] v1::LogRecord make(const OutputLine& line, std::chrono::system_clock::time_point arrived);

 private:
  v1::LogStream stream_;
  v1::Severity severity_ = v1::SEVERITY_INFO;
};

}  // namespace runfold::agent
