// run_connector: runs a connector's steps in order, and tells of it.
#pragma once

#include "producer/sdk/producer.hpp"
#include "runfold/v1/stats.pb.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold {

/// What a step did. Absent is unknown, not zero.
struct StepOutcome {
  /// What it emitted, for StepCompleted.
  std::optional<std::uint64_t> entities = {};
  std::optional<std::uint64_t> relationships = {};
  /// What its commit changed: becomes a StatsCommitted, before the step's end.
  std::optional<v1::SyncStats> committed = {};
};

/// One step as its connector gives it.
struct ConnectorStep {
  std::string step_id;
  /// Does the work, in the step's context. Fails by throwing, or by failing the Step itself.
  std::function<StepOutcome(Step&)> body;
  /// Its failure ends the run, which has then failed too. Otherwise the next step goes on.
  bool required = false;
};

/// What moves data from one system to another, in steps.
class Connector {
 public:
  virtual ~Connector() = default;
  /// Asked once a run, after Started. What the steps share lives in the connector.
  [[nodiscard]] virtual std::vector<ConnectorStep> steps() = 0;
};

/// How a run of a connector ended.
struct SyncOutcome {
  std::string run_id = {};
  /// RUN_RESULT_SUCCESS also when steps failed that were not required.
  v1::RunResult result = v1::RUN_RESULT_SUCCESS;
  /// Why it is not a success: "upload: connection reset".
  std::string error = {};
  std::uint64_t steps_completed = 0;
  std::uint64_t steps_failed = 0;
};

/// Runs a connector: emits Started, for each step in order StepStarted and StepCompleted or StepFailed, and Completed.
///
/// `sync_id` is the run's id (empty: RUNFOLD_RUN_ID, or else a new one); `events` is told of all events, whether there is a
/// Kafka or not (see RunOptions::on_event). What the connector throws ends up in the events and the outcome, and goes no
/// further.
/// Thread: the steps run on the caller's.
SyncOutcome run_connector(Producer& producer, Connector& connector, std::string_view account, std::string_view sync_id = {},
                          EventSubscriber events = {});

/// The same with a producer of its own, from the environment (see Settings::from_environment). Waits up to 5 s at the end for
/// Kafka to confirm; one WARN line on stderr says what it did not.
/// Errors: kInvalid, for an environment that can never work, before anything has run.
[[nodiscard]] kafka::Result<SyncOutcome> run_connector(Connector& connector, std::string_view account, std::string_view sync_id = {},
                                                       EventSubscriber events = {});

}  // namespace runfold
