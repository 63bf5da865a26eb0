// Cuts output into lines and makes log records of them.
#pragma once

#include "producer/agent/head_and_tail.hpp"
#include "producer/agent/line_form.hpp"
#include "producer/agent/stack_trace.hpp"
#include "producer/redact/key_block.hpp"
#include "producer/redact/redactor.hpp"
#include "runfold/v1/log.pb.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
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
/// nothing is lost, and no more than `limit` bytes are held, or the beginning of a secret.
class LineSplitter {
 public:
  using OnLine = std::function<void(const OutputLine&)>;
  /// How much of an unfinished line may be a piece by itself, see redact::piece_until(): what is beyond is held until more
  /// of it has come, so that no secret is cut in two.
  using WholeUntil = std::function<std::size_t(std::string_view)>;
  LineSplitter(std::size_t limit, OnLine on_line, WholeUntil whole_until = {});

  void feed(std::string_view bytes);
  /// Gives what is held as a partial piece, as far as it is whole: when it has been quiet for long.
  void flush();
  /// The same where what follows is not the rest of it: drops what is not whole, and says how much that is.
  std::size_t cut();
  /// Gives all that is held: at the stream's end.
  void end();
  /// Something has come that flush() has not seen.
  [[nodiscard]] bool holds_something() const noexcept { return held_.size() != flushed_; }

 private:
  void give(std::string_view bytes, bool partial);
  void give_held(std::size_t size);
  [[nodiscard]] std::size_t whole(std::string_view bytes) const { return whole_until_ ? whole_until_(bytes) : bytes.size(); }

  std::size_t limit_;
  OnLine on_line_;
  WholeUntil whole_until_;
  std::string held_;
  /// How much of it the next piece may have: more than the limit while what a secret may begin with fills it.
  std::size_t room_;
  /// How much was left when it was flushed.
  std::size_t flushed_ = 0;
  bool continues_ = false;
};

/// Makes log records of one output stream's lines.
///
/// Severity: of a stderr line that states one, in any of the forms of parse_line(), that; of the last words of a crash on
/// stderr (StackTrace), error; of every other line, info. A line that states no level is not promoted to warning or error
/// because of the stream it came on: too many programs tell their progress there. A piece that continues a line has its severity.
/// A private key's lines are replaced, each by itself (KeyBlock). A line that holds a registered secret is taken apart without it: the
/// secret may begin in a field's name and go on in its value.
/// Message: of such a line, what is behind its level; the exact line is in raw then. A crash's lines are one record, up to
/// `trace_bytes`; what is beyond is in further ones.
/// Time: of a line in the fixed format, the line's own second (with the milliseconds of its arrival if it arrived within
/// that second); of every other line, that of its arrival.
class OutputRecords {
 public:
  /// The record is valid during the call: the next one is made in its memory.
  using OnRecord = std::function<void(const v1::LogRecord&)>;
  /// `redactor` null: nothing is registered.
  OutputRecords(v1::LogStream stream, std::size_t trace_bytes, OnRecord on_record, std::shared_ptr<const redact::Redactor> redactor = {});

  void add(const OutputLine& said, std::chrono::system_clock::time_point arrived);
  /// Says that a part of the stream is not recorded, in a record between what stands before and after it: a notice, truncated,
  /// with left_out_bytes and left_out_lines in its detail.
  void left_out(const HeadAndTail::Gap& gap, std::chrono::system_clock::time_point at);
  /// Gives what is held of a crash's words: at the stream's end, or when it has been quiet for long.
  void flush();
  [[nodiscard]] bool holds_something() const noexcept { return held_since_.has_value(); }

 private:
  void hold(const OutputLine& line, std::chrono::system_clock::time_point arrived);
  void give_held(bool partial);
  void give(const OutputLine& line, v1::Severity severity, std::string_view message, std::chrono::system_clock::time_point at,
            std::string_view detail_json = {});

  [[nodiscard]] std::optional<StatedLine> take_apart(std::string_view line) const;

  v1::LogStream stream_;
  std::size_t trace_bytes_;
  OnRecord on_record_;
  std::shared_ptr<const redact::Redactor> redactor_;
  v1::LogRecord record_;
  /// Of the line that pieces may continue.
  v1::Severity severity_ = v1::SEVERITY_INFO;
  redact::KeyBlock key_block_;
  StackTrace trace_;
  std::string held_;
  std::optional<std::chrono::system_clock::time_point> held_since_;
};

}  // namespace runfold::agent
