// A run's constant bytes, and its totals.
#include "producer/delivery/run_account.hpp"

#include "producer/delivery/wire.hpp"
#include "runfold/v1/log.pb.h"

#include <utility>

namespace runfold::delivery {
namespace {

std::string field(int number, const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  std::string out;
  wire::append_bytes_head(out, number, bytes.size());
  return out + bytes;
}

std::string trace_of(const RunDescription& about, int field_number) {
  if (about.traceparent.empty()) return {};
  v1::TraceContext trace;
  trace.set_traceparent(about.traceparent);
  trace.set_tracestate(about.tracestate);
  return field(field_number, trace);
}

}  // namespace

v1::RunIdentity identity_of(const RunDescription& about) {
  v1::RunIdentity identity;
  identity.set_run_id(about.run_id);
  identity.set_connector_id(about.connector_id);
  identity.set_version(about.version);
  identity.set_site(about.site);
  identity.set_attempt(about.attempt);
  identity.set_source_id(about.source_id);
  return identity;
}

static_assert(v1::SyncEvent::kIdentityFieldNumber == 1 && v1::LogBatch::kIdentityFieldNumber == 1);
RunAccount::RunAccount(RunDescription description)
    : about(std::move(description)),
      identity_field(field(1, identity_of(about))),
      event_trace_field(trace_of(about, v1::SyncEvent::kTraceFieldNumber)),
      batch_trace_field(trace_of(about, v1::LogBatch::kTraceFieldNumber)) {}

v1::TopicTotals RunAccount::totals(Channel channel) {
  v1::TopicTotals out;
  out.set_topic(channel == Channel::kEvents ? v1::TOPIC_EVENTS : v1::TOPIC_LOGS);
  std::uint64_t emitted = last_sequence(channel);
  for (const auto reason : kDrops) {
    if (reason == Drop::kLate) continue;
    // Read once: emitting threads may be refused while this is written, and emitted must hold what drops say.
    const auto never_numbered = refused.at(channel, reason).load(std::memory_order_relaxed);
    emitted += never_numbered;
    const auto records = never_numbered + given_up.at(channel, reason);
    if (records == 0) continue;
    auto& drop = *out.add_drops();
    drop.set_reason(static_cast<v1::DropReason>(reason));
    drop.set_records(records);
  }
  out.set_emitted(emitted);
  out.set_last_sequence(last_sequence(channel));
  return out;
}

}  // namespace runfold::delivery
