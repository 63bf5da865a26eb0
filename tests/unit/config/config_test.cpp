// The whole configuration: what is read, what wins, and how trouble is told.
#include "collector/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "runfold-config-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    set_["RUNFOLD_STATE_DIR"] = folder_.string();
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    return path.string();
  }

  Config load(ConfigFlags flags = {}) {
    const Environment environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = set_.find(name);
      return found == set_.end() ? std::nullopt : std::optional(found->second);
    };
    return load_config(flags, environment);
  }

  /// Loads a file with this text, and a Kafka unless the text names one.
  Config load_text(const std::string& text) {
    ConfigFlags flags;
    flags.file = write("runfold.yaml", text);
    set_["RUNFOLD_BOOTSTRAP_SERVERS"] = "localhost:9092";
    return load(flags);
  }

  /// The problems of a file with this text, without the folder's name.
  std::vector<std::string> problems(const std::string& text) {
    auto found = load_text(text).problems();
    for (auto& problem : found) {
      if (problem.starts_with(folder_.string() + "/")) {
        problem = problem.substr(folder_.string().size() + 1);
      }
    }
    return found;
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> set_;
};

TEST_F(ConfigTest, DefaultsAreTheDocumentedOnes) {
  set_["RUNFOLD_BOOTSTRAP_SERVERS"] = "localhost:9092";
  const Config config = load();
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_EQ(config.group, "runfold-collector");
  EXPECT_EQ(config.listen.value, "127.0.0.1:8730");
  EXPECT_EQ(config.store.value, "sqlite:" + folder_.string() + "/runfold.db");
  EXPECT_EQ(config.topics.api_failures, "runfold.api-failures");
  EXPECT_TRUE(config.create_topics);
  EXPECT_EQ(config.commit.interval, 200ms);
  ASSERT_EQ(config.sinks.size(), 1U);
  EXPECT_EQ(config.sinks[0].name, "kafka");
  EXPECT_EQ(config.sinks[0].type, "kafka_topic");
  EXPECT_THAT(config.sinks[0].kinds, ElementsAre("run", "api_failure"));
}

TEST_F(ConfigTest, EveryKeyOfTheFileIsRead) {
  const Config config = load_text(R"(
kafka:
  bootstrap.servers: [a:1, b:2]
  client.id: me
topics:
  events: e
  logs: l
  operations: o
  runs: r
  api_failures: f
  dead_letters: d
  create: false
  partitions: 8
  replication: 3
group: g
store: sqlite:here.db
listen: 0.0.0.0:80
commit: {interval: 5s, rows: 7, bytes: 1MiB}
limits: {runs_in_memory: 500, record_bytes: 64KiB}
liveness:
  silence: 30m
  missed_heartbeats: 5
  max_duration: 2d
  settle: 10s
  connectors:
    nightly: {silence: 6h}
    quick.one: {silence: 90s, max_duration: 10m}
http: {header_bytes: 2KiB, body_bytes: 2MiB, connections: 9, request_time: 1s, response_time: 2s, idle_time: 3m, query_threads: 4, waiting_queries: 5}
metrics: {max_connectors: 6}
sinks:
  - {name: hook, type: webhook, kinds: run, url: "https://example.test/x", timeout: 4s}
)");
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_EQ(config.kafka.get("client.id"), "me");
  EXPECT_EQ(config.topics.events, "e");
  EXPECT_EQ(config.topics.logs, "l");
  EXPECT_EQ(config.topics.operations, "o");
  EXPECT_EQ(config.topics.runs, "r");
  EXPECT_EQ(config.topics.api_failures, "f");
  EXPECT_EQ(config.topics.dead_letters, "d");
  EXPECT_FALSE(config.create_topics);
  EXPECT_EQ(config.partitions, 8);
  EXPECT_EQ(config.replication, 3);
  EXPECT_EQ(config.group, "g");
  EXPECT_EQ(config.store.value, "sqlite:here.db");
  EXPECT_EQ(config.store.origin, folder_.string() + "/runfold.yaml:16: store");
  EXPECT_EQ(config.listen.value, "0.0.0.0:80");
  EXPECT_EQ(config.commit.interval, 5s);
  EXPECT_EQ(config.commit.rows, 7U);
  EXPECT_EQ(config.commit.bytes, 1024U * 1024U);
  EXPECT_EQ(config.limits.runs_in_memory, 500U);
  EXPECT_EQ(config.limits.record_bytes, 64U * 1024U);
  EXPECT_EQ(config.liveness.silence, 30min);
  EXPECT_EQ(config.liveness.missed_heartbeats, 5U);
  EXPECT_EQ(config.liveness.max_duration, 48h);
  EXPECT_EQ(config.liveness.settle, 10s);
  ASSERT_EQ(config.liveness.connectors.size(), 2U);
  EXPECT_EQ(config.liveness.connectors.at("nightly").silence, 6h);
  EXPECT_FALSE(config.liveness.connectors.at("nightly").max_duration);
  EXPECT_EQ(config.liveness.connectors.at("quick.one").max_duration, 10min);
  EXPECT_EQ(config.http.header_bytes, 2U * 1024U);
  EXPECT_EQ(config.http.body_bytes, 2U * 1024U * 1024U);
  EXPECT_EQ(config.http.connections, 9U);
  EXPECT_EQ(config.http.request_time, 1s);
  EXPECT_EQ(config.http.response_time, 2s);
  EXPECT_EQ(config.http.idle_time, 3min);
  EXPECT_EQ(config.http.query_threads, 4U);
  EXPECT_EQ(config.http.waiting_queries, 5U);
  EXPECT_EQ(config.metrics.max_connectors, 6U);
  ASSERT_EQ(config.sinks.size(), 1U);
  EXPECT_THAT(config.sinks[0].kinds, ElementsAre("run"));
  ConfigSection options = config.sinks[0].options;
  EXPECT_EQ(options.secret("url"), "https://example.test/x");
  EXPECT_EQ(options.duration("timeout", 1s, 1ms, 1min), 4s);
  options.finish();
  EXPECT_THAT(config.problems(), IsEmpty());
}

TEST_F(ConfigTest, RetentionIsReadForRunsAndLogsApartAndNoneKeepsForEver) {
  const Config defaults = load_text("group: g\n");
  EXPECT_EQ(defaults.retention.runs.age, 90 * 24h);
  EXPECT_EQ(defaults.retention.logs.age, 14 * 24h);
  EXPECT_EQ(defaults.retention.runs.bytes, std::uint64_t{10} << 30);
  EXPECT_EQ(defaults.retention.logs.bytes, std::uint64_t{20} << 30);
  const Config config = load_text("retention:\n  runs: { age: 0, bytes: 2GiB }\n  logs: { age: 3d, bytes: none }\n");
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_FALSE(config.retention.runs.age);
  EXPECT_EQ(config.retention.runs.bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(config.retention.logs.age, 72h);
  EXPECT_FALSE(config.retention.logs.bytes);
  EXPECT_THAT(describe(config), HasSubstr("keeps runs: at most 2GiB\nkeeps logs: 3d\n"));
}

TEST_F(ConfigTest, ABadRetentionIsToldByFileLineAndKey) {
  EXPECT_THAT(
      problems("retention:\n  runs: { age: 3 weeks }\n  logs:\n    bytes: 12\n    days: 3\n"),
      ElementsAre("runfold.yaml:2: retention.runs.age: is \"3 weeks\"; allowed is a duration from 1m to 36500d (units ms, s, m, h, d); "
                  "none for no bound",
                  "runfold.yaml:4: retention.logs.bytes: is \"12\"; allowed is a size from 1MiB to 1048576GiB (bytes, KiB, MiB, GiB); "
                  "none for no bound",
                  HasSubstr("runfold.yaml:5: retention.logs.days: unknown key")));
}

TEST_F(ConfigTest, NoRecordMayBeLargerThanALogChunkThatIsReadAgain) {
  EXPECT_EQ(load_text("limits: { record_bytes: 64MiB }\n").limits.record_bytes, 64U * 1024U * 1024U);
  EXPECT_THAT(
      problems("limits: { record_bytes: 65MiB }\n"),
      ElementsAre("runfold.yaml:1: limits.record_bytes: is \"65MiB\"; allowed is a size from 1KiB to 64MiB (bytes, KiB, MiB, GiB)"));
}

TEST_F(ConfigTest, FlagsWinOverEnvironmentAndEnvironmentOverFile) {
  ConfigFlags flags;
  flags.file = write("c.yaml", "kafka: {bootstrap.servers: file:1}\ngroup: file\nstore: sqlite:file\nlisten: file:1\n");
  set_["RUNFOLD_GROUP"] = "environment";
  set_["RUNFOLD_STORE"] = "sqlite:environment";
  set_["RUNFOLD_LISTEN"] = "environment:2";
  set_["RUNFOLD_BOOTSTRAP_SERVERS"] = "environment:2";
  EXPECT_EQ(load(flags).group, "environment");
  EXPECT_EQ(load(flags).kafka.get("bootstrap.servers"), "environment:2");
  EXPECT_EQ(load(flags).store.origin, "RUNFOLD_STORE");
  flags.group = "flag";
  flags.store = "sqlite:flag";
  flags.listen = "flag:3";
  flags.bootstrap_servers = "flag:3";
  const Config config = load(flags);
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_EQ(config.group, "flag");
  EXPECT_EQ(config.store.value, "sqlite:flag");
  EXPECT_EQ(config.listen.value, "flag:3");
  EXPECT_EQ(config.kafka.get("bootstrap.servers"), "flag:3");
}

TEST_F(ConfigTest, AnUnknownKeyIsNamedWithFileLineAndTheNearestKnownOne) {
  EXPECT_THAT(problems("group: g\ncomit:\n  rows: 1\n"), ElementsAre("runfold.yaml:2: comit: unknown key; did you mean commit?"));
  EXPECT_THAT(problems("liveness:\n  silence: 5ms\n  connectors:\n    a: {max_duratoin: 1h}\n"),
              ElementsAre("runfold.yaml:2: liveness.silence: is \"5ms\"; allowed is a duration from 1s to 30d (units ms, s, m, h, d)",
                          "runfold.yaml:4: liveness.connectors.a.max_duratoin: unknown key; did you mean max_duration?"));
  EXPECT_THAT(problems("commit:\n\n  interwal: 1s\n"), ElementsAre("runfold.yaml:3: commit.interwal: unknown key; did you mean interval?"));
  EXPECT_THAT(problems("metrics:\n  zzzzzzzzzzzzzzzzz: 1\n"),
              ElementsAre("runfold.yaml:2: metrics.zzzzzzzzzzzzzzzzz: unknown key; known here are max_connectors"));
}

TEST_F(ConfigTest, AnUnknownKafkaPropertyIsNamedWithTheNearestKnownOne) {
  EXPECT_THAT(problems("kafka:\n  bootstrap.server: a:1\n"),
              ElementsAre(testing::AllOf(testing::StartsWith("runfold.yaml:2: kafka.bootstrap.server: "),
                                         HasSubstr("did you mean bootstrap.servers?"))));
}

TEST_F(ConfigTest, PropertiesThatExactlyOnceRestsOnCannotBeSet) {
  EXPECT_THAT(problems("kafka:\n  group.id: x\n"), ElementsAre("runfold.yaml:2: kafka.group.id: group.id is set by group"));
  ConfigFlags flags;
  flags.bootstrap_servers = "a:1";
  flags.properties = {"enable.auto.commit=true"};
  EXPECT_THAT(load(flags).problems(), ElementsAre(testing::StartsWith("-X: enable.auto.commit is the collector's own")));
}

TEST_F(ConfigTest, EveryBadValueIsToldAtOnceWithWhatIsAllowed) {
  EXPECT_THAT(
      problems("commit:\n  interval: soon\n  rows: 0\ntopics:\n  create: maybe\n  events: a b\nhttp:\n  body_bytes: 4MB\n"),
      ElementsAre("runfold.yaml:6: topics.events: is \"a b\"; a topic's name is 1 to 249 letters, digits, dots, underscores and hyphens",
                  "runfold.yaml:5: topics.create: is \"maybe\"; allowed is true or false",
                  "runfold.yaml:2: commit.interval: is \"soon\"; allowed is a duration from 1ms to 1m (units ms, s, m, h, d)",
                  "runfold.yaml:3: commit.rows: is \"0\"; allowed is a whole number from 1 to 1000000",
                  "runfold.yaml:8: http.body_bytes: is \"4MB\"; allowed is a size from 1KiB to 64MiB (bytes, KiB, MiB, GiB)"));
}

TEST_F(ConfigTest, TwoTopicsOfOneNameAreRefused) {
  EXPECT_THAT(problems("topics:\n  events: same\n  logs: same\n"),
              ElementsAre("runfold.yaml:3: topics.logs: is \"same\", as another of these topics is; each needs a topic of its own"));
}

TEST_F(ConfigTest, AKeyGivenTwiceIsRefused) {
  EXPECT_THAT(problems("group: a\ngroup: b\n"), ElementsAre("runfold.yaml:2: group: given twice, first on line 1; keep one"));
}

TEST_F(ConfigTest, AKeyWithNoValueIsRefused) {
  EXPECT_THAT(problems("group:\n"), ElementsAre("runfold.yaml:1: group: has no value; give one or remove the key"));
}

TEST_F(ConfigTest, AListWhereOneValueBelongsIsRefused) {
  EXPECT_THAT(problems("group: [a]\n"), ElementsAre("runfold.yaml:1: group: must be one value, not a list or keys"));
}

TEST_F(ConfigTest, AValueWhereKeysBelongIsRefused) {
  EXPECT_THAT(problems("topics: runfold\n"), ElementsAre(HasSubstr("runfold.yaml:1: topics: must hold keys and values")));
}

TEST_F(ConfigTest, WhatIsNotYamlIsToldWithItsLine) {
  EXPECT_THAT(problems("group: g\n  listen: [\n"), ElementsAre(testing::MatchesRegex("runfold.yaml:[23]: is not valid YAML: .*")));
}

TEST_F(ConfigTest, AMissingFileIsToldWithWhoNamedIt) {
  ConfigFlags flags;
  flags.file = (folder_ / "none.yaml").string();
  flags.bootstrap_servers = "a:1";
  EXPECT_THAT(load(flags).problems(), ElementsAre(*flags.file + ": cannot be read: No such file or directory (given by --config)"));
}

TEST_F(ConfigTest, AnEmptyFileIsAllDefaults) {
  EXPECT_THAT(problems(""), IsEmpty());
  EXPECT_THAT(problems("# nothing\n"), IsEmpty());
}

TEST_F(ConfigTest, VariablesAreFilledIn) {
  set_["TEAM"] = "blue: [x";
  set_["EMPTY"] = "";
  const Config config = load_text("group: pre-${TEAM}-$$-${NONE:-def}-${EMPTY:-ault}\n");
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_EQ(config.group, "pre-blue: [x-$-def-ault");
}

TEST_F(ConfigTest, AVariableThatIsNotSetIsNamed) {
  EXPECT_THAT(problems("group: ${NOPE}\n"), ElementsAre("runfold.yaml:1: group: NOPE is not set; set it, or write ${NOPE:-default}"));
  EXPECT_THAT(problems("group: ${NOPE:?the team's name}\n"), ElementsAre("runfold.yaml:1: group: NOPE is not set: the team's name"));
  EXPECT_THAT(problems("group: ${NOPE\n"), ElementsAre("runfold.yaml:1: group: \"${\" has no \"}\"; write $$ for a dollar sign"));
  EXPECT_THAT(problems("group: ${no-pe}\n"), ElementsAre(HasSubstr("\"${no-pe}\" is not ${VAR}")));
}

TEST_F(ConfigTest, ASecretComesFromAFileBesideTheConfiguration) {
  write("password", "hunter2\n");
  const Config config = load_text("kafka:\n  sasl.password_file: password\n");
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_EQ(config.kafka.get("sasl.password"), "hunter2");
}

TEST_F(ConfigTest, AMissingSecretFileIsNamed) {
  EXPECT_THAT(problems("store_file: nowhere\n"),
              ElementsAre("runfold.yaml:1: store_file: cannot read " + (folder_ / "nowhere").string() + ": No such file or directory"));
}

TEST_F(ConfigTest, ASecretGivenTwiceIsRefused) {
  EXPECT_THAT(problems("store: sqlite:a\nstore_file: b\n"), ElementsAre("runfold.yaml:2: store_file: given beside store; keep one"));
}

TEST_F(ConfigTest, NoSinksAreMadeOfAnEmptyList) {
  const Config config = load_text("sinks: []\n");
  EXPECT_THAT(config.problems(), IsEmpty());
  EXPECT_THAT(config.sinks, IsEmpty());
}

TEST_F(ConfigTest, SinksNeedANameOfTheirOwnAndATypeAndKnownKinds) {
  EXPECT_THAT(problems("sinks:\n  - name: a\n    type: t\n  - name: a\n    type: t\n"),
              ElementsAre("runfold.yaml:4: sinks[1].name: is \"a\", as an earlier sink's is; each needs a name of its own"));
  EXPECT_THAT(problems("sinks:\n  - type: t\n"), ElementsAre(HasSubstr("runfold.yaml:2: sinks[0].name: is missing")));
  EXPECT_THAT(problems("sinks:\n  - name: a\n"), ElementsAre(HasSubstr("runfold.yaml:2: sinks[0].type: is missing")));
  EXPECT_THAT(problems("sinks:\n  - name: a\n    type: t\n    kinds: [runs]\n"),
              ElementsAre("runfold.yaml:4: sinks[0].kinds: holds \"runs\"; allowed are run and api_failure"));
}

TEST_F(ConfigTest, ASinksUnknownOptionIsToldByItsMaker) {
  const Config config = load_text("sinks:\n  - {name: a, type: t, url: x, timeoot: 1s}\n");
  EXPECT_THAT(config.problems(), IsEmpty());
  ConfigSection options = config.sinks[0].options;
  EXPECT_EQ(options.secret("url"), "x");
  EXPECT_EQ(options.duration("timeout", 9s, 1ms, 1min), 9s);
  options.finish();
  EXPECT_THAT(config.problems(), ElementsAre(HasSubstr("runfold.yaml:2: sinks[0].timeoot: unknown key; did you mean timeout?")));
}

TEST_F(ConfigTest, NoKafkaAtAllIsToldWithTheWaysToNameOne) {
  EXPECT_THAT(load().problems(),
              ElementsAre(HasSubstr("give --bootstrap-servers HOST:PORT, set RUNFOLD_BOOTSTRAP_SERVERS, or try --embedded-broker")));
  ConfigFlags flags;
  flags.embedded_broker = true;
  EXPECT_THAT(load(flags).problems(), IsEmpty());
  flags.bootstrap_servers = "a:1";
  EXPECT_THAT(load(flags).problems(), ElementsAre(HasSubstr("--embedded-broker: given beside --bootstrap-servers")));
}

TEST_F(ConfigTest, ABadListenAddressIsToldWithWhoGaveIt) {
  ConfigFlags flags;
  flags.bootstrap_servers = "a:1";
  for (const char* bad : {"8730", ":8730", "host:", "host:x", "host:70000"}) {
    flags.listen = bad;
    EXPECT_THAT(load(flags).problems(),
                ElementsAre(std::string("--listen: is \"") + bad + "\"; write HOST:PORT, for example 127.0.0.1:8730"));
  }
}

TEST_F(ConfigTest, AnEmptyFlagIsRefused) {
  ConfigFlags flags;
  flags.bootstrap_servers = "a:1";
  flags.store = "";
  EXPECT_THAT(load(flags).problems(), ElementsAre("--store: has no value; give one or leave it out"));
}

TEST_F(ConfigTest, AnAliasThatHoldsItselfIsRefused) {
  EXPECT_THAT(problems("group: g\ntopics: &a\n  x: *a\n"), Contains(HasSubstr("too much is nested here")));
}

TEST_F(ConfigTest, WhatToDoOnDataLossIsStopOrContinueAndTheFlagWins) {
  EXPECT_FALSE(load_text("group: g\n").continue_on_data_loss);
  EXPECT_TRUE(load_text("on_data_loss: continue\n").continue_on_data_loss);
  EXPECT_THAT(problems("on_data_loss: maybe\n"), Contains(HasSubstr("on_data_loss: is \"maybe\"; allowed is stop or continue")));
  ConfigFlags flags;
  flags.file = write("c.yaml", "kafka: {bootstrap.servers: file:1}\non_data_loss: continue\n");
  flags.on_data_loss = "stop";
  EXPECT_FALSE(load(flags).continue_on_data_loss);
}

TEST_F(ConfigTest, ADescriptionSaysWhatWillBeDoneAndShowsNoSecret) {
  const Config config =
      load_text("kafka: {sasl.password: hunter2}\nstore: postgresql://u:hunter2@h/d\ncommit: {interval: 5s}\nsinks: []\n");
  EXPECT_EQ(describe(config), "configuration: " + folder_.string() +
                                  "/runfold.yaml\n"
                                  "kafka.bootstrap.servers: localhost:9092\n"
                                  "kafka.sasl.password: (secret)\n"
                                  "reads: runfold.events, runfold.logs, runfold.operations as group runfold-collector\n"
                                  "dead letters: runfold.dead-letters\n"
                                  "missing topics: are made, with 4 partitions\n"
                                  "lost records: stop their partition for an operator\n"
                                  "store: postgresql:(not shown: it may hold a password) (" +
                                  folder_.string() +
                                  "/runfold.yaml:2: store)\n"
                                  "commits: every 5s or 10000 rows\n"
                                  "keeps runs: 90d, at most 10GiB\n"
                                  "keeps logs: 14d, at most 20GiB\n"
                                  "a silent run is lost: after 1 h, or 3 missed heartbeats (at least 30 s)\n"
                                  "listens: 127.0.0.1:8730 (the default)\n"
                                  "sinks: none\n");
}

TEST_F(ConfigTest, TheStateFolderFollowsTheEnvironment) {
  const auto folder = [](std::map<std::string, std::string> set) {
    return state_folder([set](const std::string& name) -> std::optional<std::string> {
      const auto found = set.find(name);
      return found == set.end() ? std::nullopt : std::optional(found->second);
    });
  };
  EXPECT_EQ(folder({{"RUNFOLD_STATE_DIR", "/a"}, {"XDG_STATE_HOME", "/b"}, {"HOME", "/c"}}), "/a");
  EXPECT_EQ(folder({{"XDG_STATE_HOME", "/b"}, {"HOME", "/c"}}), "/b/runfold");
  EXPECT_EQ(folder({{"HOME", "/c"}}), "/c/.local/state/runfold");
}

}  // namespace
}  // namespace runfold::collector
