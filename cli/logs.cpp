// runfold logs: what a run said, oldest first as one reads.
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/query.hpp"
#include "cli/table.hpp"
#include "transport/http/client.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cctype>
#include <memory>
#include <vector>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kLogsFooter = R"(
Examples:
  runfold logs RUN_ID                      the last 200 records
  runfold logs RUN_ID --level error --all  every record of error and worse (levels 0 to 3)
  runfold logs RUN_ID --stream stderr      what it wrote to stderr
  runfold logs RUN_ID --step upload --query timeout --json
Times are UTC.)";

struct LogsFlags {
  QueryFlags query;
  std::string run_id;
  std::string attempt;
  std::string level;
  std::string stream;
  std::string step;
  std::string text;
  std::string from;
  std::string to;
  std::size_t tail = 200;
  bool all = false;
};

Tone tone_of(const json::object& record) {
  const json::value* severity = record.if_contains("severity");
  if (severity == nullptr || !severity->is_int64()) return Tone::kPlain;
  const std::int64_t level = severity->get_int64();
  if (level <= 3) return Tone::kBad;
  if (level == 4) return Tone::kWarn;
  return level == 7 ? Tone::kDim : Tone::kPlain;
}

/// A message as it was written: lines end as they may, and those behind the first are set in, so that none looks like a record.
std::string shown_message(std::string_view message) {
  std::string out;
  for (bool first = true; first || !message.empty(); first = false) {
    const std::size_t end = message.find('\n');
    std::string_view line = message.substr(0, end);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out += (first ? "" : "\n    ") + printable(line);
  }
  return out;
}

void print_record(const json::object& record, Streams& streams) {
  std::string level = text_of(record, "level");
  std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::string stream = text_of(record, "stream");
  const std::string step = text_of(record, "step");
  const std::string detail = text_of(record, "detail");
  auto& out = streams.out;
  out << toned(format_time(text_of(record, "at"), true), Tone::kDim, streams.colour) << " "
      << toned("[" + printable(level) + "]", tone_of(record), streams.colour) << " ";
  if (!stream.empty() && stream != "application") out << toned(printable(stream), Tone::kDim, streams.colour) << " ";
  if (!step.empty()) out << toned(printable(step) + ":", Tone::kStrong, streams.colour) << " ";
  out << shown_message(text_of(record, "message"));
  if (!detail.empty()) out << " " << toned(printable(detail), Tone::kDim, streams.colour);
  if (text_of(record, "truncated") == "true") out << toned(" (truncated)", Tone::kWarn, streams.colour);
  out << "\n";
  const json::value* call = record.if_contains("api_call");
  if (call == nullptr || !call->is_object()) return;
  const std::string body = text_of(call->get_object(), "body");
  if (!body.empty()) out << "    " << toned(printable(body), Tone::kDim, streams.colour) << "\n";
}

int show_logs(const LogsFlags& flags, Streams& streams) {
  const auto from = time_parameter("--from", flags.from);
  if (!from) return report(streams, from.error());
  const auto to = time_parameter("--to", flags.to);
  if (!to) return report(streams, to.error());
  const auto print = [&](const json::object& record) {
    if (flags.query.json) {
      streams.out << json::serialize(record) << "\n";
    } else {
      print_record(record, streams);
    }
  };
  const std::string path = "/api/v1/runs/" + http::percent_encode(flags.run_id) + "/logs";
  Parameters parameters{{"attempt", flags.attempt},
                        {"level", flags.level},
                        {"stream", flags.stream},
                        {"step", flags.step},
                        {"q", flags.text},
                        {"from", *from},
                        {"to", *to},
                        {"order", flags.all ? "asc" : "desc"}};
  // The tail comes newest first, and is turned round to be read.
  std::vector<json::object> tail;
  const auto on_item = [&](const json::object& record) {
    if (flags.all) {
      print(record);
    } else {
      tail.push_back(record);
    }
  };
  const auto count = for_each_item(flags.query, path, std::move(parameters), flags.all ? 0 : flags.tail, on_item);
  std::for_each(tail.rbegin(), tail.rend(), print);
  if (!count) return report(streams, count.error());
  if (*count == 0 && !flags.query.json) streams.err << "No log records.\n";
  return kOk;
}

}  // namespace

void add_logs(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("logs", "Show what a run said");
  auto flags = std::make_shared<LogsFlags>();
  command->footer(kLogsFooter);
  command->add_option("RUN_ID", flags->run_id, "The run")->required();
  add_attempt_flag(*command, flags->attempt);
  command->add_option("--level", flags->level, "This severity and worse: a name or 0 (emergency) to 7 (debug)")->type_name("LEVEL");
  command->add_option("--stream", flags->stream, "application, stdout, stderr or container_api")->type_name("STREAM");
  command->add_option("--step", flags->step, "Only of this step")->type_name("STEP");
  command->add_option("--query,-q", flags->text, "Only with this text in the message")->type_name("TEXT");
  command->add_option("--from", flags->from, "Logged at or after: a time, or how long ago (2h)")->type_name("TIME");
  command->add_option("--to", flags->to, "Logged before: a time, or how long ago")->type_name("TIME");
  CLI::Option* tail =
      command->add_option("--tail,--limit", flags->tail, "The last N")->check(CLI::PositiveNumber)->type_name("N")->capture_default_str();
  command->add_flag("--all", flags->all, "All of them")->excludes(tail);
  add_query_flags(*command, flags->query);
  command->callback([flags, &invocation] { invocation.action = [flags, &invocation] { return show_logs(*flags, invocation.streams); }; });
}

}  // namespace runfold::cli
