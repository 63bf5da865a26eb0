// What must hold after every commit: fences, offsets, revisions, results, dead letters and the outbox.
#include "tests/simulation/store.hpp"
#include "tests/simulation/time.hpp"

namespace runfold::simulation {
namespace {

std::string name(const collector::RunKey& key) {
  return "run " + key.run_id + ", attempt " + std::to_string(key.attempt);
}

}  // namespace

void Witness::claimed(int collector, const std::vector<collector::Claim>& claims) {
  for (const auto& claim : claims) {
    owners_[{claim.topic, claim.partition}] = collector;
    if (claim.next_offset != offset({claim.topic, claim.partition}) && broken_.empty()) {
      broken_ = "a claim of " + claim.topic + "/" + std::to_string(claim.partition) + " goes on at " +
                std::to_string(claim.next_offset.value_or(-1)) + ", committed was " +
                std::to_string(offset({claim.topic, claim.partition}).value_or(-1));
    }
  }
}

std::optional<std::int64_t> Witness::offset(const At& at) const {
  const auto found = offsets_.find(at);
  return found == offsets_.end() ? std::nullopt : std::optional(found->second);
}

void Witness::committed(int collector, const collector::Batch& batch, std::int64_t decided_after_ns) {
  ++commits_;
  trace_("  store: collector ", collector, " committed ", batch.runs.size(), " runs, ", batch.run_logs.size(), " run_logs, ",
         batch.outbox.size(), " outbox rows, ", batch.partitions.size(), " offsets");
  try {
    for (const auto& row : batch.partitions) check_partition(collector, row);
    for (const auto& row : batch.runs) check_run(row, decided_after_ns);
    for (const auto& row : batch.run_logs) check_logs(row, batch);
    for (const auto& row : batch.outbox) check_outbox(row);
  } catch (const Failure& failure) {
    if (broken_.empty()) broken_ = failure.what();  // Thrown here, the collector would take it for trouble of its own.
  }
}

void Witness::check_partition(int collector, const collector::PartitionRow& row) {
  const std::string at = row.topic + "/" + std::to_string(row.partition);
  if (const auto owner = owners_.find({row.topic, row.partition}); owner == owners_.end() || owner->second != collector) {
    throw Failure("collector " + std::to_string(collector) + " wrote " + at + ", which another has claimed");
  }
  const std::int64_t before = offset({row.topic, row.partition}).value_or(0);
  const std::int64_t next = row.next_offset.value_or(before);
  if (next < before) {
    throw Failure("the offset of " + at + " went back from " + std::to_string(before) + " to " + std::to_string(next));
  }
  const Log& log = kafka_.logs().at({row.topic, row.partition});
  for (std::int64_t offset = before; offset < next; ++offset) {
    if (!std::holds_alternative<Poison>(log.entries[static_cast<std::size_t>(offset)].sent->meaning)) continue;
    if (!kafka_.dead_letters.contains({row.topic, std::to_string(row.partition), std::to_string(offset)})) {
      throw Failure("the poison at " + at + "@" + std::to_string(offset) + " was passed by, and is not in the dead letters");
    }
  }
  if (row.next_offset) offsets_[{row.topic, row.partition}] = next;
}

void Witness::check_run(const collector::RunRow& row, std::int64_t decided_after_ns) {
  v1::Run run;
  if (!run.ParseFromString(row.snapshot)) throw Failure("the snapshot of " + name(row.key) + " cannot be read");
  v1::Run& before = runs_[row.key];
  if (run.revision() < before.revision()) {
    throw Failure(name(row.key) + ": the revision went back from " + std::to_string(before.revision()) + " to " +
                  std::to_string(run.revision()));
  }
  if (before.status() == v1::RUN_STATUS_FINISHED && before.result_source() == v1::RESULT_SOURCE_DECLARED &&
      (run.status() != v1::RUN_STATUS_FINISHED || run.result_source() != v1::RESULT_SOURCE_DECLARED)) {
    throw Failure(name(row.key) + ": a declared result gave way to what is not declared");
  }
  check_end(row.key, before, run, decided_after_ns);
  before = std::move(run);
}

void Witness::check_outbox(const collector::OutboxRow& row) {
  const auto [at, fresh] = outbox_.emplace(std::pair(row.sink, row.idempotency_key), row.payload);
  if (!fresh) {
    if (at->second != row.payload) throw Failure("two different records for a sink share the key " + row.idempotency_key);
    return;
  }
  if (row.kind == sinks::Kind::kApiFailure) {
    published_failures_.insert(row.idempotency_key);
    return;
  }
  v1::Run run;
  if (!run.ParseFromString(row.payload)) throw Failure("what is published of run " + row.run_id + " cannot be read");
  auto& revisions = published_[{run.run_id(), run.attempt()}];
  if (!revisions.empty() && revisions.back() >= run.revision()) {
    throw Failure("run " + run.run_id() + " was published with revision " + std::to_string(revisions.back()) + " and then " +
                  std::to_string(run.revision()));
  }
  revisions.push_back(run.revision());
}

}  // namespace runfold::simulation
