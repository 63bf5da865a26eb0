// Compares what Kafka has with what was taken.
#include "collector/pipeline_place.hpp"

namespace runfold::collector {
namespace {

Place lost(Loss::Reason reason, std::optional<std::int64_t> to_offset, std::string evidence) {
  return {Place::Kind::kLost, Loss{reason, to_offset, std::move(evidence)}};
}

}  // namespace

std::string_view word_of(Loss::Reason reason) noexcept {
  return reason == Loss::Reason::kRetention ? "retention" : "recreated";
}

Place judge(const Partition& partition, const kafka::InRecord& record) {
  if (!partition.doubt->recreated.empty()) return {};
  const std::int64_t next = *partition.next_offset;
  if (record.offset == next - 1 && partition.last) {
    if (*partition.last == last_record(record)) return {Place::Kind::kConfirmed};
    return lost(Loss::Reason::kRecreated, std::nullopt,
                "another record stands at offset " + std::to_string(next - 1) + " than was read there");
  }
  if (record.offset < next) {
    return lost(Loss::Reason::kRecreated, std::nullopt, "Kafka has older records there, but not that one");
  }
  // Without Kafka's word that the offset is gone, a gap is no loss: compaction and transactions leave them.
  if (record.offset == next || !partition.doubt->out_of_range) return {Place::Kind::kConfirmed};
  return lost(Loss::Reason::kRetention, record.offset, "the oldest there is has offset " + std::to_string(record.offset));
}

Place judge(const Partition& partition, const kafka::Watermarks& marks) {
  const std::int64_t next = *partition.next_offset;
  if (!partition.doubt->recreated.empty()) return lost(Loss::Reason::kRecreated, marks.low, partition.doubt->recreated);
  if (next > marks.high) {
    return lost(Loss::Reason::kRecreated, marks.low, "the partition ends at offset " + std::to_string(marks.high));
  }
  if (!partition.doubt->out_of_range) return {};  // Its last record is still to come, or is compacted away.
  if (next < marks.low) {
    return lost(Loss::Reason::kRetention, marks.low, "the oldest there is has offset " + std::to_string(marks.low));
  }
  return {Place::Kind::kThereAgain};
}

}  // namespace runfold::collector
