// Reads what a job says when it registers.
#include "producer/agent/parse_job.hpp"

#include "producer/sdk/trace_context.hpp"

#include <boost/json.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace runfold::agent {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::size_t kNameBytes = 200;
constexpr double kMaxHeartbeatSeconds = 3'600;

struct Name {
  std::string_view member;
  std::string RunOptions::*where;
};
constexpr std::array<Name, 6> kNames{{{"connector", &RunOptions::connector_id},
                                      {"version", &RunOptions::version},
                                      {"site", &RunOptions::site},
                                      {"account", &RunOptions::account},
                                      {"run_id", &RunOptions::run_id},
                                      {"traceparent", &RunOptions::traceparent}}};

BadInput wrong(std::string_view member, const std::string& what) {
  return {std::string("/").append(member), std::string("The member ").append(member).append(" ").append(what)};
}

std::optional<BadInput> read_name(const Name& name, const json::value& value, RunOptions& job) {
  const json::string* text = value.if_string();
  if (text == nullptr) return wrong(name.member, "is " + kind_name(value) + "; it must be a string.");
  if (text->size() > kNameBytes) return wrong(name.member, "is longer than 200 bytes.");
  job.*name.where = std::string(*text);
  return std::nullopt;
}

std::optional<BadInput> read_attempt(const json::value& value, RunOptions& job) {
  json::error_code error;
  job.attempt = value.is_number() ? value.to_number<std::uint32_t>(error) : 0;
  if (error || job.attempt == 0) return wrong("attempt", "is not a whole number from 1.");
  return std::nullopt;
}

std::optional<BadInput> read_os_pid(const json::value& value, RunOptions& job) {
  json::error_code error;
  const auto pid = value.is_number() ? value.to_number<std::int32_t>(error) : 0;
  if (error || pid <= 0) return wrong("os_pid", "is not a process id; leave it out where the agent cannot see the job's process.");
  job.os_pid = static_cast<std::uint64_t>(pid);
  return std::nullopt;
}

std::optional<BadInput> read_heartbeat(const json::value& value, RunOptions& job) {
  json::error_code error;
  const double seconds = value.is_number() ? value.to_number<double>(error) : 0;
  if (error || !(seconds >= 1 && seconds <= kMaxHeartbeatSeconds)) return wrong("heartbeat", "is not a number of seconds from 1 to 3600.");
  job.heartbeat_interval = milliseconds(static_cast<milliseconds::rep>(seconds * 1'000));
  return std::nullopt;
}

std::optional<BadInput> read_member(std::string_view member, const json::value& value, RunOptions& job) {
  for (const Name& name : kNames) {
    if (name.member == member) return read_name(name, value, job);
  }
  if (member == "attempt") return read_attempt(value, job);
  if (member == "os_pid") return read_os_pid(value, job);
  if (member == "heartbeat") return read_heartbeat(value, job);
  return wrong(member, "is unknown; a job has connector, version, site, account, run_id, attempt, traceparent, os_pid and heartbeat.");
}

}  // namespace

Parsed<RunOptions> parse_job(std::string_view body) {
  const auto value = parse_json(body);
  if (!value) return value.error();
  const json::object* object = value->if_object();
  if (object == nullptr) return BadInput{{}, "The body is " + kind_name(*value) + "; send what the job is as an object."};
  RunOptions job{.attempt = 1, .os_pid = 0};
  for (const auto& [member, given] : *object) {
    if (given.is_null()) continue;
    if (auto bad = read_member(member, given, job)) return *std::move(bad);
  }
  if (job.connector_id.empty()) return wrong("connector", "is missing; it names what runs, for example \"invoices\".");
  if (!job.traceparent.empty() && !parse_traceparent(job.traceparent)) {
    return wrong("traceparent", "is not one (00-TRACE-SPAN-FLAGS); leave it out for a new trace.");
  }
  job.sends_heartbeats = *job.os_pid != 0;
  if (!job.sends_heartbeats && !job.heartbeat_interval) job.heartbeat_interval = milliseconds(0);
  return job;
}

}  // namespace runfold::agent
