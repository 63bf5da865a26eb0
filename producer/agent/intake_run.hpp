// What the intake takes for one run, and the two routes by which it comes.
#pragma once

#include "producer/agent/json_body.hpp"
#include "producer/agent/sink.hpp"
#include "runfold/v1/event.pb.h"
#include "transport/http/router.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <variant>

namespace runfold::agent {

/// One run, as the intake fills it.
///
/// A body is taken whole or not at all: one bad record in an array refuses the array, by its index. A Started is taken and
/// not emitted: the run has started. A Completed is not emitted either, but handed to `complete` when all else of its body
/// has been: the last one counts.
/// Thread: one.
class IntakeRun {
 public:
  using Complete = std::function<bool(v1::SyncEvent)>;
  IntakeRun(std::string run_id, RunSink sink, Complete complete);

  [[nodiscard]] http::Response take_logs(const http::Request& request);
  [[nodiscard]] http::Response take_events(const http::Request& request);

  /// The step under way, when exactly one is.
  [[nodiscard]] std::string open_step() const { return open_steps_.size() == 1 ? *open_steps_.begin() : std::string(); }

 private:
  bool take(v1::SyncEvent event);

  std::string run_id_;
  RunSink sink_;
  Complete complete_;
  std::set<std::string> open_steps_;
};

/// The run that a request's token stands for, or the response that refuses it. Asked with the head alone, too.
using FoundRun = std::variant<std::shared_ptr<IntakeRun>, http::Response>;
using FindRun = std::function<FoundRun(const http::Request&)>;

/// Adds POST /v1/job/log and POST /v1/events.
void add_intake_routes(http::Router& router, const FindRun& find);

/// The 400 for a body that is not what it should be.
[[nodiscard]] http::Response bad_request(const BadInput& bad);

}  // namespace runfold::agent
