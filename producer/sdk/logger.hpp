// Logger: what a run says, to stderr and to Kafka.
#pragma once

#include "runfold/v1/log.pb.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace runfold {

struct Place;

/// What goes with a message into the structured record, and not onto the stderr line.
struct LogFields {
  /// Where in the connector the line comes from, for example "upload". Empty: the logger's step, or else the one that this
  /// thread is in (see Context).
  std::string_view step = {};
  /// Anything one would filter or pivot on. null: none.
  boost::json::value detail = nullptr;
};

/// Logs for one run, or for a step of it. Each call writes one line to stderr,
/// "2026-05-16 14:32:11 UTC [INFO] Fetched 42 invoices from ERP", and hands one structured record to the producer.
/// A newline inside the message is written to stderr as "\n" (backslash, n): one record, one line.
///
/// Thread: any. Never waits for Kafka; stderr is the durable record either way.
class Logger {
 public:
  void debug(std::string_view message, LogFields fields = {});
  void info(std::string_view message, LogFields fields = {});
  void notice(std::string_view message, LogFields fields = {});
  void warn(std::string_view message, LogFields fields = {});
  void error(std::string_view message, LogFields fields = {});
  void critical(std::string_view message, LogFields fields = {});
  void alert(std::string_view message, LogFields fields = {});
  void emergency(std::string_view message, LogFields fields = {});
  void log(v1::Severity severity, std::string_view message, LogFields fields = {});

 private:
  /// Null: of no run.
  explicit Logger(std::shared_ptr<const Place> place) noexcept;
  std::shared_ptr<const Place> place_;
  friend class Context;
  friend class Run;
  friend class Step;
};

/// The fixed line without its newline; `at` is UTC, to the second.
/// Levels on the line: DEBUG, INFO, NOTICE, WARN, ERROR, CRITICAL, ALERT, EMERGENCY.
[[nodiscard]] std::string format_line(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message);

}  // namespace runfold
