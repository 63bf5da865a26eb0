// runfold api-failures: the Container API calls that failed, of one run, of all, or grouped by what they have in common.
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/query.hpp"
#include "cli/table.hpp"
#include "transport/http/client.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <memory>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kApiFailuresFooter = R"(
Examples:
  runfold api-failures RUN_ID            the failing calls of one run, with the response bodies
  runfold api-failures --limit 50        the latest of all runs
  runfold api-failures RUN_ID --json     one JSON document a line
  runfold api-failures --grouped         which failures there are, how often, since when; the last seen first
Times are UTC.)";

struct ApiFailuresFlags {
  QueryFlags query;
  std::string run_id;
  std::string attempt;
  std::size_t limit = 20;
  bool all = false;
  bool grouped = false;
};

/// A body's beginning, fit for a line of its own.
std::string first_of_body(const std::string& body) {
  constexpr std::size_t kShown = 500;
  std::string text = body.substr(0, kShown);
  while (!text.empty() && body.size() > text.size() && (static_cast<unsigned char>(body[text.size()]) & 0xC0) == 0x80) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + (body.size() > text.size() ? " ..." : "");
}

void print_failure(const json::object& failure, bool name_run, Streams& streams) {
  auto& out = streams.out;
  const std::string code = text_of(failure, "code");
  out << toned(format_time(text_of(failure, "at"), true), Tone::kDim, streams.colour) << " "
      << toned(code.empty() ? "---" : printable(code), Tone::kBad, streams.colour) << " " << printable(text_of(failure, "method")) << " "
      << printable(text_of(failure, "uri"));
  if (const std::string step = text_of(failure, "step"); !step.empty())
    out << toned("  step " + printable(step), Tone::kDim, streams.colour);
  if (name_run) {
    out << toned("  run " + printable(text_of(failure, "run_id")) + " of " + printable(text_of(failure, "connector_id")), Tone::kDim,
                 streams.colour);
  }
  out << "\n";
  if (const std::string error = text_of(failure, "error"); !error.empty()) out << "    " << printable(error) << "\n";
  if (const std::string body = text_of(failure, "body"); !body.empty()) out << "    " << printable(first_of_body(body)) << "\n";
}

int show_groups(const ApiFailuresFlags& flags, Streams& streams) {
  Table table({{"COUNT", true},
               {"STATUS"},
               {"METHOD"},
               {"URI"},
               {"CONNECTOR"},
               {"FIRST SEEN (UTC)"},
               {"LAST SEEN (UTC)"},
               {"SITES", true},
               {"FIRST VERSION"}});
  const auto on_item = [&](const json::object& group) {
    if (flags.query.json) {
      streams.out << json::serialize(group) << "\n";
      return;
    }
    const json::value* sites = group.if_contains("sites");
    const std::string named = std::to_string(sites != nullptr && sites->is_array() ? sites->get_array().size() : 0);
    const std::string code = text_of(group, "code");
    table.add({{text_of(group, "count")},
               {code.empty() ? "---" : code, Tone::kBad},
               {text_of(group, "method")},
               {text_of(group, "uri_template")},
               {text_of(group, "connector_id")},
               {format_time(text_of(group, "first_seen_at"), false)},
               {format_time(text_of(group, "last_seen_at"), false)},
               {named + (text_of(group, "more_sites") == "true" ? "+" : "")},
               {text_of(group, "first_version")}});
  };
  const auto count = for_each_item(flags.query, "/api/v1/api-failure-groups", {}, flags.all ? 0 : flags.limit, on_item);
  if (!flags.query.json && !table.empty()) table.print(streams.out, streams.colour);
  if (!count) return report(streams, count.error());
  if (*count == 0 && !flags.query.json) streams.err << "No failed Container API calls.\n";
  return kOk;
}

int show_failure(const ApiFailuresFlags& flags, Streams& streams) {
  if (flags.grouped) return show_groups(flags, streams);
  const std::string path =
      flags.run_id.empty() ? "/api/v1/api-failures" : "/api/v1/runs/" + http::percent_encode(flags.run_id) + "/api-failures";
  const auto on_item = [&](const json::object& failure) {
    if (flags.query.json) {
      streams.out << json::serialize(failure) << "\n";
    } else {
      print_failure(failure, flags.run_id.empty(), streams);
    }
  };
  const auto count = for_each_item(flags.query, path, {{"attempt", flags.attempt}}, flags.all ? 0 : flags.limit, on_item);
  if (!count) return report(streams, count.error());
  if (*count == 0 && !flags.query.json) streams.err << "No failed Container API calls.\n";
  return kOk;
}

}  // namespace

void add_api_failures(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("api-failures", "Show the Container API calls that failed");
  auto flags = std::make_shared<ApiFailuresFlags>();
  command->footer(kApiFailuresFooter);
  CLI::Option* run = command->add_option("RUN_ID", flags->run_id, "Only of this run");
  add_attempt_flag(*command, flags->attempt)->needs(run);
  command->add_flag("--grouped", flags->grouped, "Count the calls of all runs that failed in the same way")->excludes(run);
  CLI::Option* limit = command->add_option("--limit", flags->limit, "How many")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_flag("--all", flags->all, "All of them")->excludes(limit);
  add_query_flags(*command, flags->query);
  command->callback(
      [flags, &invocation] { invocation.action = [flags, &invocation] { return show_failure(*flags, invocation.streams); }; });
}

}  // namespace runfold::cli
