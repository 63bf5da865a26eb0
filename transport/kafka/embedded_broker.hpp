// A broker in this process, for a first look with no Kafka: in memory, on loopback, gone with the process.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runfold::kafka {

/// Owns librdkafka's mock cluster. Other processes on this host can connect to it. A consumer's first join takes about 3 s.
///
/// Keeps at most 5 MiB or 100,000 batches a partition. Not for data one wants to keep.
class EmbeddedBroker {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedBroker>> start(const std::vector<TopicPolicy>& topics);
  virtual ~EmbeddedBroker() = default;

  /// host:port of the broker, as for bootstrap.servers.
  [[nodiscard]] virtual std::string bootstrap_servers() const = 0;
};

/// Gives clients of an embedded broker the properties they need, unless the user has set them.
///
/// Its idle fetch is not woken by new data as a real broker's is: a record is seen only when the fetch ends. So
/// fetch.wait.max.ms, half a second by default, is 50 ms here. Every consumer of an embedded broker should be given this.
void tune_for_embedded_broker(Properties& properties);

/// Where a process with an embedded broker writes its address, so that commands of the same user find it:
/// $RUNFOLD_STATE_DIR, else $XDG_STATE_HOME/runfold, else ~/.local/state/runfold; file "embedded-broker".
[[nodiscard]] std::filesystem::path embedded_address_file();

/// What the file says: where the broker is and where the collector that owns it serves HTTP.
struct EmbeddedAddress {
  std::string bootstrap_servers;
  std::string collector_url;
  /// The OS process that owns it.
  int os_pid = 0;
};

/// Writes the file whole or not at all; only its user can read it.
[[nodiscard]] Result<void> write_embedded_address(const EmbeddedAddress& address);
/// Reads the file; absent when there is none or its process no longer lives.
[[nodiscard]] std::optional<EmbeddedAddress> read_embedded_address();
/// Removes the file if it is this process's own.
void remove_embedded_address() noexcept;

}  // namespace runfold::kafka
