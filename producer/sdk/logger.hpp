// Logger: what a run says, to stderr and to Kafka.
#pragma once

#include "runfold/v1/log.pb.h"

#include <boost/json/value.hpp>

#include <chrono>
#include <memory>
#include <source_location>
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
/// A newline inside the message is written to stderr as "\n" (backslash, n) and a carriage return as "\r": one record, one line.
/// Secrets are replaced in both (Settings::redactor). Nothing else is changed, a backslash neither; the record has the message as
/// it was given.
///
/// A line of debug, info or notice for each record of the data would drown all others. So what one call site logs of these,
/// beyond Settings::site_rate, goes to stderr alone and is counted as rate_limited; one warning a call site and run says so.
/// Warnings and worse always pass. The call site is where the function is called: a wrapper hands through its caller's.
///
/// Thread: any. Never waits for Kafka; stderr is the durable record either way.
class Logger {
 public:
  void debug(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void info(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void notice(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void warn(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void error(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void critical(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void alert(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void emergency(std::string_view message, LogFields fields = {}, std::source_location site = std::source_location::current());
  void log(v1::Severity severity, std::string_view message, LogFields fields = {},
           std::source_location site = std::source_location::current());

 private:
  void warn_of_storm(const LogFields& fields, const std::source_location& site);

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
