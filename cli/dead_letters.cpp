// runfold dead-letters: what the collector could not read, why, and sending it back.
#include "cli/dead_letters.hpp"

#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <memory>
#include <queue>
#include <tuple>
#include <utility>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kDeadLettersFooter = R"(
Examples:
  runfold dead-letters list                            the newest ones, newest first
  runfold dead-letters list --reason malformed --from 2h --json
  runfold dead-letters show 3/1042                     one of them: headers, key, bytes
  runfold dead-letters show 3/1042 --raw > record.bin
  runfold dead-letters redrive --reason identity --dry-run
  runfold dead-letters redrive 3/1042 3/1043
An ADDRESS is PARTITION/OFFSET of the dead letter in its own topic, as list prints it. Times are UTC.)";

/// What a list keeps of a letter is bounded, so that the list is.
constexpr std::size_t kShownBytes = 200;
constexpr std::size_t kMostListed = 10'000;
constexpr std::size_t kDumpBytes = 512;

struct ListFlags {
  LetterFlags letters;
  LetterFilter filter;
  std::size_t limit = 50;
};

/// A letter as the list shows it, with memory of its own.
struct Listed {
  std::int64_t timestamp_ms = -1;
  LetterAddress address;
  std::string topic, partition, offset, reason, exception_class, message;
  std::optional<std::string> key;
  std::size_t bytes = 0;
  std::uint64_t redriven = 0;

  /// True when it comes before the other in a list: the newest first.
  [[nodiscard]] bool operator<(const Listed& other) const {
    return std::tie(other.timestamp_ms, other.address) < std::tie(timestamp_ms, address);
  }
};

Listed listed(const DeadLetterView& letter) {
  Listed one{letter.timestamp_ms,
             letter.address,
             shortened(letter.topic, kShownBytes),
             shortened(letter.partition, kShownBytes),
             shortened(letter.offset, kShownBytes),
             shortened(letter.reason, kShownBytes),
             shortened(letter.exception_class, kShownBytes),
             shortened(letter.message, kShownBytes),
             {},
             letter.value ? letter.value->size() : 0,
             letter.redriven};
  if (letter.key) one.key = shortened(*letter.key, kShownBytes);
  return one;
}

void put(json::object& document, const char* name, const std::string& text) {
  if (!text.empty()) document[name] = text;
}

json::object to_json(const Listed& letter) {
  json::object document{{"address", text_of(letter.address)}};
  put(document, "at", rfc3339_of(letter.timestamp_ms));
  put(document, "topic", letter.topic);
  put(document, "partition", letter.partition);
  put(document, "offset", letter.offset);
  put(document, "reason", letter.reason);
  put(document, "exception_class", letter.exception_class);
  put(document, "message", letter.message);
  if (letter.key) document["key"] = *letter.key;
  document["bytes"] = letter.bytes;
  document["redriven"] = letter.redriven;
  return document;
}

int list_letters(const ListFlags& flags, Streams& streams) {
  const auto search = LetterSearch::make(flags.letters, flags.filter);
  if (!search) return report(streams, search.error());
  // The oldest of those that are kept is on top, to go first.
  std::priority_queue<Listed> kept;
  std::size_t found = 0;
  const auto done = search->each({}, streams.err, [&](const DeadLetterView& letter) {
    ++found;
    kept.push(listed(letter));
    if (kept.size() > flags.limit) kept.pop();
    return true;
  });
  if (!done) return report(streams, done.error());
  std::vector<Listed> letters;
  for (; !kept.empty(); kept.pop()) letters.push_back(kept.top());
  std::reverse(letters.begin(), letters.end());

  Table table({{"ADDRESS"}, {"AT (UTC)"}, {"REASON"}, {"FROM"}, {"KEY"}, {"BYTES", true}, {"REDRIVEN", true}, {"MESSAGE"}});
  for (const Listed& letter : letters) {
    if (flags.letters.json) {
      streams.out << json::serialize(to_json(letter)) << "\n";
      continue;
    }
    const std::string from = letter.topic.empty() ? "" : letter.topic + "/" + letter.partition + "/" + letter.offset;
    table.add({{text_of(letter.address), Tone::kStrong},
               {format_time(rfc3339_of(letter.timestamp_ms), false)},
               {letter.reason, Tone::kBad},
               {from},
               {letter.key.value_or("")},
               {std::to_string(letter.bytes)},
               {letter.redriven == 0 ? "" : std::to_string(letter.redriven), Tone::kWarn},
               {letter.message}});
  }
  if (!flags.letters.json && !table.empty()) table.print(streams.out, streams.colour);
  if (found > letters.size()) {
    streams.err << "The newest " << letters.size() << " of " << found << " dead letters; --limit shows more.\n";
  } else if (found == 0 && !flags.letters.json) {
    streams.err << "No dead letters.\n";
  }
  return kOk;
}

struct ShowFlags {
  LetterFlags letters;
  std::string address;
  bool full = false;
  bool raw = false;
};

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += at + i > bytes.size() ? '=' : kLetters[group >> (18 - 6 * i) & 63];
  }
  return text;
}

void show_json(const DeadLetterView& letter, Streams& streams) {
  json::object document = to_json(listed(letter));
  document["message"] = shortened(letter.message, letter.message.size());
  json::array headers;
  for (const kafka::Header& header : letter.headers) {
    json::object one{{"name", shortened(header.name, header.name.size())}};
    if (header.value) one["value"] = shortened(*header.value, header.value->size() * 2);
    headers.push_back(std::move(one));
  }
  document["headers"] = std::move(headers);
  if (letter.key) document["key_base64"] = base64(*letter.key);
  if (letter.value) document["value_base64"] = base64(*letter.value);
  streams.out << json::serialize(document) << "\n";
}

void show_text(const DeadLetterView& letter, bool full, Streams& streams) {
  const auto field = [&](std::string label, const std::string& text) {
    label.resize(15, ' ');
    streams.out << toned(label, Tone::kDim, streams.colour) << printable(text) << "\n";
  };
  field("Dead letter", text_of(letter.address) + ", " + format_time(rfc3339_of(letter.timestamp_ms), true));
  field("Reason", shortened(letter.reason, kShownBytes));
  field("Message", shortened(letter.message, letter.message.size()));
  field("From", std::string(letter.topic) + ", partition " + std::string(letter.partition) + ", offset " + std::string(letter.offset));
  if (letter.record_time_ms) field("Written", format_time(rfc3339_of(*letter.record_time_ms), true));
  if (letter.redriven > 0) field("Redriven", std::to_string(letter.redriven) + " times");
  field("Key", letter.key ? shortened(*letter.key, letter.key->size()) : "none");
  for (const kafka::Header& header : letter.headers) {
    field("Header",
          std::string(header.name) + (header.value ? " = " + shortened(*header.value, header.value->size() * 2) : std::string(" (null)")));
  }
  if (letter.value_omitted) {
    field("Value", "not kept: it was too large for the dead-letter topic");
    return;
  }
  if (!letter.value) {
    field("Value", "none (null)");
    return;
  }
  field("Value", std::to_string(letter.value->size()) + " bytes");
  const std::string_view shown = full ? *letter.value : letter.value->substr(0, kDumpBytes);
  streams.out << hex_dump(shown);
  if (shown.size() < letter.value->size()) {
    streams.err << "The first " << shown.size() << " of " << letter.value->size() << " bytes; --full shows all, --raw writes them out.\n";
  }
}

int show_letter(const ShowFlags& flags, Streams& streams) {
  const auto address = parse_address(flags.address);
  if (!address) {
    return report(streams,
                  {kUsage, printable(flags.address) + " is no address of a dead letter; write PARTITION/OFFSET, for example 3/1042"});
  }
  const auto search = LetterSearch::make(flags.letters, {});
  if (!search) return report(streams, search.error());
  bool found = false;
  const auto done = search->each({*address}, streams.err, [&](const DeadLetterView& letter) {
    found = true;
    if (flags.raw) {
      streams.out << letter.value.value_or(std::string_view{});
    } else if (flags.letters.json) {
      show_json(letter, streams);
    } else {
      show_text(letter, flags.full, streams);
    }
    return false;
  });
  if (!done) return report(streams, done.error());
  if (!found) return report(streams, {kNotSo, "there is no dead letter " + flags.address + " on topic " + flags.letters.topic});
  return kOk;
}

}  // namespace

void add_dead_letters(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("dead-letters", "List records that could not be read, show one, or send them back");
  command->footer(kDeadLettersFooter);
  command->require_subcommand(1);

  CLI::App* list_command = command->add_subcommand("list", "List dead letters, the newest first");
  auto list_flags = std::make_shared<ListFlags>();
  list_command->footer(kDeadLettersFooter);
  add_filter_flags(*list_command, list_flags->filter);
  list_command->add_option("--limit", list_flags->limit, "How many of the newest")
      ->check(CLI::Range(std::size_t{1}, kMostListed))
      ->capture_default_str();
  add_letter_flags(*list_command, list_flags->letters);
  list_command->callback([list_flags, &invocation] {
    invocation.action = [list_flags, &invocation] { return list_letters(*list_flags, invocation.streams); };
  });

  CLI::App* show_command = command->add_subcommand("show", "Show one dead letter: its headers, key and bytes");
  auto show_flags = std::make_shared<ShowFlags>();
  show_command->footer(kDeadLettersFooter);
  show_command->add_option("ADDRESS", show_flags->address, "PARTITION/OFFSET, as list prints it")->required();
  CLI::Option* full = show_command->add_flag("--full", show_flags->full, "Show all of its bytes, not only the first 512");
  CLI::Option* raw = show_command->add_flag("--raw", show_flags->raw, "Write the bytes of its value as they are, and nothing else");
  raw->excludes(full);
  add_letter_flags(*show_command, show_flags->letters);
  show_command->callback([show_flags, &invocation] {
    invocation.action = [show_flags, &invocation] { return show_letter(*show_flags, invocation.streams); };
  });

  add_redrive(*command, invocation);
}

}  // namespace runfold::cli
