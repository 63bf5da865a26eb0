// Which actions there are, and how likely each is.
#include "tests/simulation/world.hpp"

#include "tests/simulation/time.hpp"

#include <algorithm>

namespace runfold::simulation {

namespace {

/// More than any run may be silent, with what the collector waits before and between its looks. Unit: seconds.
constexpr std::int64_t kLongEnough = 120;

}  // namespace

World::World(std::uint64_t seed, Stores stores, const Trace& trace)
    : random_(seed),
      trace_(trace),
      kafka_(random_, trace),
      connectors_(random_, kafka_, manners_, trace),
      witness_(kafka_, trace, limits_, log_times_are_true_) {
  set_time(kBegin);
  const auto sometimes = [this](std::size_t percent_of_seeds, std::size_t value) { return random_.percent(percent_of_seeds) ? value : 0; };
  manners_.duplicated = sometimes(60, 5);
  manners_.lost = sometimes(30, 2);
  manners_.an_hour_late = sometimes(30, 3);
  manners_.dropped = sometimes(40, 10);
  manners_.poison = sometimes(30, 2);
  manners_.reordered = random_.percent(60);
  manners_.wrong_clocks = random_.percent(40);
  manners_.unnumbered_sources = random_.percent(30);
  manners_.create_time = random_.percent(40);
  roughness_ = random_.percent(15) ? 0 : 10 + random_.below(80);
  actions_ = 60 + random_.below(240);
  storage_ = stores == Stores::kSqlite || (stores == Stores::kBoth && seed % 32 == 31) ? sqlite_storage() : memory_storage();

  const auto partitions = static_cast<std::int32_t>(1 + random_.below(3));
  kafka_.create(kEvents, partitions);
  kafka_.create(kLogs, partitions);
  kafka_.create(kOperations, 1);
  collector::PipelineOptions options;
  static_cast<void>(options.kafka.set("bootstrap.servers", "model:9092"));
  options.routes = {{"model", {sinks::Kind::kRun, sinks::Kind::kApiFailure}}};
  options.runs_in_memory = random_.percent(50) ? 1 + random_.below(4) : 1'000;
  options.commit_rows = 1 + random_.below(12);
  options.record_bytes = 4'000;
  limits_.silence = std::chrono::seconds(60);
  limits_.settle = std::chrono::seconds(10);
  limits_.connectors["connector-2"].max_duration = std::chrono::minutes(3);
  log_times_are_true_ = !manners_.create_time;
  options.liveness = limits_;
  options.wall_clock = [this] { return now_ns() + wall_skew_ns_; };
  const std::size_t collectors = 1 + random_.below(3);
  // Nobody else may be writing a run whose records stand in two partitions.
  manners_.follow_partitions = collectors == 1;
  for (std::size_t i = 0; i < collectors; ++i) {
    collectors_.push_back(std::make_unique<Collector>(static_cast<int>(i), kafka_, *storage_, witness_, store_is_up_, options, trace_));
    collectors_.back()->start();
  }
}

template <class Fit>
Collector* World::any(Fit&& fit) {
  std::vector<Collector*> fitting;
  for (const auto& collector : collectors_) {
    if (fit(*collector)) fitting.push_back(collector.get());
  }
  return fitting.empty() ? nullptr : fitting[random_.below(fitting.size())];
}

void World::run(std::size_t actions) {
  for (std::size_t i = 0; i < actions; ++i) {
    trace_("action ", i + 1, " at +", (now_ns() - kBegin) / kMs, " ms");
    act();
    check();
  }
  trace_("the end of trouble");
  settle();
  compare(expect(kafka_.logs()), storage_->contents(), witness_);
}

void World::check() const {
  if (!witness_.broken().empty()) throw Failure(witness_.broken());
}

void World::act() {
  if (random_.below(1'000) < roughness_) return trouble();
  if (random_.percent(6)) mend();
  const std::size_t what = random_.below(100);
  if (what < 35) {
    connectors_.act();
    connectors_.deliver(manners_.reordered ? random_.below(2) : 10);
  } else if (what < 65) {
    if (Collector* collector = any([](const Collector& c) { return c.runs() && !c.halted; })) {
      trace_("  collector ", collector->id(), " takes a turn");
      collector->turn(random_.below(6));
    }
  } else if (what < 85) {
    if (Collector* collector = any([](const Collector& c) { return c.jobs() > 0; })) run_job(*collector, random_fate());
  } else if (what < 97) {
    pass(random_.between(kMs, 300 * kMs));
    kafka_.refresh_watermarks();
  } else {
    let_pass(random_.between(1, random_.percent(30) ? 100 : 10), true);
  }
}

void World::let_pass(std::int64_t seconds, bool runs_live) {
  trace_("  ", seconds, " s pass");
  const std::size_t pace = random_.percent(25) ? 2 : 30;
  for (; seconds > 0; --seconds) {
    pass(kSecond);
    if (runs_live) connectors_.keep_alive();
    connectors_.deliver(20);
    kafka_.refresh_watermarks();
    for (const auto& collector : collectors_) {
      if (!collector->runs() || collector->halted) continue;
      collector->turn(random_.below(pace));
      while (collector->jobs() > 0 && random_.percent(95)) run_job(*collector, Fate::kDone);
    }
    check();
  }
}

Fate World::random_fate() {
  return random_.below(1'000) < roughness_ ? static_cast<Fate>(1 + random_.below(3)) : Fate::kDone;
}

void World::run_job(Collector& collector, Fate fate) {
  if (collector.reads() > 0 && (collector.writes() == 0 || random_.percent(50))) {
    trace_("  collector ", collector.id(), " loads");
    collector.read();
    return;
  }
  trace_("  collector ", collector.id(), " does a job", fate == Fate::kDone ? "" : ", with fate ",
         fate == Fate::kDone ? "" : std::to_string(static_cast<int>(fate)));
  collector.write(fate);
}

void World::trouble() {
  const auto runs = [](const Collector& c) { return c.runs(); };
  switch (random_.below(14)) {
    case 0:
      trace_("  the store goes down");
      store_is_up_ = false;
      return;
    case 1:
      trace_("  Kafka goes down");
      kafka_.set_up(false);
      return;
    case 2:
    case 3:
    case 4:
      if (Collector* collector = any(runs)) {
        trace_("  collector ", collector->id(), " is killed");
        collector->kill();
      }
      return;
    case 5:
    case 6:
      if (Collector* collector = any([](const Collector& c) { return c.runs() && !c.halted; })) {
        trace_("  collector ", collector->id(), " is asked to stop");
        collector->stop();
      }
      return;
    case 7:
      if (Collector* collector = any(runs)) {
        trace_("  collector ", collector->id(), " is halted");
        collector->halted = true;
      }
      return;
    case 8:
    case 9:
    case 10:  // It is dead, halted, slow, or Kafka cannot hear it.
      kafka_.expire(kafka_.member(collectors_[random_.below(collectors_.size())]->id()));
      return;
    case 11:
      trace_("  a rebalance");
      kafka_.rebalance();
      return;
    case 12:
      if (random_.percent(50)) {
        witness_.clock_set();
        wall_skew_ns_ = random_.between(-10 * kMinute, 10 * kMinute);
        trace_("  the collectors' clock is set, and wrong by ", wall_skew_ns_ / kSecond, " s");
        return;
      }
      kafka_.letters = static_cast<ModelKafka::Letters>(random_.below(3));
      return;
    default:
      if (Collector* collector = any(runs)) collector->set_stuck(random_.percent(50));
      if (kafka_.partitions(kEvents) < 5 && random_.percent(50)) {
        trace_("  partitions are added");
        kafka_.add_partitions(kEvents, kafka_.partitions(kEvents) + 1);
        kafka_.add_partitions(kLogs, kafka_.partitions(kLogs) + 1);
      }
  }
}

void World::mend() {
  if (!store_is_up_ || !kafka_.up()) {
    trace_("  the store and Kafka are up");
    store_is_up_ = true;
    kafka_.set_up(true);
  } else if (Collector* gone = any([](const Collector& c) { return !c.runs(); })) {
    trace_("  collector ", gone->id(), " starts");
    gone->start();
  } else if (Collector* halted = any([](const Collector& c) { return c.halted; })) {
    trace_("  collector ", halted->id(), " goes on");
    halted->halted = false;
  } else {
    kafka_.letters = ModelKafka::Letters::kTaken;
    for (const auto& collector : collectors_) collector->set_stuck(false);
  }
}

void World::settle() {
  store_is_up_ = true;
  kafka_.set_up(true);
  kafka_.letters = ModelKafka::Letters::kTaken;
  for (const auto& collector : collectors_) {
    if (!collector->runs()) kafka_.expire(kafka_.member(collector->id()));
    collector->halted = false;
    collector->set_stuck(false);
  }
  connectors_.deliver_what_is_not_late();
  until_all_is_committed();
  // What has gone silent is lost, and what comes late calls it back, for as long as it does.
  if (random_.percent(50)) let_pass(kLongEnough, false);
  connectors_.deliver_all();
  until_all_is_committed();
  let_pass(kLongEnough, false);
  for (const auto& collector : collectors_) {
    if (collector->runs()) collector->stop();
  }
  check();
}

void World::until_all_is_committed() {
  const auto all_committed = [this] {
    return std::ranges::all_of(kafka_.logs(), [this](const auto& log) {
      return witness_.offset({log.first.topic, log.first.partition}).value_or(0) == log.second.high();
    });
  };
  for (int round = 0; round < 2'000; ++round) {
    for (const auto& collector : collectors_) {
      if (!collector->runs()) collector->start();
      collector->turn(50);
      while (collector->jobs() > 0) run_job(*collector, Fate::kDone);
      check();
    }
    pass(250 * kMs);
    kafka_.refresh_watermarks();
    if (all_committed()) return;
  }
  std::string behind;
  for (const auto& [at, log] : kafka_.logs()) {
    const auto offset = witness_.offset({at.topic, at.partition}).value_or(0);
    if (offset != log.high())
      behind += " " + at.topic + "/" + std::to_string(at.partition) + " at " + std::to_string(offset) + " of " + std::to_string(log.high());
  }
  throw Failure("left alone, the collectors do not come to the end:" + behind);
}

}  // namespace runfold::simulation
