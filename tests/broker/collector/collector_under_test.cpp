// Configures, starts and ends a real collector.
#include "tests/broker/collector/collector_under_test.hpp"

#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/broker/collector/oracle.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/wait_until.hpp"

#include <signal.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <random>
#include <regex>
#include <stdexcept>

namespace runfold::collector::test {

kafka::Properties broker_properties() {
  const char* servers = std::getenv("RUNFOLD_TEST_BOOTSTRAP");
  if (servers == nullptr) throw std::runtime_error("RUNFOLD_TEST_BOOTSTRAP is not set: run this under tests/broker/with-broker");
  kafka::Properties properties;
  properties.set("bootstrap.servers", servers).value();
  return properties;
}

CollectorUnderTest::CollectorUnderTest(const std::string& name, const std::map<std::string, std::string>& kafka, const std::string& more) {
  const std::string own = name + "-" + std::to_string(std::random_device{}());
  topics_ = {own + ".events", own + ".logs", own + ".operations", own + ".runs", own + ".api-failures", own + ".dead-letters"};
  group_ = own;
  kafka::create_topics(broker_properties(), kafka::topic_policies(topics_, kPartitions, 1), std::chrono::seconds(60)).value();
  std::ofstream config(folder_.path() / "runfold.yaml");
  config << "topics:\n"
         << "  events: " << topics_.events << "\n  logs: " << topics_.logs << "\n  operations: " << topics_.operations
         << "\n  runs: " << topics_.runs << "\n  api_failures: " << topics_.api_failures << "\n  dead_letters: " << topics_.dead_letters
         << "\n"
         // Many small transactions, so that a kill falls among them; few runs in memory, so that rows are loaded again.
         << "commit:\n  interval: 20ms\n  rows: 100\n"
         << "limits:\n  runs_in_memory: 100\n"
         << more << "kafka:\n";
  std::map<std::string, std::string> properties = kafka;
  properties.try_emplace("session.timeout.ms", "10000");
  for (const auto& [property, value] : properties) config << "  " << property << ": " << value << "\n";
}

void CollectorUnderTest::start(const std::string& bootstrap_servers, const std::vector<std::string>& arguments,
                               const std::string& failpoint) {
  run({}, store_path(), bootstrap_servers, arguments, failpoint);
}

void CollectorUnderTest::start_on_small_disk(const std::string& size) {
  const auto mounted = folder_.path() / "disk";
  std::filesystem::create_directory(mounted);
  // Everything is exec'd, so the process id stays that of the program started.
  run({"/usr/bin/unshare", "--mount", "--map-root-user", "/bin/sh", "-c",
       "mount -t tmpfs -o size=\"$1\" none \"$2\" && shift 2 && exec \"$@\"", "sh", size, mounted.string()},
      mounted / "store.db", {}, {}, {});
}

std::filesystem::path CollectorUnderTest::disk() const {
  return std::filesystem::path("/proc/" + std::to_string(program_->pid()) + "/root" + (folder_.path() / "disk").string());
}

void CollectorUnderTest::run(std::vector<std::string> launcher, const std::filesystem::path& store, const std::string& bootstrap_servers,
                             const std::vector<std::string>& arguments, const std::string& failpoint) {
  const std::string servers = bootstrap_servers.empty() ? broker_properties().get("bootstrap.servers").value() : bootstrap_servers;
  std::vector<std::string> command = std::move(launcher);
  const std::vector<std::string> collector{RUNFOLD_BINARY_DIR "/runfold-collector",
                                           "--config",
                                           (folder_.path() / "runfold.yaml").string(),
                                           "--bootstrap-servers",
                                           servers,
                                           "--store",
                                           "sqlite:" + store.string(),
                                           "--listen",
                                           "127.0.0.1:0",
                                           "--group",
                                           group_};
  command.insert(command.end(), collector.begin(), collector.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  const std::map<std::string, std::string> environment{{"RUNFOLD_STATE_DIR", folder_.path().string()},
                                                       {"RUNFOLD_FAILPOINT", failpoint},
                                                       {"RUNFOLD_BOOTSTRAP_SERVERS", ""},
                                                       {"RUNFOLD_CONFIG", ""},
                                                       {"RUNFOLD_STORE", ""},
                                                       {"RUNFOLD_LISTEN", ""},
                                                       {"RUNFOLD_GROUP", ""}};
  program_ = std::make_unique<runfold::test::Program>(command, environment);
}

void CollectorUnderTest::kill() {
  program_->signal(SIGKILL);
  static_cast<void>(program_->wait());
}

int CollectorUnderTest::terminate() {
  program_->signal(SIGTERM);
  const auto ending = program_->wait(std::chrono::seconds(40));
  return ending && ending->exit_code ? *ending->exit_code : -1;
}

std::string CollectorUnderTest::url() {
  static const std::regex kAddress("http://127\\.0\\.0\\.1:[0-9]+");
  std::smatch found;
  std::string text;
  const bool told = runfold::test::wait_until([&] {
    text = program_->out() + program_->err();
    return std::regex_search(text, found, kAddress) || !program_->running();
  });
  return told && !found.empty() ? found.str() : std::string();
}

bool CollectorUnderTest::ready() {
  const std::string readiness = url() + "/readyz";
  return runfold::test::wait_until([&] {
           const auto answer = runfold::test::http_get(readiness);
           return (answer && answer->status == 200) || !running();
         }) &&
         running();
}

std::unique_ptr<Query> CollectorUnderTest::query() const {
  if (!std::filesystem::exists(store_path())) return nullptr;
  SqliteOptions options;
  options.access = SqliteOptions::Access::kRead;
  auto store = open_sqlite_store(store_path(), options);
  if (!store) return nullptr;
  auto query = (*store)->query();
  return query ? std::move(*query) : nullptr;
}

}  // namespace runfold::collector::test
