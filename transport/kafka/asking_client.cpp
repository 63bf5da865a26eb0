// Asks, and listens to what becomes of the connection meanwhile.
#include "transport/kafka/asking_client.hpp"

#include "transport/kafka/client_end.hpp"

#include <algorithm>
#include <utility>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

/// How long brokers that cannot be connected to are tried: "localhost" may stand for two addresses, of which one answers.
constexpr std::chrono::milliseconds kUnreachableLimit{1'000};

Properties with_defaults(Properties properties) {
  properties.set_default("client.id", "runfold");
  properties.set_default("socket.nagle.disable", "true");
  return properties;
}

}  // namespace

AskingClient::AskingClient(const Properties& properties, std::chrono::milliseconds limit)
    : properties_(with_defaults(properties)),
      servers_(bootstrap_servers(properties_).value_or("")),
      connection_(servers_),
      limit_(limit),
      deadline_(Clock::now() + limit) {}

AskingClient::~AskingClient() {
  end_client(std::move(client_));
}

Result<void> AskingClient::start() {
  auto conf = make_conf(properties_);
  if (!conf) return conf.error();
  rd_kafka_conf_set_opaque(conf->get(), this);
  rd_kafka_conf_set_error_cb(conf->get(), [](rd_kafka_t*, int code, const char* reason, void* opaque) {
    auto& self = *static_cast<AskingClient*>(opaque);
    if (auto error = self.connection_.on_error(code, reason == nullptr ? "" : reason)) self.trouble_ = std::move(error);
  });
  auto client = make_client(RD_KAFKA_PRODUCER, std::move(*conf), properties_);
  if (!client) return client.error();
  client_ = std::move(*client);
  return {};
}

Result<MetadataHandle> AskingClient::topics() {
  // In growing parts: what is heard of the connection meanwhile decides whether to go on.
  for (int part_ms = 100;; part_ms = std::min(part_ms * 2, 60'000)) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 1, nullptr, &metadata, std::min(part_ms, left_ms()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return MetadataHandle(metadata);
    Error failed = failure(error, "list the topics");
    const bool given_up = trouble_ && Clock::now() >= deadline_ - limit_ + kUnreachableLimit;
    if (!failed.retryable() || given_up || time_is_up()) return failed;
  }
}

Error AskingClient::failure(rd_kafka_resp_err_t code, const std::string& doing, std::string detail) {
  while (rd_kafka_poll(client_.get(), 0) > 0) {
  }
  const Errc errc = classify(code);
  if ((errc == Errc::kUnreachable || errc == Errc::kTimedOut) && trouble_) return *trouble_;
  if (code == RD_KAFKA_RESP_ERR__TRANSPORT) {
    detail = "no answer from " + servers_ + " within " + std::to_string(limit_.count()) + " ms";
  }
  return make_error(code, doing, std::move(detail));
}

int AskingClient::left_ms() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 1, 3'600'000));
}

bool AskingClient::time_is_up() const {
  return Clock::now() >= deadline_;
}

}  // namespace runfold::kafka
