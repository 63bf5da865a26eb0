// Checks Kafka client properties against the linked librdkafka as they are set.
#include "transport/kafka/properties.hpp"

#include "transport/kafka/handle.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

namespace runfold::kafka {
namespace {

using ErrorText = std::array<char, 512>;

/// A value that may be a secret is tried on a scratch of its own, which ends with it.
rd_kafka_conf_res_t try_on_scratch(const std::string& name, const std::string& value, ErrorText& why) {
  const ConfHandle scratch{rd_kafka_conf_new()};
  return rd_kafka_conf_set(scratch.get(), name.c_str(), value.c_str(), why.data(), why.size());
}

/// What librdkafka prints as its table of properties: a line each, "name | C/P/* | ...".
std::string property_table() {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = open_memstream(&text, &size);
  if (stream == nullptr) return {};
  rd_kafka_conf_properties_show(stream);
  std::fclose(stream);
  std::string table(text, size);
  std::free(text);
  return table;
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  const std::string table = property_table();
  for (std::size_t begin = 0; begin < table.size();) {
    const std::size_t end = std::min(table.find('\n', begin), table.size());
    const std::string_view line(table.data() + begin, end - begin);
    begin = end + 1;
    const std::size_t bar = line.find('|');
    if (bar == std::string_view::npos) continue;
    std::string_view name = line.substr(0, bar);
    name = name.substr(0, name.find(' '));
    // Rules and headings are no names; callbacks and pointers cannot be set as text.
    if (name.empty() || name.front() == '-' || name == "Property") continue;
    if (name.find("_cb") != std::string_view::npos || name == "opaque" || name == "default_topic_conf" || name == "interceptors") continue;
    names.emplace_back(name);
  }
  return names;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// The known name that is nearest, or "" when none is near.
std::string nearest_name(std::string_view name) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (std::string& known : known_names()) {
    const std::size_t distance = edit_distance(name, known);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::move(known);
    }
  }
  return best;
}

Error unknown_name(std::string_view name) {
  std::string message = "Kafka property " + std::string(name) + " is not known to librdkafka " + rd_kafka_version_str();
  if (const std::string near = nearest_name(name); !near.empty()) message += "; did you mean " + near + "?";
  return Error{Errc::kInvalid, std::move(message)};
}

}  // namespace

Result<void> Properties::set(std::string_view name, std::string_view value) {
  if (name.empty()) return Error{Errc::kInvalid, "a Kafka property has no name; write name=value"};
  const std::string name_text(name);
  const std::string value_text(value);
  ErrorText why{};
  switch (try_on_scratch(name_text, value_text, why)) {
    case RD_KAFKA_CONF_OK:
      values_.insert_or_assign(name_text, value_text);
      return {};
    case RD_KAFKA_CONF_UNKNOWN:
      return unknown_name(name);
    default:
      break;
  }
  if (is_secret(name))
    return Error{Errc::kInvalid, "Kafka property " + name_text + " has a value that librdkafka refuses (not shown: it is a secret)"};
  return Error{Errc::kInvalid, "Kafka property " + name_text + " cannot be \"" + value_text + "\": " + why.data()};
}

Result<void> Properties::set_pair(std::string_view name_and_value) {
  const std::size_t equals = name_and_value.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    // The text may be a secret whose name was forgotten: it is not repeated.
    return Error{Errc::kInvalid, "a Kafka property must be given as name=value, for example client.id=orders"};
  }
  return set(name_and_value.substr(0, equals), name_and_value.substr(equals + 1));
}

bool Properties::set_default(std::string_view name, std::string_view value) {
  if (values_.contains(name)) return true;
  ErrorText why{};
  const std::string name_text(name);
  const std::string value_text(value);
  thread_local const ConfHandle scratch{rd_kafka_conf_new()};  // to make one takes longer than ten trials
  const auto tried = is_secret(name) ? try_on_scratch(name_text, value_text, why)
                                     : rd_kafka_conf_set(scratch.get(), name_text.c_str(), value_text.c_str(), why.data(), why.size());
  if (tried != RD_KAFKA_CONF_OK) return false;
  values_.emplace(name, value);
  return true;
}

std::optional<std::string> Properties::get(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

bool Properties::is_secret(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 6> kSecretParts = {"password", "secret", "key.pem", "token", "oauthbearer.config", "jaas.config"};
  if (name.find("token.endpoint") != std::string_view::npos) return false;
  return std::any_of(kSecretParts.begin(), kSecretParts.end(),
                     [name](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

}  // namespace runfold::kafka
