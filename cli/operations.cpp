// runfold operations: builds, syncs and deployments, and how each stands.
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/query.hpp"
#include "cli/table.hpp"
#include "transport/http/client.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <array>
#include <memory>
#include <utility>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kOperationsFooter = R"(
Examples:
  runfold operations                                   the latest operations
  runfold operations --name build_connector --status pending
  runfold operations 8c1f...                           one of them
Times are UTC.)";

struct OperationsFlags {
  QueryFlags query;
  std::string operation_id;
  std::string status;
  std::string name;
  std::string owner;
  std::string connector;
  std::size_t limit = 20;
  bool all = false;
};

int list_operations(const OperationsFlags& flags, Streams& streams) {
  Table table(
      {{"OPERATION"}, {"NAME"}, {"STATUS"}, {"OWNER"}, {"CONNECTOR"}, {"VERSION"}, {"CREATED (UTC)"}, {"UPDATED (UTC)"}, {"ERROR"}});
  const auto on_item = [&](const json::object& operation) {
    if (flags.query.json) {
      streams.out << json::serialize(operation) << "\n";
      return;
    }
    const std::string error = text_of(operation, "error");
    table.add({{text_of(operation, "operation_id")},
               {text_of(operation, "name")},
               {text_of(operation, "status"), error.empty() ? Tone::kPlain : Tone::kBad},
               {text_of(operation, "owner_id")},
               {text_of(operation, "connector_id")},
               {text_of(operation, "version")},
               {format_time(text_of(operation, "created_at"), false)},
               {format_time(text_of(operation, "updated_at"), false)},
               {error, Tone::kBad}});
  };
  const Parameters parameters{{"status", flags.status}, {"name", flags.name}, {"owner_id", flags.owner}, {"connector", flags.connector}};
  const auto count = for_each_item(flags.query, "/api/v1/operations", parameters, flags.all ? 0 : flags.limit, on_item);
  if (!flags.query.json && !table.empty()) table.print(streams.out, streams.colour);
  if (!count) return report(streams, count.error());
  if (*count == 0 && !flags.query.json) streams.err << "No operations.\n";
  return kOk;
}

int show_operation(const OperationsFlags& flags, Streams& streams) {
  const auto document = get_document(flags.query, "/api/v1/operations/" + http::percent_encode(flags.operation_id), {});
  if (!document) return report(streams, document.error());
  if (flags.query.json) {
    streams.out << json::serialize(*document) << "\n";
    return kOk;
  }
  static constexpr std::array<std::pair<const char*, const char*>, 9> kFields{{{"Operation", "operation_id"},
                                                                               {"Name", "name"},
                                                                               {"Status", "status"},
                                                                               {"Owner", "owner_id"},
                                                                               {"Connector", "connector_id"},
                                                                               {"Version", "version"},
                                                                               {"Created", "created_at"},
                                                                               {"Updated", "updated_at"},
                                                                               {"Error", "error"}}};
  for (const auto& [label, member] : kFields) {
    std::string text = text_of(document->get_object(), member);
    if (text.empty()) continue;
    if (std::string_view(member).ends_with("_at")) text = format_time(text, true);
    std::string padded(label);
    padded.resize(15, ' ');
    streams.out << toned(padded, Tone::kDim, streams.colour) << printable(text) << "\n";
  }
  return kOk;
}

}  // namespace

void add_operations(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("operations", "List builds, syncs and deployments, or show one");
  auto flags = std::make_shared<OperationsFlags>();
  command->footer(kOperationsFooter);
  command->add_option("OPERATION_ID", flags->operation_id, "Show this operation");
  command->add_option("--status", flags->status, "Only with this status")->type_name("STATUS");
  command->add_option("--name", flags->name, "Only of this name, for example build_connector")->type_name("NAME");
  command->add_option("--owner", flags->owner, "Only started by this user")->type_name("OWNER");
  command->add_option("--connector", flags->connector, "Only about this connector")->type_name("NAME");
  CLI::Option* limit = command->add_option("--limit", flags->limit, "How many")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_flag("--all", flags->all, "All of them")->excludes(limit);
  add_query_flags(*command, flags->query);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      return flags->operation_id.empty() ? list_operations(*flags, invocation.streams) : show_operation(*flags, invocation.streams);
    };
  });
}

}  // namespace runfold::cli
