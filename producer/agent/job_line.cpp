// A job is written as it was registered, with what the agent knows of it beside.
#include "producer/agent/job_line.hpp"

#include "producer/agent/parse_job.hpp"
#include "producer/agent/sha256.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <utility>

namespace runfold::agent {
namespace {

namespace json = boost::json;
using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::size_t kChecksum = 16;
constexpr std::size_t kHash = 64;

std::string with_checksum(const json::object& change) {
  const std::string text = json::serialize(change);
  return sha256(text).substr(0, kChecksum) + " " + text + "\n";
}

/// As parse_job() reads it.
json::object as_registered(const RunOptions& options) {
  json::object job{{"connector", options.connector_id}, {"version", options.version}, {"site", options.site},
                   {"account", options.account},        {"run_id", options.run_id},   {"attempt", options.attempt},
                   {"traceparent", options.traceparent}};
  if (options.os_pid.value_or(0) != 0) job["os_pid"] = *options.os_pid;
  if (options.heartbeat_interval && options.heartbeat_interval->count() > 0) {
    job["heartbeat"] = std::chrono::duration<double>(*options.heartbeat_interval).count();
  }
  return job;
}

// These throw when a member is missing or of another kind.
ProcessMark read_process(const json::object& process) {
  return {.os_pid = json::value_to<std::int32_t>(process.at("os_pid")),
          .start_ticks = json::value_to<std::uint64_t>(process.at("start_ticks")),
          .boot_id = json::value_to<std::string>(process.at("boot_id")),
          .pid_namespace = json::value_to<std::string>(process.at("pid_namespace"))};
}

RememberedJob read_job(const json::object& change) {
  RememberedJob job;
  job.options = parse_job(json::serialize(change.at("job"))).value();
  job.options.started_at = std::chrono::system_clock::time_point(microseconds(change.at("started_at_us").to_number<std::int64_t>()));
  job.token_sha256 = json::value_to<std::string>(change.at("token_sha256"));
  if (const json::value* process = change.if_contains("process")) job.process = read_process(process->as_object());
  if (job.token_sha256.size() != kHash || job.options.run_id.empty()) throw std::runtime_error("is no job");
  return job;
}

}  // namespace

std::string job_line(const RememberedJob& job) {
  const auto started_at = job.options.started_at.value_or(std::chrono::system_clock::time_point());
  json::object change{{"token_sha256", job.token_sha256},
                      {"started_at_us", duration_cast<microseconds>(started_at.time_since_epoch()).count()},
                      {"job", as_registered(job.options)}};
  if (job.process) {
    change["process"] = {{"os_pid", job.process->os_pid},
                         {"start_ticks", job.process->start_ticks},
                         {"boot_id", job.process->boot_id},
                         {"pid_namespace", job.process->pid_namespace}};
  }
  return with_checksum(change);
}

std::string job_line(const LeftJob& job) {
  return with_checksum({{"left", job.token_sha256}});
}

std::optional<std::variant<RememberedJob, LeftJob>> read_job_line(std::string_view line) {
  if (line.size() <= kChecksum || line[kChecksum] != ' ') return std::nullopt;
  const std::string_view text = line.substr(kChecksum + 1);
  if (sha256(text).substr(0, kChecksum) != line.substr(0, kChecksum)) return std::nullopt;
  try {
    const json::value value = json::parse(json::string_view(text.data(), text.size()));
    const json::object& change = value.as_object();
    if (const json::value* left = change.if_contains("left")) return LeftJob{json::value_to<std::string>(*left)};
    return read_job(change);
  } catch (const std::exception&) {  // what another release has written
    return std::nullopt;
  }
}

}  // namespace runfold::agent
