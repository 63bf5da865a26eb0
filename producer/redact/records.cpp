// Replaces the secrets of a whole record, field by field.
#include "producer/redact/records.hpp"

#include <google/protobuf/message.h>

#include <string>
#include <utility>

namespace runfold::redact {
namespace {

void replace(const Redactor& redactor, std::string& text) {
  if (auto clean = redactor.replaced(text)) text = std::move(*clean);
}

template <class... Texts>
bool finds_in_any(const Redactor& redactor, const Texts&... texts) {
  return (redactor.finds_in(texts) || ...);
}

/// Whether a response body that is cut off ends in what may be the beginning of a secret.
bool ends_early(const Redactor& redactor, const v1::ApiCall& call) {
  return call.response_body_truncated() && redactor.whole_until(call.response_body()) < call.response_body().size();
}

bool finds_in_call(const Redactor& redactor, const v1::ApiCall& call) {
  return finds_in_any(redactor, call.method(), call.request_uri(), call.response_body(), call.transport_error()) ||
         ends_early(redactor, call);
}

bool finds_in_trace(const Redactor& redactor, const v1::TraceContext& trace) {
  return redactor.holds_registered(trace.traceparent()) || redactor.holds_registered(trace.tracestate());
}

/// Looked up once a type: it takes longer than all the rest.
template <class Message>
bool has_unknown_itself(const Message& message) {
  static const google::protobuf::Reflection& reflection = *Message::default_instance().GetReflection();
  return !reflection.GetUnknownFields(message).empty();
}
template <class... Messages>
bool any_has_unknown(const Messages&... messages) {
  return (has_unknown_itself(messages) || ...);
}

bool has_unknown(const v1::LogRecord& record) {
  if (any_has_unknown(record, record.logged_at())) return true;
  return record.has_api_call() && any_has_unknown(record.api_call(), record.api_call().duration());
}

bool totals_have_unknown(const v1::Completed& completed) {
  for (const auto& totals : completed.totals()) {
    if (any_has_unknown(totals)) return true;
    for (const auto& drop : totals.drops()) {
      if (any_has_unknown(drop)) return true;
    }
  }
  return false;
}

bool has_unknown(const v1::SyncEvent& event) {
  if (any_has_unknown(event, event.identity(), event.occurred_at(), event.trace())) return true;
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      return any_has_unknown(event.started(), event.started().heartbeat_interval());
    case v1::SyncEvent::kStepStarted:
      return any_has_unknown(event.step_started());
    case v1::SyncEvent::kStepCompleted:
      return any_has_unknown(event.step_completed(), event.step_completed().duration());
    case v1::SyncEvent::kStepFailed:
      return any_has_unknown(event.step_failed(), event.step_failed().duration());
    case v1::SyncEvent::kCompleted:
      return any_has_unknown(event.completed(), event.completed().duration()) || totals_have_unknown(event.completed());
    case v1::SyncEvent::kProgress:
      return any_has_unknown(event.progress());
    case v1::SyncEvent::kHeartbeat:
      return any_has_unknown(event.heartbeat());
    case v1::SyncEvent::kStatsCommitted:
      return any_has_unknown(event.stats_committed(), event.stats_committed().stats());
    case v1::SyncEvent::EVENT_NOT_SET:
      break;
  }
  return false;
}

// Two lists of an event's texts, the first so that the common case copies nothing. A test fills in every text there is.
bool finds_in_event(const Redactor& redactor, const v1::SyncEvent& event) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      return finds_in_any(redactor, event.started().host(), event.started().account());
    case v1::SyncEvent::kStepStarted:
      return redactor.finds_in(event.step_started().step_id());
    case v1::SyncEvent::kStepCompleted:
      return redactor.finds_in(event.step_completed().step_id());
    case v1::SyncEvent::kStepFailed:
      return finds_in_any(redactor, event.step_failed().step_id(), event.step_failed().error());
    case v1::SyncEvent::kCompleted:
      return redactor.finds_in(event.completed().error());
    case v1::SyncEvent::kProgress:
      return finds_in_any(redactor, event.progress().step_id(), event.progress().message());
    case v1::SyncEvent::kHeartbeat:
    case v1::SyncEvent::kStatsCommitted:
    case v1::SyncEvent::EVENT_NOT_SET:
      break;
  }
  return false;
}

void replace_in_event(const Redactor& redactor, v1::SyncEvent& event) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      replace(redactor, *event.mutable_started()->mutable_host());
      replace(redactor, *event.mutable_started()->mutable_account());
      break;
    case v1::SyncEvent::kStepStarted:
      replace(redactor, *event.mutable_step_started()->mutable_step_id());
      break;
    case v1::SyncEvent::kStepCompleted:
      replace(redactor, *event.mutable_step_completed()->mutable_step_id());
      break;
    case v1::SyncEvent::kStepFailed:
      replace(redactor, *event.mutable_step_failed()->mutable_step_id());
      replace(redactor, *event.mutable_step_failed()->mutable_error());
      break;
    case v1::SyncEvent::kCompleted:
      replace(redactor, *event.mutable_completed()->mutable_error());
      break;
    case v1::SyncEvent::kProgress:
      replace(redactor, *event.mutable_progress()->mutable_step_id());
      replace(redactor, *event.mutable_progress()->mutable_message());
      break;
    case v1::SyncEvent::kHeartbeat:
    case v1::SyncEvent::kStatsCommitted:
    case v1::SyncEvent::EVENT_NOT_SET:
      break;
  }
}

}  // namespace

void prepare() {
  const Redactor redactor;
  v1::LogRecord record;
  record.mutable_api_call();
  static_cast<void>(redacted(redactor, record));
  v1::SyncEvent event;
  event.mutable_completed();
  static_cast<void>(redacted(redactor, event));
  event.mutable_stats_committed();
  static_cast<void>(redacted(redactor, event));
}

std::optional<v1::LogRecord> redacted(const Redactor& redactor, const v1::LogRecord& record) {
  const bool call_holds = record.has_api_call() && finds_in_call(redactor, record.api_call());
  const bool unknown = has_unknown(record);
  if (!unknown && !call_holds && !finds_in_any(redactor, record.message(), record.step_id(), record.detail_json(), record.raw())) {
    return std::nullopt;
  }
  std::optional<v1::LogRecord> out(record);
  if (unknown) out->DiscardUnknownFields();
  replace(redactor, *out->mutable_message());
  replace(redactor, *out->mutable_step_id());
  replace(redactor, *out->mutable_raw());
  if (auto clean = redactor.replaced_in_json(record.detail_json())) out->set_detail_json(std::move(*clean));
  if (!call_holds) return out;
  auto& call = *out->mutable_api_call();
  if (ends_early(redactor, call)) call.mutable_response_body()->resize(redactor.whole_until(call.response_body()));
  replace(redactor, *call.mutable_method());
  replace(redactor, *call.mutable_request_uri());
  replace(redactor, *call.mutable_response_body());
  replace(redactor, *call.mutable_transport_error());
  return out;
}

std::optional<v1::SyncEvent> redacted(const Redactor& redactor, const v1::SyncEvent& event) {
  const bool trace_holds = event.has_trace() && finds_in_trace(redactor, event.trace());
  const bool unknown = has_unknown(event);
  if (!unknown && !trace_holds && !finds_in_event(redactor, event)) return std::nullopt;
  std::optional<v1::SyncEvent> out(event);
  if (unknown) out->DiscardUnknownFields();
  if (trace_holds) out->clear_trace();
  replace_in_event(redactor, *out);
  return out;
}

void redact(const Redactor& redactor, v1::Operation& operation) {
  operation.DiscardUnknownFields();
  replace(redactor, *operation.mutable_status());
  replace(redactor, *operation.mutable_name());
  replace(redactor, *operation.mutable_owner_id());
  replace(redactor, *operation.mutable_connector_id());
  replace(redactor, *operation.mutable_error());
  replace(redactor, *operation.mutable_version());
}

}  // namespace runfold::redact
