// A client that asks a cluster a few questions under one deadline, and says in a person's words why it gets no answer.
#pragma once

#include "transport/kafka/connection.hpp"
#include "transport/kafka/error.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/properties.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace runfold::kafka {

/// Thread: one. The destructor does not wait for a name server that does not answer.
class AskingClient {
 public:
  /// `limit` is for all questions together.
  AskingClient(const Properties& properties, std::chrono::milliseconds limit);
  ~AskingClient();
  AskingClient(const AskingClient&) = delete;
  AskingClient& operator=(const AskingClient&) = delete;

  /// Call it first. Errors: kInvalid.
  [[nodiscard]] Result<void> start();

  /// All topics of the cluster: to ask about one by name would make it, where the broker makes topics by itself.
  /// Errors: kUnreachable after a second when connections fail, else kTimedOut at the deadline; kUnauthorised.
  [[nodiscard]] Result<MetadataHandle> topics();

  /// What the error of a question means; when the brokers cannot be reached at all, that is the better thing to say.
  [[nodiscard]] Error failure(rd_kafka_resp_err_t code, const std::string& doing, std::string detail = {});

  [[nodiscard]] rd_kafka_t* handle() const noexcept { return client_.get(); }
  [[nodiscard]] const std::string& servers() const noexcept { return servers_; }
  [[nodiscard]] std::chrono::milliseconds limit() const noexcept { return limit_; }
  /// At least 1.
  [[nodiscard]] int left_ms() const;
  [[nodiscard]] bool time_is_up() const;

 private:
  Properties properties_;
  std::string servers_;
  Connection connection_;
  std::optional<Error> trouble_;
  std::chrono::milliseconds limit_;
  std::chrono::steady_clock::time_point deadline_;
  ClientHandle client_;
};

}  // namespace runfold::kafka
