// ce_id is run, attempt, source, topic and sequence: what makes a record itself.
#include "producer/delivery/record_headers.hpp"

#include <charconv>
#include <chrono>

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

void append_padded(std::string& out, unsigned number, unsigned digits) {
  char text[4];
  for (unsigned i = digits; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  out.append(text, digits);
}

// RFC 3339 in UTC with milliseconds, for example "2026-05-16T14:32:11.123Z". By hand: it is written for every record.
void append_time(std::string& out, std::int64_t since_epoch_ns) {
  using namespace std::chrono;
  const sys_time<nanoseconds> at{nanoseconds(since_epoch_ns)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(floor<milliseconds>(at - day));
  const auto add = [&out](auto number, unsigned digits, char behind) {
    append_padded(out, static_cast<unsigned>(number), digits);
    out += behind;
  };
  add(int{date.year()}, 4, '-');
  add(unsigned{date.month()}, 2, '-');
  add(unsigned{date.day()}, 2, 'T');
  add(time.hours().count(), 2, ':');
  add(time.minutes().count(), 2, ':');
  add(time.seconds().count(), 2, '.');
  add(time.subseconds().count(), 3, 'Z');
}

}  // namespace

std::span<const kafka::Header> RecordHeaders::write(const HeaderFacts& facts) {
  id_.assign(facts.run.run_id);
  id_ += '/';
  append_number(id_, facts.run.attempt);
  id_ += '/';
  id_ += facts.run.source_id;
  id_ += '/';
  id_ += facts.topic;
  id_ += '/';
  append_number(id_, facts.sequence);
  time_.clear();
  append_time(time_, facts.time_ns);
  source_.clear();
  append_uri_text(source_, facts.run.connector_id);

  std::size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) { headers_[count++] = {.name = name, .value = value}; };
  // Those that seldom change come first: see kafka::HeaderLists.
  add("content-type", "application/protobuf");
  add("ce_specversion", "1.0");
  add("ce_type", facts.channel == Channel::kEvents ? "runfold.v1.SyncEvent" : "runfold.v1.LogBatch");
  add("ce_source", source_);
  if (!facts.traceparent.empty()) add("traceparent", facts.traceparent);
  if (!facts.traceparent.empty() && !facts.tracestate.empty()) add("tracestate", facts.tracestate);
  add("ce_time", time_);
  add("ce_id", id_);
  return {headers_.data(), count};
}

}  // namespace runfold::delivery
