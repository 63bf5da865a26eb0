// The model's collectors: real pipelines, whose turns and jobs are taken one at a time.
#pragma once

#include "collector/pipeline_impl.hpp"
#include "tests/simulation/store.hpp"

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace runfold::simulation {

/// Jobs that wait until the simulation runs them.
class ModelJobs final : public collector::WriterJobs {
 public:
  ModelJobs(std::unique_ptr<FaultyWriter> writer, std::function<void()> wake) : writer_(std::move(writer)), wake_(std::move(wake)) {}

  /// A wait for an answer ends with the deadline, and the job is still to come.
  bool stuck = false;

  [[nodiscard]] std::size_t size() const noexcept { return jobs_.size(); }
  void run_one();

 private:
  void post(std::function<void(collector::Writer&)> job) override { jobs_.push_back({std::move(job), now_ns()}); }
  Clock::duration patience(Clock::time_point deadline) override;

  struct Job {
    std::function<void(collector::Writer&)> work;
    std::int64_t given_ns = 0;
  };
  std::unique_ptr<FaultyWriter> writer_;
  std::function<void()> wake_;
  std::deque<Job> jobs_;
};

class Collector {
 public:
  Collector(int id, ModelKafka& kafka, Storage& storage, Witness& witness, const bool& store_is_up, collector::PipelineOptions options,
            const Trace& trace);
  ~Collector();

  [[nodiscard]] int id() const noexcept { return id_; }
  [[nodiscard]] bool runs() const noexcept { return pipeline_ != nullptr; }
  [[nodiscard]] std::size_t jobs() const noexcept { return runs() ? jobs_->size() : 0; }
  /// SIGSTOP: no turns; what was handed to the writer may still be done.
  bool halted = false;
  /// Waits for the store in vain: see ModelJobs::stuck.
  void set_stuck(bool stuck) {
    if (runs()) jobs_->stuck = stuck;
  }

  void start();
  /// One turn, in which at most `records` come.
  void turn(std::size_t records);
  void run_job(Fate fate);
  /// SIGTERM: commits and leaves.
  void stop();
  /// SIGKILL. The group does not know.
  void kill();

 private:
  void end_if_failed();
  void finish();

  int id_;
  ModelKafka& kafka_;
  Storage& storage_;
  Witness& witness_;
  const bool& store_is_up_;
  collector::PipelineOptions options_;
  const Trace& trace_;
  std::unique_ptr<collector::Observer> observer_;
  collector::Health health_;
  boost::asio::io_context context_;
  std::unique_ptr<collector::PipelineImpl> pipeline_;
  // Of the pipeline.
  ModelJobs* jobs_ = nullptr;
  FaultyWriter* writer_ = nullptr;
  std::string last_words_;
};

}  // namespace runfold::simulation
