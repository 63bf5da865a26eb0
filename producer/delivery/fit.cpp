// What is cut, and how the cut is marked.
#include "producer/delivery/fit.hpp"

#include "producer/delivery/text.hpp"

#include <string>

namespace runfold::delivery {
namespace {

void make_utf8(std::string& text) {
  if (!is_utf8(text)) text = replace_invalid_utf8(text);
}

bool cut_to(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return false;
  text.resize(cut(text, limit).size());
  return true;
}

void make_name(std::string& text) {
  make_utf8(text);
  cut_to(text, kMaxNameBytes);
}

void make_text(std::string& text, std::size_t limit) {
  make_utf8(text);
  if (cut_to(text, limit)) text += " [cut]";
}

// The texts of an event, each with what is to be done to it.
template <class Name, class Text>
void visit(v1::SyncEvent& event, Name name, Text text) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStepStarted:
      name(*event.mutable_step_started()->mutable_step_id());
      break;
    case v1::SyncEvent::kStepCompleted:
      name(*event.mutable_step_completed()->mutable_step_id());
      break;
    case v1::SyncEvent::kStepFailed:
      name(*event.mutable_step_failed()->mutable_step_id());
      text(*event.mutable_step_failed()->mutable_error());
      break;
    case v1::SyncEvent::kProgress:
      name(*event.mutable_progress()->mutable_step_id());
      text(*event.mutable_progress()->mutable_message());
      break;
    case v1::SyncEvent::kStarted:
      name(*event.mutable_started()->mutable_host());
      name(*event.mutable_started()->mutable_account());
      break;
    case v1::SyncEvent::kCompleted:
      text(*event.mutable_completed()->mutable_error());
      break;
    default:
      break;
  }
}

}  // namespace

bool fits(const v1::LogRecord& record, std::size_t record_bytes) {
  const auto& call = record.api_call();
  return record.ByteSizeLong() <= record_bytes && record.step_id().size() <= kMaxNameBytes && is_utf8(record.message()) &&
         is_utf8(record.step_id()) && is_utf8(record.detail_json()) && is_utf8(call.method()) && is_utf8(call.request_uri()) &&
         is_utf8(call.response_body()) && is_utf8(call.transport_error());
}

bool fit(v1::LogRecord& record, std::size_t record_bytes) {
  if (!is_utf8(record.message())) {
    if (record.raw().empty()) record.set_raw(record.message());
    make_utf8(*record.mutable_message());
  }
  make_name(*record.mutable_step_id());
  make_utf8(*record.mutable_detail_json());
  if (record.has_api_call()) {
    auto& call = *record.mutable_api_call();
    make_utf8(*call.mutable_method());
    make_utf8(*call.mutable_request_uri());
    make_utf8(*call.mutable_response_body());
    make_utf8(*call.mutable_transport_error());
  }
  if (record.ByteSizeLong() <= record_bytes) return true;

  const std::size_t eighth = record_bytes / 8;
  record.set_truncated(true);
  if (record.detail_json().size() > eighth) {
    record.set_detail_json("{\"truncated\":" + json_string(record.detail_json(), eighth - 16) + "}");
  }
  if (record.has_api_call()) {
    auto& call = *record.mutable_api_call();
    if (cut_to(*call.mutable_response_body(), eighth)) call.set_response_body_truncated(true);
    cut_to(*call.mutable_request_uri(), eighth / 2);
    cut_to(*call.mutable_transport_error(), eighth / 4);
    cut_to(*call.mutable_method(), kMaxNameBytes);
  }
  if (record.raw().size() > eighth) record.mutable_raw()->resize(eighth);
  cut_to(*record.mutable_message(), record_bytes / 2);
  return record.ByteSizeLong() <= record_bytes;
}

bool fits(const v1::SyncEvent& event, std::size_t record_bytes) {
  const auto name = [](const std::string& text) { return text.size() <= kMaxNameBytes && is_utf8(text); };
  if (event.ByteSizeLong() > record_bytes) return false;
  // The same texts as in visit(), which changes them; in a second list, so that the common case copies nothing.
  switch (event.event_case()) {
    case v1::SyncEvent::kStepStarted:
      return name(event.step_started().step_id());
    case v1::SyncEvent::kStepCompleted:
      return name(event.step_completed().step_id());
    case v1::SyncEvent::kStepFailed:
      return name(event.step_failed().step_id()) && is_utf8(event.step_failed().error());
    case v1::SyncEvent::kProgress:
      return name(event.progress().step_id()) && is_utf8(event.progress().message());
    case v1::SyncEvent::kStarted:
      return name(event.started().host()) && name(event.started().account());
    case v1::SyncEvent::kCompleted:
      return is_utf8(event.completed().error());
    default:
      return true;
  }
}

bool fit(v1::SyncEvent& event, std::size_t record_bytes) {
  visit(event, make_name, [&](std::string& text) { make_text(text, record_bytes / 2); });
  return event.ByteSizeLong() <= record_bytes;
}

}  // namespace runfold::delivery
