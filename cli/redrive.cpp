// runfold dead-letters redrive: sends dead letters back to the topics they came from.
#include "cli/dead_letters.hpp"
#include "cli/table.hpp"
#include "transport/kafka/producer.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

namespace runfold::cli {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kRedriveFooter = R"(
Examples:
  runfold dead-letters redrive --reason identity --dry-run      what would be sent
  runfold dead-letters redrive 3/1042 3/1043                    two of them
  runfold dead-letters redrive --all --topic runfold.events
Each goes back to its own topic with its key, its bytes, its time and its own headers, less those that say why it was
refused, and with runfold.redriven, which counts how often it was sent back. It is reported once Kafka has it.
The dead letter itself stays. Records with a sequence number (all that Runfold's producers send) are recognised when they
come twice, so sending them back twice does no harm; a record without one is counted each time it is sent.
A record that still cannot be read becomes a dead letter again, with the count one higher.
Exit codes: 0 all were sent, 1 some could not be or are not there, 2 nothing was selected, 69 Kafka does not answer.)";

/// Records handed over and not acknowledged, above which more wait; and their bytes.
constexpr std::size_t kUnderWay = 1'000;
constexpr std::size_t kBytesUnderWay = 16 * 1024 * 1024;
/// As the collector's dead letters: the broker's own limit decides.
constexpr std::string_view kMaxMessageBytes = "104857600";
/// Unit: KiB. Room for the largest message, or the client's queue would never take it.
constexpr std::string_view kQueueKbytes = "131072";
constexpr std::chrono::milliseconds kTurn{100};

struct RedriveFlags {
  LetterFlags letters;
  LetterFilter filter;
  std::vector<std::string> addresses;
  bool all = false;
  bool dry_run = false;
};

/// Sends letters one after the other and accounts for each.
class Redrive {
 public:
  Redrive(const RedriveFlags& flags, const LetterSearch& search, Streams& streams) : flags_(flags), search_(search), streams_(streams) {}

  /// False: something failed, see failure().
  bool take(const DeadLetterView& letter) {
    ++found_;
    if (const auto why = why_not_redriven(letter)) {
      ++skipped_;
      streams_.err << "runfold: dead letter " << text_of(letter.address) << " cannot be sent back: " << *why << "\n";
      return true;
    }
    Sent sent{letter.address, std::string(letter.topic), letter.redriven + 1, 0};
    sent.bytes = (letter.value ? letter.value->size() : 0) + (letter.key ? letter.key->size() : 0);
    if (flags_.dry_run) {
      tell(sent, nullptr);
      return true;
    }
    return make_producer() && hand_over(letter, std::move(sent));
  }

  /// Waits until Kafka has all.
  bool finish() {
    while (!failure_ && !pending_.empty()) wait();
    return !failure_;
  }

  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  [[nodiscard]] std::size_t found() const noexcept { return found_; }
  [[nodiscard]] std::size_t skipped() const noexcept { return skipped_; }

  void print_counts() const {
    std::string by_topic;
    std::size_t sum = 0;
    for (const auto& [topic, count] : sent_) {
      by_topic += (by_topic.empty() ? "" : ", ") + printable(topic) + " " + std::to_string(count);
      sum += count;
    }
    streams_.err << (flags_.dry_run ? "Would send back " : "Sent back ") << sum << " of " << found_ << " dead letters"
                 << (by_topic.empty() ? "" : " (" + by_topic + ")");
    if (skipped_ > 0) streams_.err << "; " << skipped_ << " cannot be";
    streams_.err << ".\n";
  }

 private:
  struct Sent {
    LetterAddress address;
    std::string topic;
    std::uint64_t count = 0;
    std::size_t bytes = 0;
  };

  bool make_producer() {
    if (producer_) return true;
    kafka::Properties properties = search_.properties();
    properties.set_default("message.max.bytes", kMaxMessageBytes);
    properties.set_default("queue.buffering.max.kbytes", kQueueKbytes);
    auto made = kafka::Producer::create(
        properties, [this](const kafka::Delivery& delivery) { delivered(delivery); },
        [this](const kafka::Error& error) { trouble_ = error; });
    if (!made) {
      failure_ = failure_of(made.error());
      return false;
    }
    producer_ = std::move(*made);
    heard_at_ = Clock::now();
    return true;
  }

  bool hand_over(const DeadLetterView& letter, Sent sent) {
    const std::string count = std::to_string(sent.count);
    const auto headers = headers_to_redrive(letter, count);
    kafka::OutRecord record;
    record.topic = letter.topic;
    record.key = letter.key;
    record.value = letter.value;
    record.headers = headers;
    record.timestamp_ms = letter.record_time_ms.value_or(0);
    while (!failure_) {
      if (pending_.size() >= kUnderWay || (pending_bytes_ > 0 && pending_bytes_ + sent.bytes > kBytesUnderWay)) {
        wait();
        continue;
      }
      const auto taken = producer_->produce(record, ++token_);
      if (taken) {
        if (pending_.empty()) heard_at_ = Clock::now();
        pending_bytes_ += sent.bytes;
        pending_.emplace(token_, std::move(sent));
        producer_->poll(std::chrono::milliseconds(0));
        return !failure_;
      }
      if (taken.error().code != kafka::Errc::kQueueFull) {
        refuse(sent, taken.error());
      } else if (!pending_.empty()) {
        wait();
      } else {
        refuse(sent, {kafka::Errc::kTooLarge, "it is larger than the whole queue of the Kafka client: its key and value are " +
                                                  std::to_string(sent.bytes) + " bytes; raise -X queue.buffering.max.kbytes"});
      }
    }
    return false;
  }

  void wait() {
    producer_->poll(kTurn);
    if (pending_.empty() || Clock::now() - heard_at_ < search_.timeout()) return;
    failure_ = Failure{kNotReachable, std::to_string(pending_.size()) + " records were not acknowledged by Kafka" +
                                          (trouble_ ? ": " + trouble_->message : std::string()) +
                                          "; whether they arrived is not known: send them back again"};
  }

  void delivered(const kafka::Delivery& delivery) {
    const auto found = pending_.find(delivery.token);
    if (found == pending_.end()) return;
    heard_at_ = Clock::now();
    const Sent sent = std::move(found->second);
    pending_.erase(found);
    pending_bytes_ -= sent.bytes;
    if (delivery.error) {
      refuse(sent, *delivery.error);
    } else {
      tell(sent, &delivery);
    }
  }

  void refuse(const Sent& sent, const kafka::Error& error) {
    failure_ = failure_of(error);
    failure_->message = "dead letter " + text_of(sent.address) + " was not sent back to " + printable(sent.topic) + ": " + error.message;
  }

  /// One letter is where it belongs, or would be.
  void tell(const Sent& sent, const kafka::Delivery* delivery) {
    ++sent_[sent.topic];
    if (flags_.letters.json) {
      json::object document{{"address", text_of(sent.address)}, {"topic", shortened(sent.topic, sent.topic.size())}};
      if (delivery != nullptr) {
        document["partition"] = delivery->partition;
        document["offset"] = delivery->offset;
      }
      document["redriven"] = sent.count;
      streams_.out << json::serialize(document) << "\n";
      return;
    }
    streams_.out << text_of(sent.address) << " -> " << printable(sent.topic);
    if (delivery != nullptr) streams_.out << "/" << delivery->partition << "/" << delivery->offset;
    if (sent.count > 1) streams_.out << " (sent back " << sent.count << " times now)";
    streams_.out << "\n";
  }

  const RedriveFlags& flags_;
  const LetterSearch& search_;
  Streams& streams_;
  std::unordered_map<std::uint64_t, Sent> pending_;
  std::size_t pending_bytes_ = 0;
  std::uint64_t token_ = 0;
  Clock::time_point heard_at_{};
  std::map<std::string, std::size_t> sent_;
  std::size_t found_ = 0;
  std::size_t skipped_ = 0;
  std::optional<kafka::Error> trouble_;
  std::optional<Failure> failure_;
  std::unique_ptr<kafka::Producer> producer_;  // last: it goes before what its callbacks use
};

int redrive(const RedriveFlags& flags, Streams& streams) {
  if (flags.addresses.empty() && !flags.filter.any() && !flags.all) {
    return report(streams, {kUsage, "nothing is selected; name dead letters, or filters (--reason, --topic, --from, --to), or --all"});
  }
  std::vector<LetterAddress> addresses;
  for (const std::string& text : flags.addresses) {
    const auto address = parse_address(text);
    if (!address) {
      return report(streams, {kUsage, printable(text) + " is no address of a dead letter; write PARTITION/OFFSET, for example 3/1042"});
    }
    addresses.push_back(*address);
  }
  const auto search = LetterSearch::make(flags.letters, flags.filter);
  if (!search) return report(streams, search.error());
  Redrive work(flags, *search, streams);
  const auto read = search->each(addresses, streams.err, [&](const DeadLetterView& letter) { return work.take(letter); });
  work.finish();
  work.print_counts();
  if (work.failure()) return report(streams, *work.failure());
  if (!read) return report(streams, read.error());
  std::sort(addresses.begin(), addresses.end());
  const auto asked = static_cast<std::size_t>(std::unique(addresses.begin(), addresses.end()) - addresses.begin());
  if (work.found() < asked) {
    return report(streams, {kNotSo, std::to_string(asked - work.found()) + " of " + std::to_string(asked) +
                                        " dead letters are not on topic " + flags.letters.topic + ", or the filters leave them out"});
  }
  return work.skipped() > 0 ? kNotSo : kOk;
}

}  // namespace

void add_redrive(CLI::App& command, Invocation& invocation) {
  CLI::App* verb = command.add_subcommand("redrive", "Send dead letters back to the topics they came from");
  auto flags = std::make_shared<RedriveFlags>();
  verb->footer(kRedriveFooter);
  CLI::Option* addresses = verb->add_option("ADDRESS", flags->addresses, "PARTITION/OFFSET, as list prints it");
  add_filter_flags(*verb, flags->filter);
  verb->add_flag("--all", flags->all, "All that there are, or all that the filters leave")->excludes(addresses);
  verb->add_flag("--dry-run", flags->dry_run, "Only say what would be sent");
  add_letter_flags(*verb, flags->letters);
  verb->callback([flags, &invocation] { invocation.action = [flags, &invocation] { return redrive(*flags, invocation.streams); }; });
}

}  // namespace runfold::cli
