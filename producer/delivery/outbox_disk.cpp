// The outbox and the disk: parking, reading back, sending what dead producers left, leaving the rest to the next one.
#include "producer/delivery/outbox.hpp"

#include <utility>

namespace runfold::delivery {

Place Outbox::keep(Parcel& parcel, std::uint64_t token, bool parked) {
  RunAccount& run = *parcel.run;
  if (run.number == 0) run.number = ++run_numbers_;
  return spooling_->keep({.ordinal = 0,
                          .token = token,
                          .run_number = run.number,
                          .channel = parcel.channel,
                          .records = parcel.records,
                          .sequence = parcel.sequence,
                          .time_ns = parcel.time_ns,
                          .names = names_of(run.about),
                          .traceparent = parcel.traceparent,
                          .tracestate = parcel.tracestate,
                          .value = parcel.value},
                         parked);
}

void Outbox::park(Parcel parcel) {
  RunAccount& run = *parcel.run;
  if (run.parked++ == 0) parked_runs_[run.number] = &run;
  spare(std::move(parcel));
}

bool Outbox::read_back() {
  // What waits behind the parked must not keep them out of memory for ever.
  const bool some_before = !waiting_.empty() && waiting_.begin()->first < in_memory_to_;
  if (bytes_ >= options_.in_flight_bytes && some_before) return false;
  const auto stored = spooling_->next_parked();
  count_lost();
  if (!stored) return false;
  RunAccount* run = nullptr;
  if (const auto known = parked_runs_.find(stored->frame.run_number); known != parked_runs_.end()) {
    run = known->second;
    if (--run->parked == 0) parked_runs_.erase(known);
  }
  in_memory_to_ = stored->frame.token + 1;
  wait(stored->frame.token, parcel_of(*stored, run));
  return true;
}

Parcel Outbox::parcel_of(const Spooling::Stored& stored, RunAccount* run) {
  const SpoolFrame& frame = stored.frame;
  Parcel parcel = blank(frame.channel);
  parcel.run = run;
  if (run == nullptr) {
    parcel.stranger = std::make_unique<RunDescription>(RunDescription{.run_id = std::string(frame.names.run_id),
                                                                      .connector_id = std::string(frame.names.connector_id),
                                                                      .attempt = frame.names.attempt,
                                                                      .source_id = std::string(frame.names.source_id)});
  }
  parcel.place = stored.place;
  parcel.records = frame.records;
  parcel.sequence = frame.sequence;
  parcel.time_ns = frame.time_ns;
  parcel.value.assign(frame.value);
  parcel.traceparent.assign(frame.traceparent);
  parcel.tracestate.assign(frame.tracestate);
  return parcel;
}

void Outbox::count_lost() {
  const auto lost = spooling_->take_lost();
  for (const auto channel : kChannels) {
    const auto records = lost[static_cast<std::size_t>(channel)];
    if (records > 0) ledger_.give_up(channel, Drop::kDeliveryTimeout, records);
  }
}

void Outbox::take_over() {
  if (!reached_ || !client_ || broken_) return;
  // Half the memory stays free for our own.
  while (next_ == end_ && !has_parked() && bytes_ < options_.in_flight_bytes / 2) {
    const auto stored = spooling_->next_inherited();
    if (!stored) return;
    hand_over(wait(end_++, parcel_of(*stored, nullptr)));
  }
}

void Outbox::settle_inherited(const Parcel& parcel, const kafka::Error* error) {
  if (error != nullptr) tell(*error);
  // Another producer may have the rights that this one lacks.
  if (error != nullptr && error->code == kafka::Errc::kUnauthorised) return spooling_->put_back(parcel.place);
  auto& count = error == nullptr ? ledger_.taken_over : ledger_.inherited_lost;
  count.fetch_add(parcel.records, std::memory_order_relaxed);
  spooling_->settle(parcel.place);
}

void Outbox::leave_on_disk() {
  std::uint64_t kept = 0;
  for (const auto records : spooling_->parked_records()) kept += records;
  std::erase_if(waiting_, [&](const auto& waiting) {
    const Parcel& parcel = waiting.second;
    if (parcel.place.spool == nullptr) return false;
    if (!spooling_->is_inherited(parcel.place)) kept += parcel.records;
    if (parcel.run != nullptr) --parcel.run->in_flight;
    return true;
  });
  ledger_.kept.fetch_add(kept, std::memory_order_release);
}

}  // namespace runfold::delivery
