// Starts, drives and ends the real pipelines.
#include "tests/simulation/collectors.hpp"

#include "tests/simulation/time.hpp"

#include <boost/asio/co_spawn.hpp>

namespace runfold::simulation {
namespace {

class Deaf final : public collector::Observer {
  void committed(const collector::Counts&, std::chrono::nanoseconds) override {}
  void commit_failed(std::string_view) override {}
  void dead_letter(std::string_view, std::string_view) override {}
  void lag(std::string_view, std::int32_t, std::int64_t) override {}
  void lag_gone(std::string_view, std::int32_t) override {}
  void partitions_stopped(std::size_t) override {}
  void removed(std::string_view, std::uint64_t) override {}
  void store_bytes(std::string_view, std::uint64_t) override {}
  void retention_failed() override {}
};

}  // namespace

Collector::Collector(int id, ModelKafka& kafka, Storage& storage, Witness& witness, const bool& store_is_up,
                     collector::PipelineOptions options, const Trace& trace)
    : id_(id),
      kafka_(kafka),
      storage_(storage),
      witness_(witness),
      store_is_up_(store_is_up),
      options_(std::move(options)),
      trace_(trace),
      observer_(std::make_unique<Deaf>()) {}

Collector::~Collector() = default;

void Collector::start() {
  collector::KafkaClients clients;
  clients.consumer = [this](const auto&, const auto&, const auto&, const auto&, kafka::ConsumerEvents events) {
    return kafka_.consumer(id_, std::move(events));
  };
  clients.producer = [this](const auto&, kafka::Producer::OnDelivery on_delivery) -> kafka::Result<std::unique_ptr<kafka::Producer>> {
    return kafka_.producer(std::move(on_delivery));
  };
  const auto make_jobs = [this](const std::function<void()>& wake) {
    auto writer = std::make_unique<FaultyWriter>(id_, storage_.writer(), witness_, store_is_up_);
    writer_ = writer.get();
    auto writes = std::make_unique<ModelWriterJobs>(std::move(writer), wake);
    auto reads = std::make_unique<ModelReaderJobs>(std::make_unique<FaultyRunReader>(storage_.run_reader(), store_is_up_), wake);
    writes_ = writes.get();
    reads_ = reads.get();
    return collector::PipelineImpl::StoreJobs{std::move(writes), std::move(reads)};
  };
  const auto log = [this](int severity, std::string_view text) {
    trace_("  collector ", id_, " says <", severity, "> ", text);
    if (severity == 2) last_words_ = text;
  };
  halted = false;
  pipeline_ =
      std::make_unique<collector::PipelineImpl>(context_, options_, make_jobs, *observer_, health_, log, nullptr, std::move(clients));
  if (!pipeline_->open()) throw Failure("a collector cannot start: " + last_words_);
}

void Collector::turn(std::size_t records) {
  static_cast<ModelConsumer*>(kafka_.member(id_).consumer)->budget = records;
  static_cast<void>(pipeline_->turn(collector::PipelineImpl::Clock::now()));
  end_if_failed();
}

void Collector::write(Fate fate) {
  writer_->next = fate;
  writes_->run_one();
  writer_->next = Fate::kDone;
  context_.restart();
  context_.poll();
  if (fate == Fate::kDies) kill();
}

void Collector::read() {
  reads_->run_one();
  context_.restart();
  context_.poll();
}

void Collector::end_if_failed() {
  if (!pipeline_->failed()) return;
  // A supervisor starts it again.
  if (last_words_.find("has taken over") == std::string::npos) throw Failure("a collector gave up: " + last_words_);
  finish();
}

void Collector::stop() {
  finish();
}

void Collector::finish() {
  bool done = false;
  pipeline_->stop();
  boost::asio::co_spawn(context_, pipeline_->finish(), [&done](const std::exception_ptr&) { done = true; });
  for (int i = 0; i < 1'000 && !done; ++i) {
    context_.restart();
    context_.poll();
    if (writes_->size() > 0) {
      writes_->run_one();
    } else if (!done) {
      pass(100 * kMs);  // A retry waits for its time.
      pipeline_->stop();
    }
  }
  if (!done) throw Failure("a collector that was asked to stop does not");
  kill();
}

void Collector::kill() {
  pipeline_.reset();
  writes_ = nullptr;
  reads_ = nullptr;
  writer_ = nullptr;
  context_.restart();
  context_.poll();
}

}  // namespace runfold::simulation
