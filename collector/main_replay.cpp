// runfold-collector replay: rebuilds a store from the topics, beside the collectors that run, telling nobody.
#include "collector/api/rfc3339.hpp"
#include "collector/config.hpp"
#include "collector/health.hpp"
#include "collector/main.hpp"
#include "collector/operator_log.hpp"
#include "collector/replay.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "collector/store/url.hpp"
#include "transport/kafka/ranges.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <unistd.h>

namespace runfold::collector {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr int kUsage = 2;
/// How long finding out what there is to read may take.
constexpr std::chrono::seconds kRangesLimit{30};

/// What the command line says of time; a line says what is wrong with it.
std::optional<kafka::TimeBounds> read_times(const ReplayFlags& flags) {
  kafka::TimeBounds times;
  const auto read = [](const char* flag, const std::string& text, std::optional<std::int64_t>& out) {
    const auto at = parse_rfc3339(text);
    if (at) out = *at / 1'000'000;
    if (!at) operator_log(3, std::string(flag) + " " + text + " is not a time; write it as 2026-05-16T14:32:11Z");
    return at.has_value();
  };
  if (flags.from.empty() && !flags.resume) {
    operator_log(3, "--from says where to begin: earliest, or a time such as 2026-05-16T14:32:11Z");
    return std::nullopt;
  }
  if (!flags.from.empty() && flags.from != "earliest" && !read("--from", flags.from, times.from_ms)) return std::nullopt;
  if (!flags.to.empty() && !read("--to", flags.to, times.to_ms)) return std::nullopt;
  return times;
}

std::string share(std::int64_t part, std::int64_t whole) {
  return std::to_string(whole == 0 ? 100 : part * 100 / whole) + "%";
}

/// One replay from its first record to its last.
class Replay {
 public:
  Replay(Config config, std::unique_ptr<Store> store, std::vector<kafka::Range> ranges)
      : store_(std::move(store)), began_(Clock::now()), said_at_(began_) {
    PipelineOptions options = pipeline_options(config);
    // Nothing goes out, and nothing is removed: both are for the collector that serves the store afterwards.
    options.routes.clear();
    options.retention = {};
    auto clients = replay_clients(std::move(ranges), progress_, [this] {
      complete_ = true;
      pipeline_->stop();
    });
    pipeline_ = Pipeline::create(loop_, std::move(options), store_->writer().value(), store_->run_reader().value(), counts_, health_,
                                 operator_log, {}, std::move(clients));
  }

  int run() {
    bool well = false;
    signals_.async_wait([this](const boost::system::error_code& cancelled, int) {
      if (cancelled) return;
      operator_log(5, "breaking off; --resume goes on from here");
      signals_.async_wait([](const boost::system::error_code& ended, int again) {
        if (!ended) ::_exit(128 + again);
      });
      pipeline_->stop();
    });
    tick();
    std::exception_ptr broke;
    const auto ended = [&](const std::exception_ptr& thrown, bool result) {
      broke = thrown;
      well = result;
      signals_.cancel();
      timer_.cancel();
    };
    asio::co_spawn(loop_, pipeline_->run(), ended);
    loop_.run();
    if (broke) std::rethrow_exception(broke);
    tell_sums();
    if (!failure_.empty()) operator_log(3, "the replay cannot go on: " + failure_);
    if (!failure_.empty() || !well) return kFailed;
    if (complete_) return 0;
    operator_log(
        4, "the replay is not complete: " + share(progress_.committed, progress_.all) + " is in the store; --resume goes on from there");
    return kFailed;
  }

 private:
  void tick() {
    timer_.expires_after(kProgressEvery);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      const auto sums = counts_.sums();
      const double seconds = std::chrono::duration<double>(Clock::now() - std::exchange(said_at_, Clock::now())).count();
      const auto rate =
          static_cast<std::uint64_t>(static_cast<double>(sums.records - std::exchange(said_records_, sums.records)) / seconds);
      operator_log(6, "replayed " + std::to_string(sums.records) + " records, " + share(progress_.committed, progress_.all) + ", " +
                          std::to_string(rate) + " a second");
      // A partition that an operator must decide about would keep us waiting for ever.
      const auto reasons = health_.reasons();
      if (const auto stopped = reasons.find("partition"); stopped != reasons.end()) {
        failure_ = stopped->second;
        pipeline_->stop();
        return;
      }
      tick();
    });
  }

  void tell_sums() const {
    const auto sums = counts_.sums();
    const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    operator_log(6, "replayed " + std::to_string(sums.records) + " records in " + std::to_string(static_cast<std::int64_t>(seconds)) +
                        " s, " + std::to_string(sums.duplicates) + " of them seen before");
    for (const auto& [name, count] : sums.dead_letters) {
      operator_log(5, std::to_string(count) + " records of " + name.first + " could not be read (" + name.second +
                          "); they were not sent to the dead letters again");
    }
  }

  ReplayProgress progress_;
  ReplayCounts counts_;
  Health health_;
  std::unique_ptr<Store> store_;
  Clock::time_point began_;
  Clock::time_point said_at_;
  std::uint64_t said_records_ = 0;
  std::string failure_;
  bool complete_ = false;
  asio::io_context loop_{1};
  asio::steady_timer timer_{loop_};
  asio::signal_set signals_{loop_, SIGTERM, SIGINT};
  std::unique_ptr<Pipeline> pipeline_;
};

int code_of(const kafka::Error& error) {
  const bool configuration =
      error.code == kafka::Errc::kInvalid || error.code == kafka::Errc::kUnauthorised || error.code == kafka::Errc::kNotFound;
  return configuration ? kBadConfiguration : kUnavailable;
}

}  // namespace

int run_replay(const ConfigFlags& flags, const ReplayFlags& replay) {
  const auto times = read_times(replay);
  if (!times) return kUsage;
  const auto into = parse_store_url(replay.into);
  if (!into) {
    operator_log(3, "--into: " + into.error().message);
    return kUsage;
  }
  Config config = load_config(flags, process_environment());
  if (refuses(config)) return kBadConfiguration;

  const std::array<std::string, 3> topics{config.topics.events, config.topics.logs, config.topics.operations};
  auto ranges = kafka::find_ranges(config.kafka, topics, *times, kRangesLimit);
  if (!ranges) {
    operator_log(3, "what there is to replay cannot be found: " + ranges.error().message);
    return code_of(ranges.error());
  }
  auto store = open_sqlite_store(into->location);
  if (!store) {
    operator_log(3, "--into: " + store.error().message);
    return exit_code(store.error());
  }
  auto left = prepare_replay(**store, std::move(*ranges), replay.resume);
  if (!left) {
    operator_log(3, "--into " + replay.into + ": " + left.error().message);
    return exit_code(left.error());
  }
  if (left->empty()) {
    operator_log(5, "there is nothing to replay");
    return 0;
  }
  std::int64_t offsets = 0;
  for (const kafka::Range& range : *left) offsets += range.end - range.first;
  operator_log(6,
               "replaying " + std::to_string(offsets) + " offsets of " + std::to_string(left->size()) + " partitions into " + replay.into);
  return Replay(std::move(config), std::move(*store), std::move(*left)).run();
}

}  // namespace runfold::collector
