// runfold emit operation: puts the present state of one platform job on runfold.operations.
#include "cli/emit_operation.hpp"

#include "cli/duration.hpp"
#include "cli/kafka_flags.hpp"
#include "cli/redaction_flags.hpp"
#include "cli/table.hpp"
#include "producer/redact/records.hpp"
#include "runfold/v1/operation.pb.h"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <CLI/CLI.hpp>

#include <google/protobuf/util/time_util.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace runfold::cli {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::size_t kOperationIdBytes = 200;

struct EmitOperationFlags {
  KafkaFlags kafka;
  RedactionFlags redaction;
  std::string topic = kafka::TopicNames{}.operations;
  std::string id;
  std::string name;
  std::string status;
  std::string owner;
  std::string connector;
  std::string version;
  std::string error;
  std::string created_at;
  std::string updated_at;
  bool remove = false;
  std::string timeout = "10s";
};

Outcome<> read_time(const char* flag, const std::string& text, google::protobuf::Timestamp* to) {
  if (text.empty() || TimeUtil::FromString(text, to)) return {};
  return Failure{kUsage, std::string(flag) + " \"" + printable(text) + "\" is not a time; write for example 2026-05-16T14:32:11Z"};
}

Outcome<v1::Operation> operation_of(const EmitOperationFlags& flags) {
  if (flags.id.empty() || flags.id.size() > kOperationIdBytes) return Failure{kUsage, "--id must be 1 to 200 bytes long"};
  v1::Operation operation;
  operation.set_operation_id(flags.id);
  operation.set_name(flags.name);
  operation.set_status(flags.status);
  operation.set_owner_id(flags.owner);
  operation.set_connector_id(flags.connector);
  operation.set_version(flags.version);
  operation.set_error(flags.error);
  *operation.mutable_updated_at() = TimeUtil::GetCurrentTime();
  if (auto read = read_time("--updated-at", flags.updated_at, operation.mutable_updated_at()); !read) return read.error();
  if (!flags.created_at.empty()) {
    if (auto read = read_time("--created-at", flags.created_at, operation.mutable_created_at()); !read) return read.error();
  }
  return operation;
}

Outcome<> send_operation(const EmitOperationFlags& flags) {
  if (!flags.remove && flags.status.empty()) return Failure{kUsage, "--status is missing; or remove the operation with --remove"};
  auto operation = operation_of(flags);
  if (!operation) return operation.error();
  const auto redactor = make_redactor(flags.redaction);
  if (!redactor) return redactor.error();
  if ((*redactor)->holds_registered(flags.id)) return Failure{kUsage, "--id holds a registered secret; it would be the record's key"};
  redact::redact(**redactor, *operation);
  const auto limit = parse_duration(flags.timeout);
  if (!limit) return Failure{kUsage, "--timeout \"" + printable(flags.timeout) + "\" is not a duration; write for example 10s"};
  kafka::Properties properties;
  if (const auto applied = apply_kafka_flags(flags.kafka, properties); !applied) return applied.error();
  const std::string servers = properties.get("bootstrap.servers").value_or("");
  if (servers.empty()) return Failure{kConfiguration, "no Kafka is configured; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers"};

  std::optional<kafka::Delivery> delivery;
  auto producer = kafka::Producer::create(properties, [&](const kafka::Delivery& done) { delivery = done; });
  if (!producer) return Failure{kConfiguration, producer.error().message};
  const std::string value = operation->SerializeAsString();
  const std::array<kafka::Header, 1> headers{{{"content-type", "application/protobuf"}}};
  kafka::OutRecord record{};
  record.topic = flags.topic;
  record.key = flags.id;
  // A record with no value removes the operation.
  if (!flags.remove) {
    record.value = value;
    record.headers = headers;
  }
  if (const auto produced = (*producer)->produce(record, 1); !produced) return Failure{kNotReachable, produced.error().message};
  (*producer)->flush(*limit);
  if (delivery && !delivery->error) return {};
  const std::string why = delivery ? delivery->error->message : "no answer within " + std::to_string(limit->count()) + " ms";
  return Failure{kNotReachable, "the operation was not acknowledged by Kafka at " + servers + ": " + why};
}

}  // namespace

void add_emit_operation(CLI::App& emit, Invocation& invocation) {
  CLI::App* command = emit.add_subcommand("operation", "How a build, sync or deployment stands now");
  auto flags = std::make_shared<EmitOperationFlags>();
  command->add_option("--id", flags->id, "The operation's id")->type_name("ID")->required();
  command->add_option("--name", flags->name, "What it does, for example build_connector")->type_name("NAME");
  command->add_option("--status", flags->status, "How it stands, for example pending or done")->type_name("STATUS");
  command->add_option("--owner", flags->owner, "The user who started it")->type_name("OWNER");
  command->add_option("--connector", flags->connector, "The connector it is about")->type_name("NAME");
  command->add_option("--connector-version,--version", flags->version, "The release it builds or deploys")->type_name("VERSION");
  command->add_option("--error", flags->error, "What went wrong")->type_name("TEXT");
  command->add_option("--created-at", flags->created_at, "When it was started (RFC 3339)")->type_name("TIME");
  command->add_option("--updated-at", flags->updated_at, "When this state began; without it, now")->type_name("TIME");
  command->add_flag("--remove", flags->remove, "Remove the operation");
  command->add_option("--operations-topic", flags->topic)->capture_default_str();
  command->add_option("--timeout", flags->timeout, "How long it may take until it is acknowledged")
      ->type_name("DURATION")
      ->capture_default_str();
  add_kafka_flags(*command, flags->kafka);
  add_redaction_flags(*command, flags->redaction);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      const auto sent = send_operation(*flags);
      return sent ? static_cast<int>(kOk) : report(invocation.streams, sent.error());
    };
  });
}

}  // namespace runfold::cli
