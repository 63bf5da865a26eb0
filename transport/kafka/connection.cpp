// Turns what librdkafka says about connections into errors that people can act on.
#include "transport/kafka/connection.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

namespace runfold::kafka {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// "sasl_ssl://host:9092/bootstrap: Connect ..." -> "host:9092"; empty when the reason names no broker.
std::string address_of(std::string_view reason) {
  if (const auto scheme = reason.find("://"); scheme != std::string_view::npos && scheme < 16) reason.remove_prefix(scheme + 3);
  const auto slash = reason.find('/');
  const auto space = reason.find(' ');
  if (slash == std::string_view::npos || (space != std::string_view::npos && space < slash)) return {};
  const std::string_view address = reason.substr(0, slash);
  if (!contains(address, ":")) return {};
  return std::string(address);
}

void discard_log(const rd_kafka_t*, int, const char*, const char*) {}

/// Only when the user has set `debug`: that is a wish to see librdkafka's own lines.
void print_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  static constexpr std::array<const char*, 8> kNames = {"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> stamp{};
  std::strftime(stamp.data(), stamp.size(), "%Y-%m-%d %H:%M:%S UTC", &utc);
  const char* name = level >= 0 && level < static_cast<int>(kNames.size()) ? kNames[static_cast<std::size_t>(level)] : "DEBUG";
  std::fprintf(stderr, "%s [%s] librdkafka %s: %s\n", stamp.data(), name, facility, text);
}

bool uses_oauthbearer(const Properties& properties) {
  const auto mechanism = properties.get("sasl.mechanisms");
  return (mechanism ? mechanism : properties.get("sasl.mechanism")).value_or("") == "OAUTHBEARER";
}

}  // namespace

std::string cause_of(std::string_view reason) {
  if (contains(reason, "Connection refused")) return "connection refused";
  if (contains(reason, "setup timed out")) return "the connection timed out";
  if (contains(reason, "Failed to resolve")) return "the name does not resolve";
  if (contains(reason, "No route to host")) return "no route to the host";
  if (contains(reason, "Network is unreachable")) return "the network is unreachable";
  if (contains(reason, "certificate verify failed")) {
    return "its certificate cannot be verified: did an authority of ssl.ca.location sign it, and for this host name?";
  }
  if (contains(reason, "Disconnected while requesting ApiVersion")) {
    return "it closes the connection: does security.protocol fit its listener?";
  }
  if (contains(reason, "Disconnected") || contains(reason, "Receive failed") || contains(reason, "Connection closed") ||
      contains(reason, "Connection reset")) {
    return "it closed the connection";
  }
  // Otherwise librdkafka's own words, without the broker's name before them and the timing behind.
  if (const auto colon = reason.find(": "); colon != std::string_view::npos) reason.remove_prefix(colon + 2);
  if (const auto after = reason.rfind(" (after "); after != std::string_view::npos) reason = reason.substr(0, after);
  std::string cause(reason);
  while (!cause.empty() && std::isspace(static_cast<unsigned char>(cause.back()))) cause.pop_back();
  return cause;
}

Connection::Connection(std::string bootstrap_servers) : bootstrap_servers_(std::move(bootstrap_servers)) {}

std::optional<Error> Connection::on_error(int rdkafka_error, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  switch (rdkafka_error) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: {
      unreachable_.store(true);
      if (refused_access_) return refusal();
      std::string message = "no Kafka broker answers at " + bootstrap_servers_;
      if (!cause_.empty()) message += " (" + cause_ + ")";
      return Error{Errc::kUnreachable, std::move(message)};
    }
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__TIMED_OUT: {
      cause_ = cause_of(reason);
      refused_access_ = false;
      std::string address = address_of(reason);
      if (address.empty()) address = bootstrap_servers_;
      // A connection that was good and ends: the next attempt to connect tells whether that is trouble.
      if (contains(reason, "in state UP") || contains(reason, "in state UPDATE")) return std::nullopt;
      if (unreachable()) return Error{Errc::kUnreachable, "no Kafka broker answers at " + address + " (" + cause_ + ")"};
      // While any broker may answer, one that does not is news but no outage. _ALL_BROKERS_DOWN follows at once if it is one.
      return std::nullopt;
    }
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      cause_ = cause_of(reason);
      refused_access_ = true;
      return refusal();
    default:
      return Error{classify(rdkafka_error), std::string(rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(rdkafka_error))) +
                                                (reason.empty() ? "" : ": ") + std::string(reason)};
  }
}

Error Connection::refusal() const {
  return {Errc::kUnauthorised, "Kafka at " + bootstrap_servers_ + " refuses this client: " + cause_ +
                                   "; check sasl.mechanisms, sasl.username and sasl.password"};
}

std::optional<std::string> bootstrap_servers(const Properties& properties) {
  auto servers = properties.get("bootstrap.servers");
  return servers ? servers : properties.get("metadata.broker.list");
}

Result<ConfHandle> make_conf(const Properties& properties) {
  if (!bootstrap_servers(properties).value_or("").size()) {
    return Error{Errc::kInvalid, "no Kafka address is given; set bootstrap.servers, for example 127.0.0.1:9092"};
  }
  ConfHandle conf{rd_kafka_conf_new()};
  std::array<char, 512> why{};
  for (const auto& [name, value] : properties.all()) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
      return Error{Errc::kInvalid,
                   "Kafka property " + name + " is refused" + (Properties::is_secret(name) ? "" : std::string(": ") + why.data())};
    }
  }
  // OAUTHBEARER tokens are renewed by librdkafka's own thread: the queues here are read as events, not as callbacks.
  if (uses_oauthbearer(properties)) rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
  rd_kafka_conf_set_log_cb(conf.get(), properties.get("debug").value_or("").empty() ? discard_log : print_log);
  return conf;
}

Result<ClientHandle> make_client(rd_kafka_type_t type, ConfHandle conf, const Properties& properties) {
  std::array<char, 512> why{};
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (client == nullptr) return Error{Errc::kInvalid, std::string("the Kafka client cannot be made: ") + why.data()};
  static_cast<void>(conf.release());  // rd_kafka_new owns it now
  ClientHandle owned{client};
  if (uses_oauthbearer(properties)) {
    const ErrorHandle refusal{rd_kafka_sasl_background_callbacks_enable(client)};
    if (refusal) return make_error(rd_kafka_error_code(refusal.get()), "renew OAUTHBEARER tokens", rd_kafka_error_string(refusal.get()));
  }
  return owned;
}

}  // namespace runfold::kafka
