// Producer: settings checked, delivery started, runs begun.
#include "producer/sdk/producer.hpp"

#include "producer/delivery/delivery.hpp"
#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/sdk/environment.hpp"
#include "producer/sdk/line.hpp"
#include "producer/sdk/place.hpp"
#include "producer/sdk/random_id.hpp"
#include "producer/sdk/run_core.hpp"
#include "producer/sdk/trace_context.hpp"
#include "producer/sdk/trouble.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace runfold {
namespace {

constexpr std::size_t kMinQueueBytes = 64 * 1024;
constexpr std::chrono::milliseconds kPatience{5'000};

/// How old a log batch may grow in memory where there is a disk to save it.
constexpr std::chrono::milliseconds kSpooledBatchAge{25};

kafka::Error invalid(std::string message) {
  return {.code = kafka::Errc::kInvalid, .message = std::move(message)};
}

std::optional<std::string> wrong_name(std::string_view what, std::string_view value, std::size_t least) {
  if (value.size() < least || value.size() > delivery::kMaxNameBytes) {
    return std::string(what) + " has " + std::to_string(value.size()) + " bytes: give it " + std::to_string(least) + " to " +
           std::to_string(delivery::kMaxNameBytes) + ".";
  }
  if (!delivery::is_utf8(value)) return std::string(what) + " is not valid UTF-8.";
  return std::nullopt;
}

std::optional<std::string> what_is_wrong(const Settings& settings) {
  if (auto wrong = wrong_name("connector_id", settings.connector_id, 1)) return wrong;
  if (auto wrong = wrong_name("version", settings.version, 0)) return wrong;
  if (auto wrong = wrong_name("site", settings.site, 0)) return wrong;
  // They are the same in every record, and name the run: there they cannot be replaced.
  for (const auto& [what, value] :
       {std::pair("connector_id", &settings.connector_id), std::pair("version", &settings.version), std::pair("site", &settings.site)}) {
    if (settings.redactor->holds_registered(*value)) return std::string(what) + " holds a registered secret: give it another name.";
  }
  if (settings.queue_bytes < kMinQueueBytes) {
    return "queue_bytes is " + std::to_string(settings.queue_bytes) + ": give it at least " + std::to_string(kMinQueueBytes) + ".";
  }
  if (!settings.spool_folder.empty() && settings.spool_bytes < settings.queue_bytes) {
    return "the spool's bound is " + std::to_string(settings.spool_bytes) + " bytes: give it at least " +
           std::to_string(settings.queue_bytes) + ", which is what may wait in memory.";
  }
  if (settings.batch_age.count() < 0 || settings.heartbeat_interval.count() < 0)
    return "batch_age and heartbeat_interval must not be negative.";
  if (settings.site_rate.burst == 0) return "site_rate.burst is 0: give it at least 1, or make per_second 0 for no limit.";
  if (settings.kafka.get("delivery.report.only.error").value_or("false") == "true") {
    return "delivery.report.only.error=true would hide what Kafka has confirmed: leave it out.";
  }
  return std::nullopt;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

ProducerReport to_report(const delivery::Report& report, const kafka::TopicNames& topics) {
  ProducerReport out{.emitted = report.emitted,
                     .acknowledged = report.acknowledged,
                     .pending = report.pending,
                     .kept = report.kept,
                     .dropped = {},
                     .topics = {},
                     .taken_over = report.taken_over,
                     .inherited_lost = report.inherited_lost,
                     .spool_bytes = report.spool_bytes};
  for (const auto channel : delivery::kChannels) {
    auto& topic = out.topics[channel == delivery::Channel::kEvents ? topics.events : topics.logs];
    topic.acknowledged += report.acknowledged_of[channel];
    for (const auto reason : delivery::kDrops) {
      const std::uint64_t records = report.dropped.at(channel, reason);
      (reason == delivery::Drop::kNotNeeded ? topic.not_needed : topic.dropped) += records;
      if (records > 0) out.dropped[std::string(delivery::name(reason))] += records;
    }
  }
  return out;
}

std::optional<delivery::SpoolSettings> spool_of(const Settings& settings) {
  if (settings.spool_folder.empty()) return std::nullopt;
  std::error_code unknown;  // where the working folder is gone: then the name is taken as it is, and fails as it does
  auto folder = std::filesystem::absolute(settings.spool_folder, unknown);
  auto tell = settings.on_spool_trouble;
  if (!tell) {
    tell = [](const std::string& message) {
      print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, "Runfold: " + message);
    };
  }
  return delivery::SpoolSettings{.folder = unknown ? std::filesystem::path(settings.spool_folder) : std::move(folder),
                                 .limit_bytes = settings.spool_bytes,
                                 .name = random_uuid(),
                                 .on_trouble = std::move(tell)};
}

// A name as it can stand on the wire; one that cannot is mended, because a run must not fail for its name.
std::string usable_name(std::string_view what, std::string name, const redact::Redactor& redactor) {
  const auto going_on = [&](std::string_view why, const std::string& as) {
    print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING,
                           std::string("Runfold: the ").append(what).append(" ").append(why).append("; going on as ").append(as));
    return as;
  };
  if (redactor.holds_registered(name)) return going_on("holds a registered secret", random_uuid());
  if (!wrong_name(what, name, 0)) return name;
  return going_on("is longer than 200 bytes or not valid UTF-8",
                  std::string(delivery::cut(delivery::replace_invalid_utf8(name), delivery::kMaxNameBytes)));
}

// How much of a run's debug records is held back; absent: nothing.
std::optional<std::size_t> recorder_bytes(const Settings& settings, bool joined) {
  if (settings.debug_records == DebugRecords::kNever) return 0;
  if (settings.debug_records == DebugRecords::kAlways || joined) return std::nullopt;
  return settings.flight_recorder_bytes;
}

}  // namespace

std::optional<std::string> what_was_lost(const ProducerReport& report, std::string_view said) {
  std::uint64_t needed = report.emitted;
  std::string reasons;
  for (const auto& [reason, records] : report.dropped) {
    if (reason == delivery::name(delivery::Drop::kNotNeeded)) {
      needed -= records;
    } else {
      reasons += (reasons.empty() ? "" : ", ") + reason + " " + std::to_string(records);
    }
  }
  const std::uint64_t lost = needed - report.acknowledged - report.kept;
  if (lost == 0) return std::nullopt;
  return std::to_string(lost) + " of " + std::to_string(needed) + " " + std::string(said) + " (" + reasons + ")";
}

std::vector<std::string> what_did_not_arrive(const ProducerReport& report, const Settings& settings, const std::string& records) {
  std::vector<std::string> sentences;
  if (report.kept > 0) {
    sentences.push_back(std::to_string(report.kept) + " of " + std::to_string(report.emitted) + " " + records + " are kept in " +
                        settings.spool_folder + "; the next runfold with this spool sends them");
  }
  if (report.inherited_lost > 0) {
    sentences.push_back(std::to_string(report.inherited_lost) + " records that earlier ones left in " + settings.spool_folder +
                        " are lost: Kafka refused them");
  }
  const std::string servers = settings.kafka.get("bootstrap.servers").value_or("");
  if (auto lost = what_was_lost(report, records + " did not reach Kafka at " + servers)) sentences.push_back(std::move(*lost));
  return sentences;
}

std::vector<std::string_view> drop_reasons() {
  std::vector<std::string_view> reasons;
  for (const auto reason : delivery::kDrops) {
    if (reason != delivery::Drop::kNotNeeded) reasons.push_back(delivery::name(reason));
  }
  return reasons;
}

class Producer::Impl {
 public:
  Settings settings;
  /// Null: off.
  std::shared_ptr<delivery::Delivery> delivery;
  const std::string host = host_name();
};

kafka::Result<std::unique_ptr<Producer>> Producer::create(Settings settings) {
  // Five minutes, as librdkafka has it, in sight: long enough for a broker's restart or an election; a longer outage is
  // bounded by memory anyway, and what is given up then is counted as delivery_timeout. With a disk behind it nothing is.
  settings.kafka.set_default("message.timeout.ms", settings.spool_folder.empty() ? "300000" : "0");
  auto make_client = [properties = settings.kafka, topics = std::vector{settings.topics.events, settings.topics.logs}](
                         kafka::Producer::OnDelivery on_delivery, kafka::Producer::OnError on_error) {
    return kafka::Producer::create(properties, std::move(on_delivery), std::move(on_error), topics);
  };
  return create(std::move(settings), std::move(make_client));
}

kafka::Result<std::unique_ptr<Producer>> Producer::create(Settings settings, ClientFactory make_client) {
  auto impl = std::make_shared<Impl>();
  impl->settings = std::move(settings);
  const Settings& checked = impl->settings;
  if (!checked.redactor) return invalid("Cannot make a producer: redactor is null; leave it as it is, or make one.");
  // A connector may well say its password, which would be Kafka's too. One too short to be looked for is left to the patterns.
  for (const auto& [name, value] : checked.kafka.all()) {
    if (kafka::Properties::is_secret(name)) static_cast<void>(checked.redactor->add(value));
  }
  if (checked.kafka.get("bootstrap.servers").value_or("").empty()) return std::unique_ptr<Producer>(new Producer(std::move(impl)));
  if (auto wrong = what_is_wrong(checked)) return invalid("Cannot make a producer: " + *wrong);
  auto spool = spool_of(checked);
  auto started = delivery::Delivery::start({.topics = checked.topics,
                                            .queue_bytes = checked.queue_bytes,
                                            .record_bytes = std::min(checked.record_bytes, checked.queue_bytes / 8),
                                            .batch_age = spool ? std::min(checked.batch_age, kSpooledBatchAge) : checked.batch_age,
                                            .batch_bytes = std::min(checked.batch_bytes, checked.queue_bytes / 8),
                                            .spool = std::move(spool),
                                            .redactor = checked.redactor},
                                           std::move(make_client), checked.on_trouble ? checked.on_trouble : TroublePrinter());
  if (!started) return started.error();
  impl->delivery = std::move(started).value();
  return std::unique_ptr<Producer>(new Producer(std::move(impl)));
}

Producer::Producer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::~Producer() {
  close(kPatience);
}

Run Producer::start_run(RunOptions options) {
  RunCore::About about;
  auto& description = about.description;
  const auto& redactor = *impl_->settings.redactor;
  std::string run_id = options.run_id.empty() ? environment("RUNFOLD_RUN_ID").value_or("") : std::move(options.run_id);
  description.run_id = run_id.empty() ? random_uuid() : usable_name("run id", std::move(run_id), redactor);
  description.attempt = options.attempt != 0 ? options.attempt : environment_attempt().value_or(1);
  const bool own_names = options.connector_id.empty();
  description.connector_id = own_names ? impl_->settings.connector_id : usable_name("connector", std::move(options.connector_id), redactor);
  description.version = own_names ? impl_->settings.version : usable_name("version", std::move(options.version), redactor);
  description.site = own_names ? impl_->settings.site : usable_name("site", std::move(options.site), redactor);
  // One a run, not one a producer: a run that is started again here numbers its records anew.
  description.source_id = random_uuid();
  const auto promised = options.heartbeat_interval.value_or(impl_->settings.heartbeat_interval);
  if (options.sends_heartbeats) description.heartbeat_interval = promised;
  description.recorder_bytes = recorder_bytes(impl_->settings, options.joined);

  const Place* outer = current_place();
  const bool given = !options.traceparent.empty();
  const auto parent = parse_traceparent(given              ? options.traceparent
                                        : outer != nullptr ? outer->traceparent
                                                           : environment("TRACEPARENT").value_or(""));
  about.span = !parent ? new_trace() : options.started_at ? *parent : child_of(*parent);
  description.traceparent = about.span.traceparent();
  // A tracestate belongs to the traceparent that it came with.
  if (parent && !given)
    description.tracestate = outer != nullptr ? outer->core->tracestate() : usable_tracestate(environment("TRACESTATE").value_or(""));
  if (impl_->settings.redactor->holds_registered(description.tracestate)) description.tracestate.clear();

  if (!options.joined) about.agent = SurroundingAgent::of_run(description.run_id, description.attempt);
  if (about.agent) description.heartbeat_interval = std::chrono::milliseconds(0);
  about.redactor = impl_->settings.redactor;
  about.joined = options.joined;
  about.site_rate = impl_->settings.site_rate;
  about.on_event = std::move(options.on_event);
  // A clock that was set back since then has measured nothing.
  if (options.started_at) {
    about.since_start =
        std::max<std::chrono::system_clock::duration>(std::chrono::system_clock::now() - *options.started_at, std::chrono::seconds(0));
  }
  auto core = std::make_shared<RunCore>(impl_->delivery, std::move(about));
  if (options.joined) return Run(std::make_shared<Run::Impl>(std::move(core)));
  v1::SyncEvent event;
  if (options.started_at) set_time(*event.mutable_occurred_at(), *options.started_at);
  auto& started = *event.mutable_started();
  if (promised.count() > 0) set_duration(*started.mutable_heartbeat_interval(), promised);
  const auto os_pid = options.os_pid.value_or(static_cast<std::uint64_t>(::getpid()));
  if (os_pid != 0) started.set_os_pid(os_pid);
  started.set_host(impl_->host);
  started.set_account(options.account);
  core->start(std::move(event));
  return Run(std::make_shared<Run::Impl>(std::move(core)));
}

ProducerReport Producer::report() const {
  if (!impl_->delivery) return {};
  return to_report(impl_->delivery->report(), impl_->settings.topics);
}

const Settings& Producer::settings() const noexcept {
  return impl_->settings;
}

bool Producer::wait(const std::function<bool(const ProducerReport&)>& enough, std::chrono::milliseconds limit) {
  if (!impl_->delivery) return enough({});
  return impl_->delivery->wait([&](const delivery::Report& report) { return enough(to_report(report, impl_->settings.topics)); }, limit);
}

void Producer::begin_close(std::chrono::milliseconds limit) {
  if (impl_->delivery) impl_->delivery->begin_close(limit);
}

ProducerReport Producer::close(std::chrono::milliseconds limit) {
  if (!impl_->delivery) return {};
  return to_report(impl_->delivery->close(limit), impl_->settings.topics);
}

}  // namespace runfold
