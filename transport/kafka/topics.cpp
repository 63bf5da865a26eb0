// Runfold's topics: makes those that are missing and compares the others with their policies.
#include "transport/kafka/topics.hpp"

#include "transport/kafka/asking_client.hpp"
#include "transport/kafka/handle.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace runfold::kafka {
namespace {

constexpr int kLookAgainMs = 20;
constexpr auto kDay = std::chrono::hours(24);

std::string milliseconds_text(std::chrono::milliseconds span) {
  return std::to_string(span.count());
}

TopicPolicy deleted_after(std::string name, std::chrono::milliseconds span) {
  return {.name = std::move(name), .config = {{"cleanup.policy", "delete"}, {"retention.ms", milliseconds_text(span)}}};
}

TopicPolicy compacted(std::string name) {
  return {.name = std::move(name), .config = {{"cleanup.policy", "compact"}}};
}

std::optional<std::int64_t> to_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A sentence when a topic's setting falls short of what is expected. Keeping records longer is no difference.
std::optional<std::string> difference(const std::string& name, const std::string& is, const std::string& expected) {
  if (is == expected) return std::nullopt;
  const auto is_number = to_number(is);
  const auto expected_number = to_number(expected);
  if (name == "retention.ms" && is_number && expected_number) {
    if (*is_number < 0 || (*expected_number >= 0 && *is_number >= *expected_number)) return std::nullopt;
    return name + ": has " + is + ", wants at least " + expected;
  }
  return name + ": has " + is + ", wants " + expected;
}

std::vector<TopicReport> empty_reports(const std::vector<TopicPolicy>& policies) {
  std::vector<TopicReport> reports(policies.size());
  for (std::size_t i = 0; i < policies.size(); ++i) reports[i].name = policies[i].name;
  return reports;
}

bool all_exist(const std::vector<TopicReport>& reports) {
  return std::all_of(reports.begin(), reports.end(), [](const TopicReport& one) { return one.exists; });
}

/// A few administrative requests, under one deadline.
class Admin : public AskingClient {
 public:
  using AskingClient::AskingClient;

  Result<void> start() {
    if (auto started = AskingClient::start(); !started) return started.error();
    queue_.reset(rd_kafka_queue_new(handle()));
    return {};
  }

  Result<void> look(const std::vector<TopicPolicy>& policies, std::vector<TopicReport>& reports) {
    const auto metadata = topics();
    if (!metadata) return metadata.error();
    for (std::size_t i = 0; i < policies.size(); ++i) {
      const rd_kafka_metadata_topic_t* begin = (*metadata)->topics;
      const rd_kafka_metadata_topic_t* end = begin + (*metadata)->topic_cnt;
      const auto* found = std::find_if(begin, end, [&](const auto& topic) { return topic.topic == policies[i].name; });
      reports[i].exists = found != end && found->err == RD_KAFKA_RESP_ERR_NO_ERROR;
      if (!reports[i].exists) continue;
      reports[i].partitions = found->partition_cnt;
      if (found->partition_cnt < policies[i].partitions) {
        reports[i].differences.push_back("partitions: has " + std::to_string(found->partition_cnt) + ", wants at least " +
                                         std::to_string(policies[i].partitions));
      }
      const int replicas = found->partition_cnt > 0 ? found->partitions[0].replica_cnt : 0;
      if (policies[i].replication > 0 && replicas != policies[i].replication) {
        reports[i].differences.push_back("replicas: has " + std::to_string(replicas) + ", wants " +
                                         std::to_string(policies[i].replication));
      }
    }
    return {};
  }

  Result<void> create(const std::vector<TopicPolicy>& policies, std::vector<TopicReport>& reports) {
    std::vector<NewTopicHandle> topics;
    std::vector<rd_kafka_NewTopic_t*> raw;
    for (std::size_t i = 0; i < policies.size(); ++i) {
      if (reports[i].exists) continue;
      const TopicPolicy& policy = policies[i];
      std::array<char, 512> why{};
      NewTopicHandle topic{rd_kafka_NewTopic_new(policy.name.c_str(), policy.partitions, policy.replication, why.data(), why.size())};
      if (!topic) return Error{Errc::kInvalid, "cannot create topic " + policy.name + ": " + why.data()};
      for (const auto& [name, value] : policy.config) {
        if (const auto error = rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str())) {
          return make_error(error, "create topic " + policy.name, name);
        }
      }
      raw.push_back(topic.get());
      topics.push_back(std::move(topic));
    }
    if (raw.empty()) return {};

    const auto options = options_for(RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(handle(), raw.data(), raw.size(), options.get(), queue_.get());
    auto event = await("create the topics");
    if (!event) return event.error();
    std::size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto error = rd_kafka_topic_result_error(results[i]);
      const std::string name = rd_kafka_topic_result_name(results[i]);
      const auto report = std::find_if(reports.begin(), reports.end(), [&](const TopicReport& one) { return one.name == name; });
      // Somebody else has made it since we looked: then it is theirs, and compared.
      if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS || report == reports.end()) continue;
      if (error) {
        const char* detail = rd_kafka_topic_result_error_string(results[i]);
        return make_error(error, "create topic " + name, detail == nullptr ? "" : detail);
      }
      report->created = true;
    }
    return {};
  }

  /// A broker may say that it has made a topic and not list it yet. A client that came now would be told that there is none.
  Result<void> look_until_seen(const std::vector<TopicPolicy>& policies, std::vector<TopicReport>& reports) {
    for (;;) {
      std::vector<TopicReport> again = empty_reports(policies);
      if (auto looked = look(policies, again); !looked) return looked.error();
      for (std::size_t i = 0; i < again.size(); ++i) again[i].created = reports[i].created;
      reports = std::move(again);
      if (all_exist(reports)) return {};
      if (time_is_up()) {
        const auto unseen = std::find_if(reports.begin(), reports.end(), [](const TopicReport& one) { return !one.exists; });
        return Error{Errc::kTimedOut,
                     "topic " + unseen->name + " was made, but the brokers do not list it within " + milliseconds_text(limit()) + " ms"};
      }
      rd_kafka_poll(handle(), kLookAgainMs);  // serves errors while it waits
    }
  }

  Result<void> compare(const std::vector<TopicPolicy>& policies, std::vector<TopicReport>& reports) {
    std::vector<ConfigResourceHandle> topics;
    std::vector<rd_kafka_ConfigResource_t*> raw;
    for (std::size_t i = 0; i < policies.size(); ++i) {
      // What was made just now is as its policy says.
      if (!reports[i].exists || reports[i].created || policies[i].config.empty()) continue;
      topics.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, policies[i].name.c_str()));
      raw.push_back(topics.back().get());
    }
    if (raw.empty()) return {};

    const auto options = options_for(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(handle(), raw.data(), raw.size(), options.get(), queue_.get());
    auto event = await("read the topics' configuration");
    if (!event) return event.error();
    std::size_t count = 0;
    const auto* resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
    for (std::size_t r = 0; r < count; ++r) {
      const std::string name = rd_kafka_ConfigResource_name(resources[r]);
      const auto at = std::find_if(policies.begin(), policies.end(), [&](const TopicPolicy& one) { return one.name == name; });
      if (at == policies.end()) continue;
      TopicReport& report = reports[static_cast<std::size_t>(at - policies.begin())];
      if (const auto error = rd_kafka_ConfigResource_error(resources[r])) {
        return make_error(error, "read the configuration of topic " + name, rd_kafka_ConfigResource_error_string(resources[r]));
      }
      compare_one(*at, resources[r], report);
    }
    return {};
  }

 private:
  static void compare_one(const TopicPolicy& policy, const rd_kafka_ConfigResource_t* resource, TopicReport& report) {
    std::size_t count = 0;
    const auto* entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (const auto& [name, expected] : policy.config) {
      const auto* entry = std::find_if(entries, entries + count, [&](const auto* one) { return rd_kafka_ConfigEntry_name(one) == name; });
      const char* value = entry == entries + count ? nullptr : rd_kafka_ConfigEntry_value(*entry);
      if (value == nullptr) {
        report.differences.push_back(name + ": is not told by the broker, wants " + expected);
      } else if (auto sentence = difference(name, value, expected)) {
        report.differences.push_back(std::move(*sentence));
      }
    }
  }

  [[nodiscard]] AdminOptionsHandle options_for(rd_kafka_admin_op_t operation) const {
    AdminOptionsHandle options{rd_kafka_AdminOptions_new(handle(), operation)};
    std::array<char, 128> why{};
    rd_kafka_AdminOptions_set_request_timeout(options.get(), left_ms(), why.data(), why.size());
    if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
      rd_kafka_AdminOptions_set_operation_timeout(options.get(), left_ms(), why.data(), why.size());
    }
    return options;
  }

  Result<EventHandle> await(const std::string& doing) {
    EventHandle event{rd_kafka_queue_poll(queue_.get(), left_ms() + 500)};
    if (!event) return failure(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
    if (const auto error = rd_kafka_event_error(event.get())) return failure(error, doing, rd_kafka_event_error_string(event.get()));
    return event;
  }

  QueueHandle queue_;
};

Result<std::vector<TopicReport>> work_on_topics(const Properties& properties, const std::vector<TopicPolicy>& policies,
                                                std::chrono::milliseconds limit, bool create_missing) {
  Admin admin(properties, limit);
  if (auto started = admin.start(); !started) return started.error();

  std::vector<TopicReport> reports = empty_reports(policies);
  if (auto looked = admin.look(policies, reports); !looked) return looked.error();
  if (create_missing && !all_exist(reports)) {
    if (auto created = admin.create(policies, reports); !created) return created.error();
    if (auto seen = admin.look_until_seen(policies, reports); !seen) return seen.error();
  }
  if (auto compared = admin.compare(policies, reports); !compared) return compared.error();
  for (TopicReport& report : reports) {
    if (!report.exists) report.differences.push_back("it does not exist");
  }
  return reports;
}

}  // namespace

std::vector<TopicPolicy> topic_policies(const TopicNames& names, std::int32_t partitions, std::int32_t replication) {
  std::vector<TopicPolicy> policies = {
      deleted_after(names.events, 7 * kDay),
      deleted_after(names.logs, 3 * kDay),
      compacted(names.operations),
      compacted(names.runs),
      deleted_after(names.api_failures, 14 * kDay),
      deleted_after(names.dead_letters, 14 * kDay),
  };
  // The time at which the broker wrote a record, not the producer's: a connector's clock that is wrong bends neither what is
  // kept nor what silence means.
  policies[0].config["message.timestamp.type"] = "LogAppendTime";
  policies[1].config["message.timestamp.type"] = "LogAppendTime";
  for (TopicPolicy& policy : policies) {
    policy.partitions = partitions;
    policy.replication = replication;
  }
  return policies;
}

Result<std::vector<TopicReport>> verify_topics(const Properties& properties, const std::vector<TopicPolicy>& policies,
                                               std::chrono::milliseconds limit) {
  return work_on_topics(properties, policies, limit, false);
}

Result<std::vector<TopicReport>> create_topics(const Properties& properties, const std::vector<TopicPolicy>& policies,
                                               std::chrono::milliseconds limit) {
  return work_on_topics(properties, policies, limit, true);
}

}  // namespace runfold::kafka
