// Keeps the table of partitions and decides about pausing.
#include "collector/consume.hpp"

#include <algorithm>

namespace runfold::collector {

Partition* Partitions::find(std::string_view topic, std::int32_t partition) noexcept {
  for (Partition& candidate : partitions_) {
    if (candidate.at.partition == partition && candidate.at.topic == topic) return &candidate;
  }
  return nullptr;
}

void Partitions::add(const kafka::TopicPartition& at) {
  Partition& added = partitions_.emplace_back();
  added.at = at;
  added.source = at.topic == names_.events ? Source::kEvents : at.topic == names_.logs ? Source::kLogs : Source::kOperations;
}

void Partitions::claimed(const Claim& claim, std::chrono::steady_clock::time_point now) {
  Partition* partition = find(claim.topic, claim.partition);
  if (partition == nullptr) return;  // Taken away while the claim was under way.
  partition->epoch = claim.epoch;
  partition->next_offset = claim.next_offset;
  partition->empty_until = 0;
  partition->last = claim.last;
  partition->clock = {claim.clock_ns, claim.covered_until_ns};
  partition->clock_in_store_ns = claim.clock_ns;
  partition->state = Partition::State::kReading;
  partition->doubt.reset();
  if (partition->last && partition->next_offset.value_or(0) > 0) partition->doubt = Doubt{now};
}

std::optional<std::int64_t> Partitions::start_of(const Partition& partition) noexcept {
  if (!partition.doubt || !partition.last) return partition.next_offset;
  return *partition.next_offset - 1;
}

bool Partitions::any_unclaimed() const noexcept {
  return std::ranges::any_of(partitions_, [](const Partition& partition) { return partition.state == Partition::State::kUnclaimed; });
}

std::vector<std::pair<std::string, std::int32_t>> Partitions::unclaimed() const {
  std::vector<std::pair<std::string, std::int32_t>> names;
  for (const Partition& partition : partitions_) {
    if (partition.state == Partition::State::kUnclaimed) names.emplace_back(partition.at.topic, partition.at.partition);
  }
  return names;
}

std::vector<PartitionRow> Partitions::take_changed() {
  std::vector<PartitionRow> rows;
  for (Partition& partition : partitions_) {
    if (!partition.changed) continue;
    partition.changed = false;
    partition.clock_in_store_ns = partition.clock.clock_ns;
    rows.push_back({partition.at.topic, partition.at.partition, partition.next_offset, partition.epoch, partition.last,
                    partition.clock.clock_ns, partition.clock.covered_until_ns});
  }
  return rows;
}

bool Pausing::wanted(Hold hold, Clock::time_point now) noexcept {
  if (hold == Hold::kNone) {
    sitting_out_until_.reset();
    sat_out_ = false;
    return false;
  }
  if (hold == Hold::kTrouble || sat_out_) {
    sitting_out_until_.reset();
    return true;
  }
  if (!sitting_out_until_) sitting_out_until_ = now + kSitOut;
  sat_out_ = now >= *sitting_out_until_;
  if (sat_out_) sitting_out_until_.reset();
  return sat_out_;
}

}  // namespace runfold::collector
