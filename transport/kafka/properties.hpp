// Kafka client properties: any librdkafka property by name, checked when it is set.
#pragma once

#include "transport/kafka/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::kafka {

/// Holds librdkafka properties for one client, in their published names.
///
/// A name that the linked librdkafka does not know, or a value it refuses, is an error at
/// set(), not when the client is made.
class Properties {
 public:
  /// Sets one property, over any value it had.
  /// Errors: kInvalid names the property, the value refused (never that of a secret), and the nearest known name.
  [[nodiscard]] Result<void> set(std::string_view name, std::string_view value);

  /// Sets one property from "name=value", as given to -X.
  [[nodiscard]] Result<void> set_pair(std::string_view name_and_value);

  /// Sets one property unless the user has set it. The name must be known; false when this librdkafka does not know it.
  bool set_default(std::string_view name, std::string_view value);

  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const noexcept { return values_; }

  /// True when the property's value must not be shown: passwords, keys, tokens.
  [[nodiscard]] static bool is_secret(std::string_view name) noexcept;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace runfold::kafka
