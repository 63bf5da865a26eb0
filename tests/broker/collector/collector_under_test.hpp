// The real runfold-collector with topics, a group, a configuration and a store of its own.
#pragma once

#include "collector/store/store.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace runfold::collector::test {

/// Where the real Apache Kafka is.
[[nodiscard]] kafka::Properties broker_properties();

class CollectorUnderTest {
 public:
  /// Makes the topics, so that they can be filled before the collector starts. `name` tells tests apart.
  explicit CollectorUnderTest(const std::string& name);

  /// Starts it, at another address of Kafka if one is given.
  void start(const std::string& bootstrap_servers = {});
  /// SIGKILL.
  void kill();
  /// SIGTERM. The exit code; -1 when it did not end by itself in time.
  int terminate();

  /// Its address once it has printed it; empty when it did not.
  [[nodiscard]] std::string url();
  /// What it said on stderr since the last start.
  [[nodiscard]] std::string said() const { return program_ ? program_->err() : std::string(); }
  [[nodiscard]] bool running() { return program_ && program_->running(); }

  [[nodiscard]] const kafka::TopicNames& topics() const noexcept { return topics_; }
  [[nodiscard]] std::filesystem::path store_path() const { return folder_.path() / "store.db"; }
  /// Reads the store beside the collector; null while there is none.
  [[nodiscard]] std::unique_ptr<Query> query() const;

 private:
  runfold::test::TemporaryFolder folder_;
  kafka::TopicNames topics_;
  std::string group_;
  std::unique_ptr<runfold::test::Program> program_;
};

}  // namespace runfold::collector::test
