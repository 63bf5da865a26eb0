// runfold log: adds log records to a run, from an argument or line by line from stdin.
#include "cli/command.hpp"
#include "cli/sender.hpp"
#include "cli/table.hpp"
#include "producer/agent/lines.hpp"
#include "producer/agent/text.hpp"
#include "producer/redact/key_block.hpp"
#include "producer/redact/piece.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::cli {
namespace {

constexpr const char* kLogFooter = R"(
Examples:
  runfold log "Fetched 42 invoices" --step read
  runfold log --level error --detail '{"request_id":"r-123"}' "ERP returned 500"
  ./legacy-job 2>&1 | runfold log --run-id R --connector legacy     a record a line
Inside runfold exec no flags are needed. A line in the form "2026-05-16 14:32:11 UTC [ERROR] message", or in another
that states a level (JSON, logfmt, "ERROR: message", ...), keeps it.)";

constexpr std::size_t kLineBytes = 64 * 1024;

struct LogFlags {
  SenderFlags sender;
  std::string message;
  std::string level = "info";
  std::string step;
  std::string detail;
};

/// Sends stdin line by line; what is there is sent before more is waited for.
Outcome<> send_lines(const v1::LogRecord& pattern, Sender& sender, std::istream& in) {
  Outcome<> sent;
  redact::KeyBlock key_block;
  const auto on_line = [&](agent::OutputLine line) {
    if (!sent) return;
    if (key_block.covers(line.bytes)) line.bytes = redact::kRedacted;
    v1::LogRecord record = pattern;
    record.set_message(agent::to_utf8(line.bytes));
    if (const auto stated = agent::parse_line(line.bytes)) {
      record.set_severity(stated->severity);
      record.set_message(agent::to_utf8(stated->message));
      if (record.detail_json().empty()) record.set_detail_json(stated->detail_json);
    }
    sent = sender.log(std::move(record));
  };
  const auto whole_until = [&](std::string_view text) { return redact::piece_until(sender.redactor(), text); };
  agent::LineSplitter splitter(kLineBytes, on_line, whole_until);
  std::array<char, 16 * 1024> buffer{};
  while (sent && in.good()) {
    const std::streamsize there = in.rdbuf()->in_avail();
    if (there <= 0) {
      sent = sender.flush();
      const int next = in.get();
      if (next == std::char_traits<char>::eof()) break;
      const char byte = static_cast<char>(next);
      splitter.feed(std::string_view(&byte, 1));
      continue;
    }
    const std::streamsize n = in.readsome(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    splitter.feed(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  }
  splitter.end();
  return sent;
}

Outcome<> send_log(const LogFlags& flags, Streams& streams) {
  v1::LogRecord record;
  record.set_stream(v1::LOG_STREAM_APPLICATION);
  const auto severity = agent::parse_severity(flags.level);
  if (!severity) {
    return Failure{kUsage, "--level \"" + printable(flags.level) +
                               "\" is unknown; it must be emergency, alert, critical, error, warning, notice, info, debug, or 0 to 7"};
  }
  record.set_severity(*severity);
  record.set_step_id(flags.step);
  if (!flags.detail.empty()) {
    boost::json::error_code error;
    const auto detail = boost::json::parse(flags.detail, error);
    if (error) return Failure{kUsage, "--detail is not valid JSON: " + error.message()};
    record.set_detail_json(boost::json::serialize(detail));
  }
  auto sender = make_sender(flags.sender);
  if (!sender) return sender.error();
  if (flags.message.empty()) {
    if (auto sent = send_lines(record, **sender, streams.in); !sent) return sent;
  } else {
    record.set_message(agent::to_utf8(flags.message));
    if (auto sent = (*sender)->log(std::move(record)); !sent) return sent;
  }
  return (*sender)->finish();
}

}  // namespace

void add_log(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("log", "Add log records to a run: one message, or stdin line by line");
  auto flags = std::make_shared<LogFlags>();
  command->footer(kLogFooter);
  command->add_option("MESSAGE", flags->message, "The message; without one, stdin is read");
  command->add_option("--level", flags->level, "Severity: a name or 0 (emergency) to 7 (debug)")->type_name("LEVEL")->capture_default_str();
  command->add_option("--step", flags->step, "The step it belongs to")->type_name("STEP");
  command->add_option("--detail", flags->detail, "Structured detail")->type_name("JSON");
  add_sender_flags(*command, flags->sender);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      const auto sent = send_log(*flags, invocation.streams);
      return sent ? static_cast<int>(kOk) : report(invocation.streams, sent.error());
    };
  });
}

}  // namespace runfold::cli
