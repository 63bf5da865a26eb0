// What a producer needs to know, and where it comes from.
#pragma once

#include "producer/redact/redactor.hpp"
#include "producer/sdk/site_limits.hpp"
#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

/// What becomes of a run's debug records.
enum class DebugRecords : std::uint8_t {
  kAlways,   ///< Sent as they come.
  kOnError,  ///< Held back by the run's flight recorder; sent, with their own times, before an error follows or the run fails.
  kNever,    ///< Not sent.
};
/// By its name: always, on-error, never. Absent: there is none of that name.
[[nodiscard]] std::optional<DebugRecords> debug_records_named(std::string_view name) noexcept;

/// Settings of a Producer. The defaults are good; only connector_id has none.
struct Settings {
  /// Where Kafka is and how to speak to it. Without bootstrap.servers the producer is off: every call is a cheap
  /// no-op, so that a connector runs unchanged where there is no Runfold. Under runfold exec or agent the end of the run that it is
  /// in is handed over all the same.
  kafka::Properties kafka;
  kafka::TopicNames topics;

  std::string connector_id;
  std::string version;
  std::string site;

  /// Bound on what waits to be handed to Kafka. When full, the least important goes first: debug before info before error; events last.
  std::size_t queue_bytes = 8 * 1024 * 1024;
  /// A log batch is sent when it is this old, ...
  std::chrono::milliseconds batch_age{100};
  /// ... or this large.
  std::size_t batch_bytes = 64 * 1024;
  /// A larger record is cut (message, detail) and marked as truncated. At most an eighth of queue_bytes counts.
  std::size_t record_bytes = 256 * 1024;
  /// How much of debug, info and notice one call site of a Logger may log for a run: more goes to stderr alone, and is counted
  /// as rate_limited. See Logger.
  SiteRate site_rate;
  /// Debug records of a run that went well are not sent, and counted as not_needed, which is no loss. Those of a run that is only
  /// joined (see RunOptions) are sent as they come, unless never: how it ends is not known here.
  DebugRecords debug_records = DebugRecords::kOnError;
  /// What one run's flight recorder holds in memory: of more, the latest. All runs together: at most a quarter of queue_bytes.
  std::size_t flight_recorder_bytes = 64 * 1024;
  /// A folder where records are kept until Kafka has confirmed them, so that an outage of Kafka or the end of this process costs
  /// none; the next producer with this folder sends what one has left. Any number of producers may share it. Empty: memory alone.
  /// Log batches leave after 25 ms at the latest then, and message.timeout.ms is 0 (for ever) unless it is set.
  std::string spool_folder;
  /// Bound on all that lies in it. At least queue_bytes. When full, records are dropped as spool_full, in the order said above.
  std::uint64_t spool_bytes = 256 * 1024 * 1024;
  /// How often a run with nothing else to say sends a Heartbeat. 0: never.
  std::chrono::milliseconds heartbeat_interval{10'000};

  /// Replaces secrets in all that runs say, before it is kept or sent. Register yours with redactor->add(), at any time; make
  /// another one for names of your own. Copies of these settings share it. A subscriber in this process hears all in clear. Not null.
  std::shared_ptr<redact::Redactor> redactor = std::make_shared<redact::Redactor>();

  /// Told of trouble with Kafka, from the delivery thread. Empty: one WARN line on stderr at once, and the next of its kind
  /// at a growing interval.
  std::function<void(const kafka::Error&)> on_trouble;
  /// Told of trouble with the spool, likewise. Empty: one WARN line on stderr.
  std::function<void(const std::string&)> on_spool_trouble;

  /// Reads RUNFOLD_KAFKA_CONFIG (a file of Kafka properties), RUNFOLD_BOOTSTRAP_SERVERS (unless the file names them), RUNFOLD_CONNECTOR,
  /// RUNFOLD_VERSION, RUNFOLD_SITE, RUNFOLD_SPOOL_DIR, RUNFOLD_DEBUG (a name of DebugRecords).
  /// Errors: kInvalid names the variable and what is wrong with it, for example the file's line, or that RUNFOLD_CONNECTOR is
  /// missing while a Kafka is named.
  [[nodiscard]] static kafka::Result<Settings> from_environment();
};

}  // namespace runfold
