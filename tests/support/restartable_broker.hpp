// A real Apache Kafka of a test's own, which the test may kill and start again with the same data at the same address, or freeze.
#pragma once

#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace runfold::test {

/// Where tests/broker/with-broker works, deploy/kafka/dev-broker does. The kernel ends the broker should the test be killed.
class RestartableBroker {
 public:
  /// `properties`: lines added to its server.properties, as dev-broker's --properties takes them.
  explicit RestartableBroker(const std::string& properties = {}) {
    std::ofstream(properties_) << properties;
    start();
  }

  /// Waits until it answers.
  void start() {
    program_ = std::make_unique<Program>(std::vector<std::string>{"/usr/bin/setpriv", "--pdeathsig", "KILL", "deploy/kafka/dev-broker",
                                                                  "run", "--data", folder_.path().string(), "--properties", properties_});
    const bool up = wait_until([&] { return program_->err().find("Kafka Server started") != std::string::npos || !program_->running(); });
    if (!up || !program_->running()) throw std::runtime_error("the broker does not start: " + program_->err());
  }
  /// SIGKILL: what it has not written is lost, as in a crash of the process.
  void kill() {
    program_->signal(SIGKILL);
    static_cast<void>(program_->wait());
  }

  /// SIGSTOP, to be undone by thaw(): it answers nothing while its connections stand and new ones are accepted by the kernel, as if
  /// the network took in all that is sent to it. dev-broker has become the JVM by then. Waits until it stands still.
  void freeze() {
    program_->signal(SIGSTOP);
    if (!wait_until([this] { return frozen(); })) throw std::runtime_error("the broker does not stand still");
  }
  void thaw() { program_->signal(SIGCONT); }
  [[nodiscard]] bool frozen() const {
    std::string word;
    std::ifstream status("/proc/" + std::to_string(program_->pid()) + "/status");
    while (status >> word && word != "State:") {
    }
    return status >> word && word == "T";
  }

  /// bootstrap.servers; the same after each start.
  [[nodiscard]] std::string address() const {
    std::string port;
    std::ifstream(folder_.path() / "port") >> port;
    return "127.0.0.1:" + port;
  }
  /// Where the topic's first partition has its files.
  [[nodiscard]] std::filesystem::path partition(const std::string& topic) const { return folder_.path() / "log" / (topic + "-0"); }

 private:
  TemporaryFolder folder_;
  const std::string properties_ = (folder_.path() / "added.properties").string();
  std::unique_ptr<Program> program_;
};

}  // namespace runfold::test
