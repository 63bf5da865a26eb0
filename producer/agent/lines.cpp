// Cuts output into lines and makes log records of them.
#include "producer/agent/lines.hpp"

#include "producer/agent/text.hpp"
#include "producer/redact/found.hpp"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <utility>

namespace runfold::agent {
namespace {

void set_timestamp(google::protobuf::Timestamp& to, std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  to.set_seconds(seconds.time_since_epoch().count());
  to.set_nanos(static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(at - seconds).count()));
}

}  // namespace

LineSplitter::LineSplitter(std::size_t limit, OnLine on_line, WholeUntil whole_until)
    : limit_(std::max<std::size_t>(limit, 8)), on_line_(std::move(on_line)), whole_until_(std::move(whole_until)), room_(limit_) {}

void LineSplitter::give(std::string_view bytes, bool partial) {
  on_line_(OutputLine{bytes, partial, continues_});
  continues_ = partial;
}

void LineSplitter::give_held(std::size_t size) {
  if (size > 0) give(std::string_view(held_).substr(0, size), true);
  held_.erase(0, size);
}

void LineSplitter::feed(std::string_view bytes) {
  flushed_ = 0;
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const bool complete = newline != std::string_view::npos;
    std::string_view part = bytes.substr(0, newline);
    bytes.remove_prefix(complete ? newline + 1 : bytes.size());

    // A line that lies whole in this read is given from where it lies.
    if (held_.empty() && complete && part.size() <= limit_) {
      give(part, false);
      continue;
    }
    while (held_.size() + part.size() > room_) {
      // One byte more than there is room for shows whether a character ends there.
      const std::size_t taken = room_ + 1 - held_.size();
      held_.append(part.substr(0, taken));
      part.remove_prefix(taken);
      const std::size_t size = whole(utf8_prefix(held_, room_));
      give_held(size);
      room_ = size > 0 ? std::max(limit_, held_.size()) : room_ + limit_;
    }
    held_.append(part);
    if (complete) {
      give(held_, false);
      held_.clear();
      room_ = limit_;
    }
  }
}

void LineSplitter::flush() {
  give_held(whole(held_));
  flushed_ = held_.size();
}

std::size_t LineSplitter::cut() {
  flush();
  const std::size_t dropped = held_.size();
  held_.clear();
  room_ = limit_;
  flushed_ = 0;
  return dropped;
}

void LineSplitter::end() {
  give_held(held_.size());
  flushed_ = 0;
}

OutputRecords::OutputRecords(v1::LogStream stream, std::size_t trace_bytes, OnRecord on_record,
                             std::shared_ptr<const redact::Redactor> redactor)
    : stream_(stream), trace_bytes_(trace_bytes), on_record_(std::move(on_record)), redactor_(std::move(redactor)) {}

std::optional<StatedLine> OutputRecords::take_apart(std::string_view line) const {
  auto stated = parse_line(line);
  if (!stated || !redactor_ || !redactor_->holds_registered(line)) return stated;
  std::string clean = redactor_->replaced(line).value_or(std::string(redact::kRedacted));
  const auto json = line.starts_with('{') ? redactor_->replaced_in_json(line) : std::nullopt;
  if (auto without = parse_line(json.value_or(clean))) return without;
  // With it went what the line's form is known by: its level is told still.
  stated->message = std::move(clean);
  stated->detail_json.clear();
  return stated;
}

void OutputRecords::add(const OutputLine& said, std::chrono::system_clock::time_point arrived) {
  OutputLine line = said;
  if (key_block_.covers(said.bytes)) line.bytes = redact::kRedacted;
  if (line.continues || stream_ != v1::LOG_STREAM_STDERR) {
    give(line, line.continues ? severity_ : v1::SEVERITY_INFO, line.bytes, arrived);
    return;
  }
  const std::string_view text = line.bytes.ends_with('\r') ? line.bytes.substr(0, line.bytes.size() - 1) : line.bytes;
  const bool goes_on = trace_.under_way() && trace_.continues(text);
  if (!goes_on) flush();  // another trace may begin right behind the one that is held
  if (goes_on || trace_.begins(text)) {
    severity_ = v1::SEVERITY_ERROR;
    hold(line, arrived);
    return;
  }
  const auto stated = take_apart(text);
  severity_ = stated ? stated->severity : v1::SEVERITY_INFO;
  if (!stated) return give(line, severity_, line.bytes, arrived);
  const bool elsewhen = stated->at && std::chrono::floor<std::chrono::seconds>(arrived) != *stated->at;
  const auto at = elsewhen ? std::chrono::system_clock::time_point(*stated->at) : arrived;
  give(line, severity_, stated->message, at, stated->detail_json);
}

void OutputRecords::hold(const OutputLine& line, std::chrono::system_clock::time_point arrived) {
  if (held_since_ && held_.size() + line.bytes.size() >= trace_bytes_) flush();
  if (held_since_) held_.push_back('\n');
  held_.append(line.bytes);
  if (!held_since_) held_since_ = arrived;
  if (line.partial) give_held(true);
}

void OutputRecords::flush() {
  if (held_since_) give_held(false);
}

void OutputRecords::give_held(bool partial) {
  const std::string lines = std::exchange(held_, {});
  // A message has no newline at its end, and a trace's last lines may be empty.
  const std::string_view message = std::string_view(lines).substr(0, lines.find_last_not_of('\n') + 1);
  give({lines, partial, false}, v1::SEVERITY_ERROR, message, *std::exchange(held_since_, std::nullopt));
}

void OutputRecords::left_out(const HeadAndTail::Gap& gap, std::chrono::system_clock::time_point at) {
  flush();
  const std::string bytes = std::to_string(gap.bytes);
  const std::string lines = std::to_string(gap.lines);
  v1::LogRecord record;
  record.set_stream(stream_);
  record.set_severity(v1::SEVERITY_NOTICE);
  record.set_message(lines + " lines (" + bytes + " bytes) are left out here: the output is longer than is recorded of it");
  record.set_detail_json("{\"left_out_bytes\":" + bytes + ",\"left_out_lines\":" + lines + "}");
  record.set_truncated(true);
  set_timestamp(*record.mutable_logged_at(), at);
  on_record_(record);
}

void OutputRecords::give(const OutputLine& line, v1::Severity severity, std::string_view message, std::chrono::system_clock::time_point at,
                         std::string_view detail_json) {
  // Each field in turn instead of Clear(), which would give the timestamp back to the allocator.
  record_.set_stream(stream_);
  record_.set_severity(severity);
  record_.set_partial(line.partial);
  const bool readable = is_utf8(message);
  if (readable) {
    record_.set_message(message.data(), message.size());
  } else {
    record_.set_message(to_utf8(message));
  }
  if (readable && message == line.bytes) {
    record_.clear_raw();
  } else {
    record_.set_raw(line.bytes.data(), line.bytes.size());
  }
  record_.set_detail_json(detail_json.data(), detail_json.size());
  set_timestamp(*record_.mutable_logged_at(), at);
  on_record_(record_);
}

}  // namespace runfold::agent
