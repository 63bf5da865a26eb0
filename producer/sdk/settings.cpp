// Settings from the environment.
#include "producer/sdk/settings.hpp"

#include "producer/sdk/environment.hpp"

#include <charconv>
#include <cstdlib>

namespace runfold {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::uint32_t> environment_attempt() {
  const auto text = environment("RUNFOLD_ATTEMPT");
  if (!text) return std::nullopt;
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc{} || end != text->data() + text->size() || out == 0) return std::nullopt;
  return out;
}

kafka::Result<Settings> Settings::from_environment() {
  Settings out;
  if (const auto servers = environment("RUNFOLD_BOOTSTRAP_SERVERS")) {
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
  return out;
}

}  // namespace runfold
