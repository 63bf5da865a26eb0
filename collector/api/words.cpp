// The words of the API for the numbers of the wire: severities, streams, statuses, results, reasons.
#include "collector/api/words.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace runfold::collector {

namespace {

// Indexed by the wire number; the first is UNSPECIFIED.
constexpr std::array<std::string_view, 4> kStatuses{"", "pending", "running", "finished"};
constexpr std::array<std::string_view, 7> kResults{"", "success", "failure", "error", "timeout", "cancelled", "lost"};
constexpr std::array<std::string_view, 3> kSources{"", "declared", "inferred"};
constexpr std::array<std::string_view, 5> kStreams{"", "application", "stdout", "stderr", "container_api"};
constexpr std::array<std::string_view, v1::DropReason_ARRAYSIZE> kReasons{"",         "queue_full", "rate_limited", "delivery_timeout",
                                                                          "rejected", "too_large",  "spool_full",   "not_needed"};
constexpr std::array<std::string_view, 3> kTopics{"", "events", "logs"};
// Indexed by syslog severity.
constexpr std::array<std::string_view, 8> kSeverities{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};
constexpr std::array<std::string_view, 8> kLineSeverities{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"};

std::string_view at(std::span<const std::string_view> words, int number) noexcept {
  return number >= 0 && static_cast<std::size_t>(number) < words.size() ? words[static_cast<std::size_t>(number)] : std::string_view{};
}

template <class Enum>
std::optional<Enum> find(std::span<const std::string_view> words, std::string_view word) noexcept {
  const auto found = std::find(words.begin() + 1, words.end(), word);
  if (found == words.end()) {
    return std::nullopt;
  }
  return static_cast<Enum>(found - words.begin());
}

std::string listed(std::span<const std::string_view> words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

std::string_view word_of(v1::RunStatus status) noexcept {
  return at(kStatuses, status);
}
std::string_view word_of(v1::RunResult result) noexcept {
  return at(kResults, result);
}
std::string_view word_of(v1::ResultSource source) noexcept {
  return at(kSources, source);
}
std::string_view word_of(v1::LogStream stream) noexcept {
  return at(kStreams, stream);
}
std::string_view word_of(v1::DropReason reason) noexcept {
  return at(kReasons, reason);
}
std::string_view word_of(v1::Topic topic) noexcept {
  return at(kTopics, topic);
}

std::optional<v1::RunStatus> status_of(std::string_view word) noexcept {
  return find<v1::RunStatus>(kStatuses, word);
}
std::optional<v1::RunResult> result_of(std::string_view word) noexcept {
  return find<v1::RunResult>(kResults, word);
}
std::optional<v1::LogStream> stream_of(std::string_view word) noexcept {
  return find<v1::LogStream>(kStreams, word);
}

std::string status_words() {
  return listed(std::span(kStatuses).subspan(1));
}
std::string result_words() {
  return listed(std::span(kResults).subspan(1));
}
std::string stream_words() {
  return listed(std::span(kStreams).subspan(1));
}
std::string severity_words() {
  return "0 to 7, " + listed(kSeverities);
}

int syslog_of(v1::Severity severity) noexcept {
  return severity >= v1::SEVERITY_EMERGENCY && severity <= v1::SEVERITY_DEBUG ? static_cast<int>(severity) - 1 : 6;
}
std::string_view severity_word(int syslog) noexcept {
  return at(kSeverities, syslog);
}
std::string_view severity_line_word(int syslog) noexcept {
  return at(kLineSeverities, syslog);
}

std::optional<int> severity_of(std::string_view text) {
  if (text.size() == 1 && text[0] >= '0' && text[0] <= '7') {
    return text[0] - '0';
  }
  std::string word(text);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (word == "emerg") return 0;
  if (word == "crit") return 2;
  if (word == "err") return 3;
  if (word == "warn") return 4;
  const auto found = std::find(kSeverities.begin(), kSeverities.end(), word);
  if (found == kSeverities.end()) {
    return std::nullopt;
  }
  return static_cast<int>(found - kSeverities.begin());
}

v1::LogStream stream_or_application(v1::LogStream stream) noexcept {
  return stream >= v1::LOG_STREAM_APPLICATION && stream <= v1::LOG_STREAM_CONTAINER_API ? stream : v1::LOG_STREAM_APPLICATION;
}

}  // namespace runfold::collector
