// Recognises the last words of a crash, line by line.
#include "producer/agent/stack_trace.hpp"

#include <algorithm>
#include <array>

namespace runfold::agent {
namespace {

constexpr std::string_view kTraceback = "Traceback (most recent call last):";

bool contains(std::string_view line, std::string_view part) noexcept {
  return line.find(part) != std::string_view::npos;
}

template <std::size_t kCount>
bool starts_with_any(std::string_view line, const std::array<std::string_view, kCount>& beginnings) noexcept {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view one) { return line.starts_with(one); });
}

bool is_indented(std::string_view line) noexcept {
  return line.starts_with(' ') || line.starts_with('\t');
}

/// "java.lang.IllegalStateException: boom", "TypeError: x is not a function", "Uncaught Error".
bool names_an_exception(std::string_view line) noexcept {
  for (const std::string_view introduction : {"Uncaught ", "Unhandled exception. "}) {
    if (line.starts_with(introduction)) line.remove_prefix(introduction.size());
  }
  const auto is_part_of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '$' || c == '\\';
  };
  const auto end = static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_part_of_a_name) - line.begin());
  const std::string_view name = line.substr(0, end);
  if (!name.ends_with("Error") && !name.ends_with("Exception")) return false;
  return end == line.size() || line.substr(end).starts_with(": ");
}

bool is_assertion(std::string_view line) noexcept {
  return contains(line, ": Assertion `") && line.ends_with("' failed.");
}

/// "==1234==ERROR: AddressSanitizer: ..."
bool is_of_a_sanitizer(std::string_view line) noexcept {
  if (!line.starts_with("==")) return false;
  const std::size_t digits = line.find_first_not_of("0123456789", 2);
  return digits != std::string_view::npos && digits > 2 && line.substr(digits).starts_with("==ERROR: ");
}

}  // namespace

StackTrace::State StackTrace::state_after_first(std::string_view line) noexcept {
  if (line == kTraceback) return State::kPythonFrames;
  // A syntax error has no more of a beginning than this.
  if (line.starts_with("  File \"") && contains(line, "\", line ")) return State::kPythonFrames;
  if (starts_with_any<2>(line, {"panic: ", "fatal error: "})) return State::kGo;
  if (line.starts_with("thread '") && contains(line, " panicked at ")) return line.ends_with(':') ? State::kRustMessage : State::kRust;
  if (starts_with_any<3>(line, {"PHP Fatal error: ", "PHP Parse error: ", "Fatal error: Uncaught "})) return State::kPhp;
  const bool glibc = line.starts_with("*** ") && line.ends_with(" ***: terminated");
  const bool head = starts_with_any<3>(line, {"Exception in thread \"", "terminate called ", "libc++abi: "}) || glibc ||
                    names_an_exception(line) || is_assertion(line) || is_of_a_sanitizer(line);
  return head ? State::kFrames : State::kNone;
}

StackTrace::State StackTrace::state_after(std::string_view line) const noexcept {
  const auto stay_if = [this](bool belongs) { return belongs ? state_ : State::kNone; };
  switch (state_) {
    case State::kPythonFrames:
      // The first line that is not indented is the exception's.
      return line.empty() ? State::kNone : is_indented(line) ? State::kPythonFrames : State::kPythonEnded;
    case State::kPythonEnded:
      return line.empty() ? State::kPythonBetween : State::kNone;
    case State::kPythonBetween:
      return starts_with_any<2>(line, {"During handling of the above exception", "The above exception was the direct cause"})
                 ? State::kPythonChained
                 : State::kNone;
    case State::kPythonChained:
      return line == kTraceback ? State::kPythonFrames : stay_if(line.empty());
    case State::kFrames:
      return stay_if(is_indented(line) || line == "}" || line.starts_with("Caused by: "));
    case State::kGo:
      return stay_if(line.empty() || line.ends_with(')') ||
                     starts_with_any<7>(line, {"\t", "goroutine ", "[signal ", "created by ", "exit status ", "...", "panic: "}));
    case State::kRustMessage:
      return State::kRust;
    case State::kRust:
      return stay_if(is_indented(line) || starts_with_any<2>(line, {"note: ", "stack backtrace:"}));
    case State::kPhp:
      return stay_if(starts_with_any<5>(line, {"Stack trace:", "#", "  thrown in ", "PHP Stack trace:", "PHP   "}));
    case State::kNone:
      break;
  }
  return State::kNone;
}

bool StackTrace::begins(std::string_view line) noexcept {
  state_ = state_after_first(line);
  return under_way();
}

bool StackTrace::continues(std::string_view line) noexcept {
  state_ = state_after(line);
  return under_way();
}

}  // namespace runfold::agent
