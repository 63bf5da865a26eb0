// What a producer and the agent around it tell Prometheus.
#pragma once

#include "producer/agent/jobs.hpp"
#include "producer/sdk/producer.hpp"

#include <string>

namespace runfold::agent {

/// The metrics page, in Prometheus' text format. Labels are bounded: topics, outcomes, reasons; every reason and end is
/// there from the beginning, at zero. Records are counted when they are settled: acknowledged by Kafka, dropped, or, of debug records, not
/// needed. Those of earlier producers, found in the spool, are counted apart.
[[nodiscard]] std::string agent_metrics(const ProducerReport& report, const Jobs& jobs);

}  // namespace runfold::agent
