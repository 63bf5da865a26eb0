// Adds up what folding finds, connector by connector and topic by topic.
#pragma once

#include "collector/counts.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::collector {

/// The Counts of the batch being folded. Remembers the last connector and topic asked for, since records come in runs of them.
class Tally {
 public:
  /// A connector that gave no name is counted as "unknown".
  [[nodiscard]] ConnectorCounts& connector(std::string_view connector_id) {
    return find(counts_.connectors, connector_id.empty() ? "unknown" : connector_id, connector_);
  }
  [[nodiscard]] TopicCounts& topic(std::string_view name) { return find(counts_.topics, name, topic_); }

  void emitted(std::int64_t at_ns) noexcept {
    if (at_ns > 0 && (counts_.oldest_emitted_ns == 0 || at_ns < counts_.oldest_emitted_ns)) counts_.oldest_emitted_ns = at_ns;
  }

  [[nodiscard]] Counts take() {
    connector_ = nullptr;
    topic_ = nullptr;
    return std::exchange(counts_, {});
  }

 private:
  template <class Map>
  static typename Map::mapped_type& find(Map& map, std::string_view name, typename Map::value_type*& last) {
    if (last == nullptr || last->first != name) {
      auto at = map.find(name);
      if (at == map.end()) at = map.emplace(std::string(name), typename Map::mapped_type{}).first;
      last = &*at;
    }
    return last->second;
  }

  Counts counts_;
  std::pair<const std::string, ConnectorCounts>* connector_ = nullptr;
  std::pair<const std::string, TopicCounts>* topic_ = nullptr;
};

}  // namespace runfold::collector
