// ce_id is run, attempt, source, topic and sequence: what makes a record itself.
#include "producer/delivery/record_headers.hpp"

#include "producer/delivery/wire.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace runfold::delivery {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// CloudEvents asks for a URI reference: what cannot stand in one is percent-encoded.
void append_uri_text(std::string& out, std::string_view text) {
  constexpr std::string_view kPlain = "-._~/:@!$&'()*+,;=";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
}

}  // namespace

std::string rfc3339(std::int64_t since_epoch_ns) {
  const wire::Timestamp at(since_epoch_ns);
  const std::time_t seconds = at.seconds;
  std::tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return "1970-01-01T00:00:00.000Z";  // a year that no int can hold
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                                 utc.tm_hour, utc.tm_min, utc.tm_sec, at.nanos / 1'000'000);
  return {text, static_cast<std::size_t>(size)};
}

std::span<const kafka::Header> RecordHeaders::write(const HeaderFacts& facts) {
  id_.assign(facts.run.about.run_id);
  id_ += '/';
  append_number(id_, facts.run.about.attempt);
  id_ += '/';
  id_ += facts.run.about.source_id;
  id_ += '/';
  id_ += facts.topic;
  id_ += '/';
  append_number(id_, facts.sequence);
  time_ = rfc3339(facts.time_ns);
  source_.clear();
  append_uri_text(source_, facts.run.about.connector_id);

  std::size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) { headers_[count++] = {.name = name, .value = value}; };
  if (!facts.traceparent.empty()) add("traceparent", facts.traceparent);
  if (!facts.traceparent.empty() && !facts.tracestate.empty()) add("tracestate", facts.tracestate);
  add("content-type", "application/protobuf");
  add("ce_specversion", "1.0");
  add("ce_id", id_);
  add("ce_type", facts.channel == Channel::kEvents ? "runfold.v1.SyncEvent" : "runfold.v1.LogBatch");
  add("ce_source", source_);
  add("ce_time", time_);
  return {headers_.data(), count};
}

}  // namespace runfold::delivery
