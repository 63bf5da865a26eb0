// Recognises the last words of a crash, line by line: stack traces, panics, failed assertions.
#pragma once

#include <cstdint>
#include <string_view>

namespace runfold::agent {

/// Says which lines belong together. Holds none of them.
///
/// Knows Python's traceback (chained ones, too), the exceptions of Java, JavaScript and .NET, Go's panic, C++'s terminate,
/// Rust's panic, PHP's fatal error, failed assertions and the sanitizers' reports.
class StackTrace {
 public:
  /// Whether a trace begins with this line. Then continues() is about the lines behind it.
  [[nodiscard]] bool begins(std::string_view line) noexcept;
  /// Whether this line, the next one, belongs to the trace. After a no the trace is over.
  [[nodiscard]] bool continues(std::string_view line) noexcept;
  [[nodiscard]] bool under_way() const noexcept { return state_ != State::kNone; }

 private:
  enum class State : std::uint8_t {
    kNone,
    kPythonFrames,
    kPythonEnded,    ///< the exception's own line was there
    kPythonBetween,  ///< and an empty one: another exception may follow
    kPythonChained,  ///< which was announced
    kFrames,         ///< whatever is indented
    kGo,
    kRustMessage,
    kRust,
    kPhp
  };
  [[nodiscard]] static State state_after_first(std::string_view line) noexcept;
  [[nodiscard]] State state_after(std::string_view line) const noexcept;

  State state_ = State::kNone;
};

}  // namespace runfold::agent
