// Settings from the environment.
#include "producer/sdk/settings.hpp"

#include "producer/sdk/environment.hpp"
#include "transport/kafka/properties_file.hpp"

namespace runfold {

std::optional<DebugRecords> debug_records_named(std::string_view name) noexcept {
  if (name == "always") return DebugRecords::kAlways;
  if (name == "on-error") return DebugRecords::kOnError;
  if (name == "never") return DebugRecords::kNever;
  return std::nullopt;
}

kafka::Result<Settings> Settings::from_environment() {
  Settings out;
  if (const auto file = environment("RUNFOLD_KAFKA_CONFIG")) {
    if (const auto read = kafka::read_properties_file(*file, out.kafka); !read) {
      return kafka::Error{.code = kafka::Errc::kInvalid, .message = "RUNFOLD_KAFKA_CONFIG: " + read.error().message};
    }
  }
  if (const auto servers = environment("RUNFOLD_BOOTSTRAP_SERVERS"); servers && !out.kafka.get("bootstrap.servers")) {
    if (const auto set = out.kafka.set("bootstrap.servers", *servers); !set) {
      return kafka::Error{.code = kafka::Errc::kInvalid, .message = "RUNFOLD_BOOTSTRAP_SERVERS: " + set.error().message};
    }
  }
  const auto connector = environment("RUNFOLD_CONNECTOR");
  if (!connector && out.kafka.get("bootstrap.servers")) {
    return kafka::Error{.code = kafka::Errc::kInvalid,
                        .message = "RUNFOLD_CONNECTOR is not set: set it to the connector's name, for example invoices-export."};
  }
  out.connector_id = connector.value_or("");
  out.version = environment("RUNFOLD_VERSION").value_or("");
  out.site = environment("RUNFOLD_SITE").value_or("");
  out.spool_folder = environment("RUNFOLD_SPOOL_DIR").value_or("");
  const std::string debug = environment("RUNFOLD_DEBUG").value_or("on-error");
  const auto named = debug_records_named(debug);
  if (!named) {
    return kafka::Error{.code = kafka::Errc::kInvalid,
                        .message = "RUNFOLD_DEBUG is \"" + debug + "\": set it to always, on-error or never."};
  }
  out.debug_records = *named;
  return out;
}

}  // namespace runfold
