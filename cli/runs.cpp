// runfold runs: lists runs, or shows one.
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/query.hpp"
#include "cli/table.hpp"
#include "transport/http/client.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <cstdint>
#include <memory>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kRunsFooter = R"(
Examples:
  runfold runs                                   the last 20 runs, newest first
  runfold runs --result failure --from 24h       what failed since yesterday
  runfold runs --connector invoices --all --json every run of one connector, one JSON document a line
  runfold runs 4f0c2d1e-...                      one run with its steps, the last attempt
Times are UTC.)";

struct RunsFlags {
  QueryFlags query;
  std::string run_id;
  std::string attempt;
  std::string connector;
  std::string version;
  std::string site;
  std::string status;
  std::string result;
  std::string from;
  std::string to;
  std::size_t limit = 20;
  bool all = false;
};

std::optional<std::int64_t> number_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (error) return std::nullopt;
  return number;
}

std::string duration_of(const json::object& object) {
  const auto ms = number_of(object, "duration_ms");
  return ms ? format_duration(*ms) : std::string();
}

/// "success", or how it stands when it has not ended.
Cell outcome_of(const json::object& object) {
  const std::string result = text_of(object, "result");
  if (result.empty()) return {text_of(object, "status"), Tone::kWarn};
  if (result == "success") return {result, Tone::kGood};
  if (result == "cancelled") return {result, Tone::kWarn};
  return {result, Tone::kBad};
}

/// Records of severity error and worse; empty when the run has no counts.
std::string errors_of(const json::object& run) {
  const json::value* counts = run.if_contains("log_counts");
  if (counts == nullptr || !counts->is_object()) return {};
  std::int64_t errors = 0;
  for (const char* severity : {"0", "1", "2", "3"}) errors += number_of(counts->get_object(), severity).value_or(0);
  return std::to_string(errors);
}

Cell count_cell(std::string text, Tone tone_if_some) {
  const bool some = !text.empty() && text != "0";
  return {std::move(text), some ? tone_if_some : Tone::kPlain};
}

/// The process's exit code, or the signal that killed it.
std::string exit_of(const json::object& run) {
  const std::string signal = text_of(run, "signal");
  return signal.empty() ? text_of(run, "exit_code") : "signal " + signal;
}

int list_runs(const RunsFlags& flags, Streams& streams) {
  const auto from = time_parameter("--from", flags.from);
  if (!from) return report(streams, from.error());
  const auto to = time_parameter("--to", flags.to);
  if (!to) return report(streams, to.error());
  const Parameters parameters{{"connector", flags.connector},
                              {"version", flags.version},
                              {"site", flags.site},
                              {"status", flags.status},
                              {"result", flags.result},
                              {"from", *from},
                              {"to", *to}};
  Table table({{"RUN"},
               {"CONNECTOR"},
               {"VERSION"},
               {"SITE"},
               {"RESULT"},
               {"EXIT"},
               {"STARTED (UTC)"},
               {"TOOK", true},
               {"ERRORS", true},
               {"API FAILURES", true}});
  const auto on_item = [&](const json::object& run) {
    if (flags.query.json) {
      streams.out << json::serialize(run) << "\n";
      return;
    }
    table.add({{text_of(run, "run_id")},
               {text_of(run, "connector_id")},
               {text_of(run, "version")},
               {text_of(run, "site")},
               outcome_of(run),
               {exit_of(run)},
               {format_time(text_of(run, "started_at"), false)},
               {duration_of(run)},
               count_cell(errors_of(run), Tone::kBad),
               count_cell(text_of(run, "api_failures"), Tone::kBad)});
  };
  const auto count = for_each_item(flags.query, "/api/v1/runs", parameters, flags.all ? 0 : flags.limit, on_item);
  if (!flags.query.json && !table.empty()) table.print(streams.out, streams.colour);
  if (!count) return report(streams, count.error());
  if (*count == 0 && !flags.query.json) streams.err << "No runs.\n";
  return kOk;
}

void print_field(Streams& streams, std::string_view name, const Cell& cell) {
  if (cell.text.empty()) return;
  std::string label(name);
  label.resize(15, ' ');
  streams.out << toned(label, Tone::kDim, streams.colour) << toned(printable(cell.text), cell.tone, streams.colour) << "\n";
}

/// "created 3, updated 1"
std::string stats_of(const json::object& run, std::string_view prefix) {
  const json::value* stats = run.if_contains("stats");
  if (stats == nullptr || !stats->is_object()) return {};
  std::string text;
  for (const char* verb : {"created", "updated", "deleted"}) {
    const std::string count = text_of(stats->get_object(), std::string(prefix) + "_" + verb);
    if (!count.empty()) text += (text.empty() ? "" : ", ") + std::string(verb) + " " + count;
  }
  return text;
}

std::string completeness_of(const json::object& run) {
  const json::value* completeness = run.if_contains("completeness");
  if (completeness == nullptr || !completeness->is_object()) return {};
  const json::object& counts = completeness->get_object();
  const std::string expected = text_of(counts, "expected");
  std::string text = text_of(counts, "received") + (expected.empty() ? "" : " of " + expected) + " records received";
  if (const json::value* dropped = counts.if_contains("dropped"); dropped != nullptr && dropped->is_object()) {
    for (const auto& [reason, records] : dropped->get_object()) {
      text += ", " + json::serialize(records) + " " + (reason == "not_needed" ? "debug not needed" : std::string(reason));
    }
  }
  return text;
}

/// " of 1, 2, 4", when there are several.
std::string attempts_of(const json::object& run) {
  const json::value* attempts = run.if_contains("attempts");
  if (attempts == nullptr || !attempts->is_array() || attempts->get_array().size() < 2) return {};
  std::string text;
  for (const json::value& attempt : attempts->get_array()) text += (text.empty() ? " of " : ", ") + json::serialize(attempt);
  return text;
}

/// How far the connector's clock was from Kafka's; empty when it was right, as far as anybody knows.
std::string skew_of(const json::object& run) {
  const auto ms = number_of(run, "clock_skew_ms");
  if (!ms) return {};
  return "the connector's was " + format_duration(*ms < 0 ? -*ms : *ms) + (*ms < 0 ? " fast" : " slow");
}

void print_run(const json::object& run, Streams& streams) {
  print_field(streams, "Run", {text_of(run, "run_id"), Tone::kStrong});
  print_field(streams, "Connector", {text_of(run, "connector_id")});
  print_field(streams, "Version", {text_of(run, "version")});
  print_field(streams, "Site", {text_of(run, "site")});
  print_field(streams, "Attempt", {text_of(run, "attempt") + attempts_of(run)});
  Cell outcome = outcome_of(run);
  if (text_of(run, "result_source") == "inferred") outcome.text += " (inferred)";
  print_field(streams, "Result", outcome);
  print_field(streams, "Exit", {exit_of(run)});
  print_field(streams, "Error", {text_of(run, "error"), Tone::kBad});
  print_field(streams, "Started", {format_time(text_of(run, "started_at"), true)});
  print_field(streams, "Finished", {format_time(text_of(run, "finished_at"), true)});
  print_field(streams, "Took", {duration_of(run)});
  print_field(streams, "Entities", {text_of(run, "entities")});
  print_field(streams, "Relationships", {text_of(run, "relationships")});
  print_field(streams, "Stats", {stats_of(run, "entities").empty() ? "" : "entities " + stats_of(run, "entities")});
  print_field(streams, "", {stats_of(run, "relationships").empty() ? "" : "relationships " + stats_of(run, "relationships")});
  print_field(streams, "Errors logged", count_cell(errors_of(run), Tone::kBad));
  print_field(streams, "API failures", count_cell(text_of(run, "api_failures"), Tone::kBad));
  print_field(streams, "Records", {completeness_of(run)});
  print_field(streams, "Clock", {skew_of(run), Tone::kWarn});
  print_field(streams, "Trace", {text_of(run, "trace_id")});

  const json::value* steps = run.if_contains("steps");
  if (steps == nullptr || !steps->is_array() || steps->get_array().empty()) return;
  Table table(
      {{"STEP"}, {"TRY", true}, {"RESULT"}, {"STARTED (UTC)"}, {"TOOK", true}, {"ENTITIES", true}, {"RELATIONSHIPS", true}, {"ERROR"}});
  for (const json::value& value : steps->get_array()) {
    if (!value.is_object()) continue;
    const json::object& step = value.get_object();
    table.add({{text_of(step, "step_id")},
               {text_of(step, "attempt")},
               outcome_of(step),
               {format_time(text_of(step, "started_at"), false)},
               {duration_of(step)},
               {text_of(step, "entities")},
               {text_of(step, "relationships")},
               {text_of(step, "error"), Tone::kBad}});
  }
  streams.out << "\n";
  table.print(streams.out, streams.colour);
}

int show_run(const RunsFlags& flags, Streams& streams) {
  const auto run = get_document(flags.query, "/api/v1/runs/" + http::percent_encode(flags.run_id), {{"attempt", flags.attempt}});
  if (!run) return report(streams, run.error());
  if (flags.query.json) {
    streams.out << json::serialize(*run) << "\n";
  } else {
    print_run(run->get_object(), streams);
  }
  return kOk;
}

}  // namespace

void add_runs(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("runs", "List runs, newest first, or show one");
  auto flags = std::make_shared<RunsFlags>();
  command->footer(kRunsFooter);
  CLI::Option* run = command->add_option("RUN_ID", flags->run_id, "Show this run");
  add_attempt_flag(*command, flags->attempt)->needs(run);
  command->add_option("--connector", flags->connector, "Only of this connector")->type_name("NAME");
  command->add_option("--version", flags->version, "Only of this release")->type_name("VERSION");
  command->add_option("--site", flags->site, "Only for this site")->type_name("SITE");
  command->add_option("--status", flags->status, "pending, running or finished")->type_name("STATUS");
  command->add_option("--result", flags->result, "success, failure, error, timeout, cancelled or lost")->type_name("RESULT");
  command->add_option("--from", flags->from, "Started at or after: a time, or how long ago (2h)")->type_name("TIME");
  command->add_option("--to", flags->to, "Started before: a time, or how long ago")->type_name("TIME");
  CLI::Option* limit = command->add_option("--limit", flags->limit, "How many")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_flag("--all", flags->all, "All of them")->excludes(limit);
  add_query_flags(*command, flags->query);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      return flags->run_id.empty() ? list_runs(*flags, invocation.streams) : show_run(*flags, invocation.streams);
    };
  });
}

}  // namespace runfold::cli
