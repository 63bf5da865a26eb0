// The librdkafka properties of our consumers: what we add, what we insist on, what we do ourselves.
#include "transport/kafka/consumer_settings.hpp"

#include <array>

namespace runfold::kafka {
namespace {

struct Insisted {
  const char* name;
  const char* value;
  const char* because;
};

constexpr std::array<Insisted, 3> kInsisted = {{
    {"enable.auto.commit", "false", "the offsets that count are stored with the results"},
    {"enable.auto.offset.store", "false", "the offsets that count are stored with the results"},
    {"enable.partition.eof", "true", "where the last offsets hold no record, nothing else says that all was read"},
}};

bool same_boolean(const std::string& value, const std::string& wanted) {
  const bool truth = value == "true" || value == "1" || value == "t";
  return truth == (wanted == "true");
}

OffsetReset reset_of(const std::string& value) {
  if (value == "latest" || value == "largest" || value == "end") return OffsetReset::kLatest;
  if (value == "error") return OffsetReset::kError;
  return OffsetReset::kEarliest;  // earliest, smallest, beginning: librdkafka has refused anything else
}

}  // namespace

Result<ConsumerSettings> consumer_settings(const Properties& users, const std::string& group) {
  ConsumerSettings settings{.properties = users};
  Properties& properties = settings.properties;

  if (group.empty()) return Error{Errc::kInvalid, "a Kafka consumer needs a group; its name is empty"};
  if (const auto given = properties.get("group.id"); given && *given != group) {
    return Error{Errc::kInvalid,
                 "the Kafka properties say group.id=" + *given + " but this consumer's group is " + group + "; name the group once"};
  }
  for (const Insisted& insisted : kInsisted) {
    if (const auto given = properties.get(insisted.name); given && !same_boolean(*given, insisted.value)) {
      return Error{Errc::kInvalid, std::string("Kafka property ") + insisted.name + " must be " + insisted.value + ", not " + *given +
                                       ": " + insisted.because};
    }
    properties.set_default(insisted.name, insisted.value);
  }
  if (properties.get("partition.assignment.strategy").value_or("").find("cooperative") != std::string::npos) {
    return Error{
        Errc::kInvalid,
        "Kafka property partition.assignment.strategy must be range or roundrobin: cooperative rebalancing can loop in librdkafka"};
  }
  if (properties.get("group.protocol").value_or("classic") != "classic") {
    return Error{Errc::kInvalid,
                 "Kafka property group.protocol must be classic: the new protocol holds a killed member's partitions too long"};
  }

  properties.set_default("group.id", group);
  properties.set_default("client.id", "runfold");
  properties.set_default("partition.assignment.strategy", "range");
  properties.set_default("socket.nagle.disable", "true");
  properties.set_default("socket.connection.setup.timeout.ms", "10000");
  // A dead host holds its partitions that long. Heartbeats are librdkafka's own thread's: work does not delay them.
  if (!properties.get("session.timeout.ms") && !properties.get("heartbeat.interval.ms")) {
    properties.set_default("session.timeout.ms", "6000");
    properties.set_default("heartbeat.interval.ms", "2000");
  }
  properties.set_default("queued.max.messages.kbytes", "65536");
  // A broker answers one request of a connection at a time: where a partition begins is asked behind the fetch of another one
  // that has nothing new. With librdkafka's 500 ms that makes a restart a second longer.
  properties.set_default("fetch.wait.max.ms", "100");
  // A topic that is made later is found after this, not after five minutes.
  properties.set_default("topic.metadata.refresh.interval.ms", "10000");

  // librdkafka would reset silently, and skip or repeat data without a word: let it tell, and reset ourselves.
  settings.reset = reset_of(properties.get("auto.offset.reset").value_or("earliest"));
  if (auto set = properties.set("auto.offset.reset", "error"); !set) return set.error();

  // Before 2.2 a full queue puts the fetcher to sleep for a second, and any reply of its broker wakes it.
  const bool has_fetch_backoff = properties.set_default("fetch.queue.backoff.ms", "10");
  settings.pace = has_fetch_backoff ? WatchPace{std::chrono::seconds(1), true} : WatchPace{std::chrono::milliseconds(50), false};
  return settings;
}

}  // namespace runfold::kafka
