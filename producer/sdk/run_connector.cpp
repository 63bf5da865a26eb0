// One step after the other, and what their failures mean.
#include "producer/sdk/run_connector.hpp"

#include "producer/sdk/error_text.hpp"
#include "producer/sdk/line.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace runfold {
namespace {

constexpr std::chrono::seconds kClosePatience{5};

// Runs what the connector's author wrote. Gives the text of what it threw; absent: nothing.
template <class Body>
std::optional<std::string> failure_of(Body&& body) {
  try {
    std::forward<Body>(body)();
    return std::nullopt;
  } catch (...) {
    const auto error = std::current_exception();
    if (!error) throw;  // the thread is cancelled, which must not be held up
    return error_text(error);
  }
}

// Gives what the step failed with; absent: it did not.
std::optional<std::string> run_step(Run& run, const ConnectorStep& planned) {
  std::optional<std::string> declared;
  auto thrown = failure_of([&] {
    run.step(planned.step_id, [&](Step& step) {
      const StepOutcome done = planned.body(step);
      if (done.committed) run.stats_committed(*done.committed);
      step.complete(done.entities, done.relationships);
      declared = step.error();
    });
  });
  return thrown ? std::move(thrown) : std::move(declared);
}

void run_steps(Run& run, Connector& connector, SyncOutcome& outcome) {
  std::vector<ConnectorStep> steps;
  if (const auto error = failure_of([&] { steps = connector.steps(); })) {
    outcome.result = v1::RUN_RESULT_FAILURE;
    outcome.error = "The connector could not give its steps: " + *error;
    return;
  }
  for (const auto& planned : steps) {
    const auto error = run_step(run, planned);
    ++(error ? outcome.steps_failed : outcome.steps_completed);
    if (!error || !planned.required) continue;
    outcome.result = v1::RUN_RESULT_FAILURE;
    outcome.error = planned.step_id + ": " + *error;
    return;
  }
}

}  // namespace

SyncOutcome run_connector(Producer& producer, Connector& connector, std::string_view account, std::string_view sync_id,
                          EventSubscriber events) {
  return producer.run({.run_id = std::string(sync_id), .account = std::string(account), .on_event = std::move(events)}, [&](Run& run) {
    SyncOutcome outcome{.run_id = run.run_id()};
    run_steps(run, connector, outcome);
    run.finish({.result = outcome.result, .error = outcome.error});
    return outcome;
  });
}

kafka::Result<SyncOutcome> run_connector(Connector& connector, std::string_view account, std::string_view sync_id, EventSubscriber events) {
  auto settings = Settings::from_environment();
  if (!settings) return settings.error();
  auto producer = Producer::create(std::move(settings).value());
  if (!producer) return producer.error();
  SyncOutcome outcome = run_connector(**producer, connector, account, sync_id, std::move(events));
  const std::string said = "records of run " + outcome.run_id + " are not known to have reached Kafka";
  if (const auto lost = what_was_lost((*producer)->close(kClosePatience), said)) {
    print_line(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, "Runfold: " + *lost);
  }
  return outcome;
}

}  // namespace runfold
