// The words of the API for the numbers of the wire: severities, streams, statuses, results, reasons.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/run.pb.h"
#include "runfold/v1/stats.pb.h"

#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Each word_of gives "" for what was not said or is not known to this release.
[[nodiscard]] std::string_view word_of(v1::RunStatus status) noexcept;
[[nodiscard]] std::string_view word_of(v1::RunResult result) noexcept;
[[nodiscard]] std::string_view word_of(v1::ResultSource source) noexcept;
[[nodiscard]] std::string_view word_of(v1::LogStream stream) noexcept;
[[nodiscard]] std::string_view word_of(v1::DropReason reason) noexcept;
[[nodiscard]] std::string_view word_of(v1::Topic topic) noexcept;

[[nodiscard]] std::optional<v1::RunStatus> status_of(std::string_view word) noexcept;
[[nodiscard]] std::optional<v1::RunResult> result_of(std::string_view word) noexcept;
[[nodiscard]] std::optional<v1::LogStream> stream_of(std::string_view word) noexcept;

/// For error messages: "pending, running or finished" and so on.
[[nodiscard]] std::string status_words();
[[nodiscard]] std::string result_words();
[[nodiscard]] std::string stream_words();
[[nodiscard]] std::string severity_words();

/// The syslog severity, 0 to 7; what was not said is 6, informational.
[[nodiscard]] int syslog_of(v1::Severity severity) noexcept;
/// "error" for 3.
[[nodiscard]] std::string_view severity_word(int syslog) noexcept;
/// "ERROR" for 3, "WARN" for 4: as log lines have it.
[[nodiscard]] std::string_view severity_line_word(int syslog) noexcept;
/// Reads a number 0 to 7, a name or an alias (emerg, crit, err, warn), in any case.
[[nodiscard]] std::optional<int> severity_of(std::string_view text);

/// What was not said is application.
[[nodiscard]] v1::LogStream stream_or_application(v1::LogStream stream) noexcept;

}  // namespace runfold::collector
