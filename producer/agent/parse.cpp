// Reads what connectors send to the intake: log records and events, as JSON.
#include "producer/agent/parse.hpp"

#include "producer/agent/text.hpp"

#include <boost/json.hpp>

#include <google/protobuf/util/json_util.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <optional>
#include <utility>

namespace runfold::agent {
namespace {

namespace json = boost::json;

constexpr std::size_t kStepIdBytes = 200;

/// Calls `one` with every record of the body and the JSON pointer of that record.
std::optional<BadInput> for_each_record(const json::value& body, std::string_view what,
                                        const std::function<std::optional<BadInput>(const json::object&, const std::string&)>& one) {
  if (const json::object* object = body.if_object()) return one(*object, "");
  const json::array* array = body.if_array();
  if (array == nullptr) {
    return BadInput{{}, "The body is " + kind_name(body) + "; send " + std::string(what) + " as an object, or an array of them."};
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string pointer = std::string("/").append(std::to_string(i));
    const json::object* object = (*array)[i].if_object();
    if (object == nullptr) return BadInput{pointer, "This element is " + kind_name((*array)[i]) + "; it must be an object."};
    if (auto bad = one(*object, pointer)) return bad;
  }
  return std::nullopt;
}

Parsed<v1::Severity> read_level(const json::object& record, const std::string& pointer) {
  static constexpr std::string_view kExpected =
      "it must be one of emergency, alert, critical, error, warning, notice, info, debug, or a number from 0 (emergency) to 7 (debug)";
  const json::value* level = record.if_contains("level");
  if (level == nullptr) return BadInput{pointer + "/level", "The member level is missing; " + std::string(kExpected) + "."};
  if (const json::string* name = level->if_string()) {
    if (const auto severity = parse_severity(*name)) return *severity;
    return BadInput{pointer + "/level",
                    "The level \"" + std::string(utf8_prefix(*name, 64)) + "\" is unknown; " + std::string(kExpected) + "."};
  }
  if (const std::int64_t* number = level->if_int64()) {
    if (*number >= 0 && *number <= 7) return static_cast<v1::Severity>(*number + 1);
    return BadInput{pointer + "/level", "The level " + std::to_string(*number) + " is unknown; " + std::string(kExpected) + "."};
  }
  return BadInput{pointer + "/level", "The level is " + kind_name(*level) + "; " + std::string(kExpected) + "."};
}

Parsed<v1::LogRecord> read_log(const json::object& record, const std::string& pointer) {
  v1::LogRecord log;
  log.set_stream(v1::LOG_STREAM_APPLICATION);
  for (const auto& [name, value] : record) {
    if (name == "level" || name == "detail") continue;
    if (name == "message" || name == "step") {
      if (value.is_string() || (name == "step" && value.is_null())) continue;
      return BadInput{pointer + "/" + std::string(name),
                      "The member " + std::string(name) + " is " + kind_name(value) + "; it must be a string."};
    }
    return BadInput{pointer + "/" + std::string(name),
                    "The member " + std::string(name) +
                        " is unknown; a log record has level, message, step and detail. Put anything else into detail."};
  }
  const auto severity = read_level(record, pointer);
  if (!severity) return severity.error();
  log.set_severity(*severity);
  const json::value* message = record.if_contains("message");
  if (message == nullptr) return BadInput{pointer + "/message", "The member message is missing; it must be a string."};
  log.set_message(std::string(message->get_string()));
  if (const json::value* step = record.if_contains("step"); step != nullptr && step->is_string()) {
    if (step->get_string().size() > kStepIdBytes) return BadInput{pointer + "/step", "The member step is longer than 200 bytes."};
    log.set_step_id(std::string(step->get_string()));
  }
  if (const json::value* detail = record.if_contains("detail"); detail != nullptr && !detail->is_null()) {
    log.set_detail_json(json::serialize(*detail));
  }
  return log;
}

/// {"secs": 1, "nanos": 500000000} or a number of seconds, as protobuf's "1.500000000s".
std::optional<std::string> duration_text(const json::value& duration) {
  if (const json::string* text = duration.if_string()) return std::string(*text);
  double seconds = 0;
  char text[64];
  if (const json::object* parts = duration.if_object()) {
    const json::value* secs = parts->if_contains("secs");
    const json::value* nanos = parts->if_contains("nanos");
    json::error_code error;
    const auto whole = secs != nullptr ? secs->to_number<std::uint32_t>(error) : 0;
    if (error || secs == nullptr) return std::nullopt;
    const auto fraction = nanos != nullptr ? nanos->to_number<std::uint32_t>(error) : 0;
    if (error || fraction > 999'999'999) return std::nullopt;
    std::snprintf(text, sizeof text, "%u.%09us", whole, fraction);
    return text;
  }
  json::error_code error;
  seconds = duration.to_number<double>(error);
  if (error || !(seconds >= 0) || seconds > 1e9) return std::nullopt;
  std::snprintf(text, sizeof text, "%.9fs", seconds);
  return text;
}

/// The connector SDK's variant names, and protobuf's for the same.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kVariants{{{"Started", "started"},
                                                                                  {"StepStarted", "stepStarted"},
                                                                                  {"StepCompleted", "stepCompleted"},
                                                                                  {"StepFailed", "stepFailed"},
                                                                                  {"Completed", "completed"},
                                                                                  {"Heartbeat", "heartbeat"},
                                                                                  {"Progress", "progress"},
                                                                                  {"StatsCommitted", "statsCommitted"}}};

/// Turns the connector SDK's own form into protobuf's JSON; anything else stays as it is.
Parsed<json::object> in_protobuf_form(const json::object& event, const std::string& pointer) {
  if (event.size() != 1) return event;
  const auto& [name, value] = *event.begin();
  for (const auto& [theirs, ours] : kVariants) {
    if (name != theirs) continue;
    json::object inner;
    if (const json::object* members = value.if_object()) {
      inner = *members;
    } else if (!value.is_null()) {
      return BadInput{pointer + "/" + std::string(name), "The event's value is " + kind_name(value) + "; it must be an object."};
    }
    // These two name the run, and that is known already.
    if (name == "Started" || name == "Completed") {
      inner.erase("connector_id");
      inner.erase("sync_id");
    }
    if (json::value* duration = inner.if_contains("duration")) {
      const auto text = duration_text(*duration);
      if (!text) {
        return BadInput{pointer + "/" + std::string(name) + "/duration",
                        "The duration must be {\"secs\": n, \"nanos\": n}, a number of seconds, or a string such as \"1.5s\"."};
      }
      *duration = *text;
    }
    if (name == "StepFailed") {
      if (json::value* error = inner.if_contains("error"); error != nullptr && !error->is_string()) *error = json::serialize(*error);
    }
    return json::object{{ours, std::move(inner)}};
  }
  return event;
}

std::optional<BadInput> check_step(const std::string& step_id, const std::string& pointer) {
  if (!step_id.empty() && step_id.size() <= kStepIdBytes) return std::nullopt;
  return BadInput{pointer + "/step_id", step_id.empty() ? "A step event needs a step_id." : "The step_id is longer than 200 bytes."};
}

/// What every event must hold, whichever way it came.
std::optional<BadInput> check_event(const v1::SyncEvent& event, const std::string& pointer) {
  switch (event.event_case()) {
    case v1::SyncEvent::EVENT_NOT_SET:
      return BadInput{pointer,
                      "The event says nothing; it needs one of started, stepStarted, stepCompleted, stepFailed, completed, heartbeat, "
                      "progress, statsCommitted."};
    case v1::SyncEvent::kStepStarted:
      return check_step(event.step_started().step_id(), pointer + "/stepStarted");
    case v1::SyncEvent::kStepCompleted:
      return check_step(event.step_completed().step_id(), pointer + "/stepCompleted");
    case v1::SyncEvent::kStepFailed:
      return check_step(event.step_failed().step_id(), pointer + "/stepFailed");
    default:
      return std::nullopt;
  }
}

}  // namespace

Parsed<std::vector<v1::LogRecord>> parse_logs(std::string_view body) {
  const auto value = parse_json(body);
  if (!value) return value.error();
  std::vector<v1::LogRecord> records;
  const auto read_one = [&](const json::object& object, const std::string& pointer) -> std::optional<BadInput> {
    auto record = read_log(object, pointer);
    if (!record) return record.error();
    records.push_back(std::move(*record));
    return std::nullopt;
  };
  if (auto bad = for_each_record(*value, "a log record", read_one)) return *bad;
  return records;
}

Parsed<std::vector<v1::SyncEvent>> parse_events(std::string_view body) {
  const auto value = parse_json(body);
  if (!value) return value.error();
  std::vector<v1::SyncEvent> events;
  const auto read_one = [&](const json::object& object, const std::string& pointer) -> std::optional<BadInput> {
    const auto form = in_protobuf_form(object, pointer);
    if (!form) return form.error();
    v1::SyncEvent event;
    const auto status = google::protobuf::util::JsonStringToMessage(json::serialize(*form), &event);
    if (!status.ok()) {
      return BadInput{pointer,
                      "This is not a SyncEvent in protobuf's JSON: " + std::string(status.message().data(), status.message().size())};
    }
    if (auto bad = check_event(event, pointer)) return bad;
    events.push_back(std::move(event));
    return std::nullopt;
  };
  if (auto bad = for_each_record(*value, "an event", read_one)) return *bad;
  return events;
}

Parsed<v1::SyncEvent> parse_binary_event(std::string_view body) {
  v1::SyncEvent event;
  if (!event.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return BadInput{{}, "The body is not a SyncEvent in protobuf's binary form; for JSON send content-type application/json."};
  }
  if (auto bad = check_event(event, {})) return *bad;
  // Nobody could say what of it is secret.
  event.DiscardUnknownFields();
  return event;
}

}  // namespace runfold::agent
