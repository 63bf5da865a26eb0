// Cuts output into lines and makes log records of them.
#include "producer/agent/lines.hpp"

#include "producer/agent/text.hpp"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <utility>

namespace runfold::agent {
namespace {

/// Reads exactly the digits of `text`; absent when there is anything else.
std::optional<unsigned> digits(std::string_view text) noexcept {
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

void set_timestamp(google::protobuf::Timestamp& to, std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  to.set_seconds(seconds.time_since_epoch().count());
  to.set_nanos(static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(at - seconds).count()));
}

}  // namespace

LineSplitter::LineSplitter(std::size_t limit, OnLine on_line) : limit_(std::max<std::size_t>(limit, 8)), on_line_(std::move(on_line)) {}

void LineSplitter::give(std::string_view bytes, bool partial) {
  on_line_(OutputLine{bytes, partial, continues_});
  continues_ = partial;
}

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const bool complete = newline != std::string_view::npos;
    std::string_view part = bytes.substr(0, newline);
    bytes.remove_prefix(complete ? newline + 1 : bytes.size());

    // A line that lies whole in this read is given from where it lies.
    if (!held_.empty() || !complete) {
      while (held_.size() + part.size() > limit_) {
        // One byte more than the limit shows whether a character ends there.
        const std::size_t taken = limit_ + 1 - held_.size();
        held_.append(part.substr(0, taken));
        part.remove_prefix(taken);
        const std::size_t cut = utf8_prefix(held_, limit_).size();
        give(std::string_view(held_).substr(0, cut), true);
        held_.erase(0, cut);
      }
      held_.append(part);
      if (complete) {
        give(held_, false);
        held_.clear();
      }
      continue;
    }
    while (part.size() > limit_) {
      const std::string_view piece = utf8_prefix(part, limit_);
      give(piece, true);
      part.remove_prefix(piece.size());
    }
    give(part, false);
  }
}

void LineSplitter::flush() {
  if (held_.empty()) return;
  give(held_, true);
  held_.clear();
}

std::optional<FixedLine> parse_fixed_line(std::string_view line) {
  using namespace std::chrono;
  constexpr std::string_view kShape = "dddd-dd-dd dd:dd:dd UTC [";
  if (line.size() < kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != kShape[i]) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t size) { return *digits(line.substr(at, size)); };
  const year_month_day date{year(static_cast<int>(number(0, 4))), month(number(5, 2)), day(number(8, 2))};
  const unsigned hour = number(11, 2);
  const unsigned minute = number(14, 2);
  const unsigned second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;

  std::string_view rest = line.substr(kShape.size());
  const std::size_t bracket = rest.find(']');
  if (bracket == std::string_view::npos) return std::nullopt;
  const std::string_view level = rest.substr(0, bracket);
  const auto severity = level.size() > 1 ? parse_severity(level) : std::nullopt;
  if (!severity) return std::nullopt;
  rest.remove_prefix(bracket + 1);
  if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  return FixedLine{sys_days(date) + hours(hour) + minutes(minute) + seconds(second), *severity, rest};
}

v1::LogRecord OutputRecords::make(const OutputLine& line, std::chrono::system_clock::time_point arrived) {
  v1::LogRecord record;
  record.set_stream(stream_);
  record.set_partial(line.partial);
  std::string_view message = line.bytes;
  auto at = arrived;
  if (!line.continues) {
    severity_ = v1::SEVERITY_INFO;
    const auto fixed = stream_ == v1::LOG_STREAM_STDERR ? parse_fixed_line(line.bytes) : std::nullopt;
    if (fixed) {
      severity_ = fixed->severity;
      message = fixed->message;
      if (std::chrono::floor<std::chrono::seconds>(arrived) != fixed->at) at = fixed->at;
    }
  }
  if (is_utf8(message)) {
    record.set_message(message.data(), message.size());
  } else {
    record.set_message(to_utf8(message));
  }
  if (record.message() != line.bytes) record.set_raw(line.bytes.data(), line.bytes.size());
  record.set_severity(severity_);
  set_timestamp(*record.mutable_logged_at(), at);
  return record;
}

}  // namespace runfold::agent
