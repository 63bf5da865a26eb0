// What becomes of partitions that Kafka no longer has as they were: looked into, then stopped, or counted as lost and gone on with.
#include "collector/pipeline_impl.hpp"
#include "collector/pipeline_place.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

/// How long the record itself, or another of after it, may take to come.
constexpr std::chrono::seconds kRecordsTell{2};
/// More are counted, not named: a line is to be read.
constexpr std::size_t kMostNamed = 10;

constexpr std::string_view kWhatToDo =
    "to go on with what there is, restart once with --on-data-loss continue: what is lost is recorded then, see GET /api/v1/losses";

std::string name_of(const Partition& partition) {
  return "partition " + std::to_string(partition.at.partition) + " of " + partition.at.topic;
}

TimeNs now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Absent: nobody knows.
std::optional<std::uint64_t> records_in(const Loss& loss, std::int64_t from_offset) {
  if (loss.reason == Loss::Reason::kRecreated) return std::nullopt;
  return static_cast<std::uint64_t>(*loss.to_offset - from_offset);
}

std::string describe(const Partition& partition, const Loss& loss) {
  const std::int64_t next = *partition.next_offset;
  const std::string offset = "offset " + std::to_string(next) + " is next, and " + loss.evidence;
  if (const auto records = records_in(loss, next)) {
    return "Kafka deleted up to " + std::to_string(*records) + " records of it before they were read: " + offset +
           "; lengthen the topic's retention";
  }
  return "its topic was deleted and made anew, or lost its end: " + offset;
}

}  // namespace

void PipelineImpl::on_out_of_range(const kafka::Error& error, const kafka::TopicPartition& at, Clock::time_point now) {
  Partition* partition = partitions_.find(at.topic, at.partition);
  if (partition == nullptr || partition->state != Partition::State::kReading) return;  // The claim decides, or it is said already.
  if (!partition->next_offset) {
    // Nothing of it was ever taken, so wherever the consumer goes on is right.
    if (hiccup_mention_.due(now)) log_(4, error.message);
    return;
  }
  if (!partition->doubt) partition->doubt = Doubt{now};
  if (partition->doubt->out_of_range) return;
  partition->doubt->since = now;
  partition->doubt->out_of_range = true;
  partition->empty_until = 0;
}

bool PipelineImpl::judge_by_record(Partition& partition, const kafka::InRecord& record) {
  Place place = judge(partition, record);
  switch (place.kind) {
    case Place::Kind::kConfirmed:
      partition.doubt.reset();
      return true;
    case Place::Kind::kLost:
      lose(partition, *place.loss, Clock::now());
      return partition.state == Partition::State::kReading && !partition.doubt;
    case Place::Kind::kUnknown:
    case Place::Kind::kThereAgain:
      break;
  }
  return false;
}

void PipelineImpl::judge_by_watermarks(Clock::time_point now) {
  if (!inbox_.empty()) return;  // Records of it may wait there.
  for (Partition& partition : partitions_.all()) {
    if (!partition.doubt || partition.state != Partition::State::kReading || now < partition.doubt->since + kRecordsTell) continue;
    const auto marks = consumer_->watermarks(partition.at);
    if (!marks || marks->asked_at <= partition.doubt->since) continue;  // Kafka has not answered since: they tell of before.
    const Place place = judge(partition, *marks);
    if (place.kind == Place::Kind::kThereAgain) {
      // Its last record may be there again too; when it is not, this is the oldest one.
      if (partition.last && *partition.next_offset > marks->low) {
        partition.doubt = Doubt{now};
      } else {
        partition.doubt.reset();
      }
      move(partition, now);
    } else if (place.kind == Place::Kind::kLost) {
      lose(partition, *place.loss, now);
      if (partition.state == Partition::State::kReading) move(partition, now);
    }
  }
}

void PipelineImpl::move(Partition& partition, Clock::time_point now) {
  partition.empty_until = 0;
  const kafka::StartOffset to{partition.at, Partitions::start_of(partition)};
  const auto moved = consumer_->seek({&to, 1});
  if (moved) return;
  // Looked into again later, as though Kafka had said anew that it does not have the offset.
  if (!partition.doubt) partition.doubt = Doubt{now};
  partition.doubt->since = now;
  partition.doubt->out_of_range = true;
  if (hiccup_mention_.due(now)) log_(4, moved.error().message);
}

void PipelineImpl::lose(Partition& partition, const Loss& loss, Clock::time_point now) {
  if (!options_.continue_on_data_loss) {
    stop(partition, loss, now);
    return;
  }
  if (!loss.to_offset) {
    // Where the new topic begins is for the watermarks to say.
    partition.doubt = Doubt{now, false, loss.evidence};
    return;
  }
  const std::int64_t from = *partition.next_offset;
  log_(2, name_of(partition) + " has lost records: " + describe(partition, loss) + "; it goes on at offset " +
              std::to_string(*loss.to_offset));
  losses_.push_back({partition.at.topic, partition.at.partition, from, *loss.to_offset, records_in(loss, from),
                     std::string(word_of(loss.reason)), now_ns()});
  partition.next_offset = loss.to_offset;
  partition.empty_until = 0;
  partition.last.reset();
  partition.doubt.reset();
  partition.changed = true;
  if (!changed_since_) changed_since_ = now;
}

void PipelineImpl::stop(Partition& partition, const Loss& loss, Clock::time_point now) {
  partition.state = Partition::State::kStopped;
  partition.doubt.reset();
  partition.stopped = name_of(partition) + " is stopped: " + describe(partition, loss);
  consumer_->leave_alone(partition.at);
  log_(2, partition.stopped + "; " + std::string(kWhatToDo));
  stopped_mention_.reset();
  static_cast<void>(stopped_mention_.due(now));  // It has just been said; all of them, again, after a while.
  say_stopped();
}

std::string PipelineImpl::stopped_partitions() {
  std::string named;
  std::size_t count = 0;
  for (const Partition& partition : partitions_.all()) {
    if (partition.state != Partition::State::kStopped) continue;
    if (++count <= kMostNamed) named += (named.empty() ? "" : "; ") + partition.stopped;
  }
  if (count > kMostNamed) named += "; and " + std::to_string(count - kMostNamed) + " more";
  return named.empty() ? named : named + "; " + std::string(kWhatToDo);
}

void PipelineImpl::say_stopped() {
  const auto count = std::ranges::count(partitions_.all(), Partition::State::kStopped, &Partition::state);
  observer_.partitions_stopped(static_cast<std::size_t>(count));
  if (count == 0) {
    stopped_mention_.reset();
    health_.ready("partition");
  } else {
    health_.not_ready("partition", stopped_partitions());
  }
}

void PipelineImpl::remember_stopped() {
  remembered_since_ = Clock::time_point::max();
  for (const Partition& partition : partitions_.all()) {
    if (partition.state == Partition::State::kStopped) remembered_.insert(partition.at);
  }
  if (stopping_) remembered_.clear();
}

void PipelineImpl::look_at_remembered(Clock::time_point now) {
  if (remembered_since_ == Clock::time_point::max()) return;
  std::erase_if(remembered_, [&](const kafka::TopicPartition& at) {
    const Partition* partition = partitions_.find(at.topic, at.partition);
    if (partition == nullptr || partition->state == Partition::State::kStopped) return true;
    return partition->state == Partition::State::kReading && !partition->doubt && now >= remembered_since_ + kRecordsTell;
  });
  if (remembered_.empty()) say_stopped();
}

void PipelineImpl::count_losses(Counts& counts) const {
  for (const LossRow& loss : losses_) {
    TopicCounts& of_topic = counts.topics[loss.topic];
    of_topic.lost += loss.records.value_or(0);
    ++(loss.reason == word_of(Loss::Reason::kRetention) ? of_topic.retention_losses : of_topic.recreations);
  }
}

}  // namespace runfold::collector
