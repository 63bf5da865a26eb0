// The real runfold-collector with topics, a group, a configuration and a store of its own.
#pragma once

#include "collector/store/store.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runfold::collector::test {

/// Where the real Apache Kafka is.
[[nodiscard]] kafka::Properties broker_properties();

class CollectorUnderTest {
 public:
  /// Makes the topics, so that they can be filled before the collector starts. `name` tells tests apart; `kafka` is added to
  /// its configuration, and so are the lines of `more`.
  explicit CollectorUnderTest(const std::string& name, const std::map<std::string, std::string>& kafka = {}, const std::string& more = {});

  /// Starts it, at another address of Kafka if one is given, with more arguments if there are any. At a failpoint it kills
  /// itself: see collector/failpoint.hpp.
  void start(const std::string& bootstrap_servers = {}, const std::vector<std::string>& arguments = {}, const std::string& failpoint = {});
  /// Starts it in a mount namespace of its own, with the store on a file system of this size: disk().
  void start_on_small_disk(const std::string& size);
  /// That file system, seen from outside. While the collector runs.
  [[nodiscard]] std::filesystem::path disk() const;
  [[nodiscard]] pid_t pid() const { return program_->pid(); }
  /// SIGKILL.
  void kill();
  void signal(int number) { program_->signal(number); }
  /// SIGTERM. The exit code; -1 when it did not end by itself in time.
  int terminate();

  /// Its address once it has printed it; empty when it did not.
  [[nodiscard]] std::string url();
  /// What it said on stderr since the last start.
  [[nodiscard]] std::string said() const { return program_ ? program_->err() : std::string(); }
  [[nodiscard]] bool running() { return program_ && program_->running(); }
  /// How it ended by itself; waits for that. Absent when it still runs.
  [[nodiscard]] std::optional<runfold::test::Ending> ended() { return program_->wait(); }
  /// /readyz says that it is ready; false when it is not in time, or has ended.
  [[nodiscard]] bool ready();

  [[nodiscard]] const kafka::TopicNames& topics() const noexcept { return topics_; }
  [[nodiscard]] const std::string& group() const noexcept { return group_; }
  [[nodiscard]] std::filesystem::path store_path() const { return folder_.path() / "store.db"; }
  /// Reads the store beside the collector; null while there is none.
  [[nodiscard]] std::unique_ptr<Query> query() const;

 private:
  void run(std::vector<std::string> launcher, const std::filesystem::path& store, const std::string& bootstrap_servers,
           const std::vector<std::string>& arguments, const std::string& failpoint);

  runfold::test::TemporaryFolder folder_;
  kafka::TopicNames topics_;
  std::string group_;
  std::unique_ptr<runfold::test::Program> program_;
};

}  // namespace runfold::collector::test
