// The model's collectors: real pipelines, whose turns and jobs are taken one at a time.
#pragma once

#include "collector/pipeline_impl.hpp"
#include "tests/simulation/store.hpp"
#include "tests/simulation/time.hpp"

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace runfold::simulation {

/// Jobs that wait until the simulation runs them. Tool: a Writer or a RunReader.
template <class Tool, class FaultyTool>
class ModelJobs final : public collector::Jobs<Tool> {
 public:
  using Clock = typename collector::Jobs<Tool>::Clock;
  ModelJobs(std::unique_ptr<FaultyTool> tool, std::function<void()> wake) : tool_(std::move(tool)), wake_(std::move(wake)) {}

  /// A wait for an answer ends with the deadline, and the job is still to come.
  bool stuck = false;

  [[nodiscard]] std::size_t size() const noexcept { return jobs_.size(); }
  void run_one() {
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    if constexpr (requires { tool_->given_ns; }) tool_->given_ns = job.given_ns;
    job.work(*tool_);
    wake_();
  }

 private:
  void post(std::function<void(Tool&)> job) override { jobs_.push_back({std::move(job), now_ns()}); }
  Clock::duration patience(Clock::time_point deadline) override {
    if (stuck) {
      set_time(deadline.time_since_epoch().count());
    } else {
      while (!jobs_.empty()) run_one();
    }
    return Clock::duration::zero();
  }

  struct Job {
    std::function<void(Tool&)> work;
    std::int64_t given_ns = 0;
  };
  std::unique_ptr<FaultyTool> tool_;
  std::function<void()> wake_;
  std::deque<Job> jobs_;
};

using ModelWriterJobs = ModelJobs<collector::Writer, FaultyWriter>;
using ModelReaderJobs = ModelJobs<collector::RunReader, FaultyRunReader>;

class Collector {
 public:
  Collector(int id, ModelKafka& kafka, Storage& storage, Witness& witness, const bool& store_is_up, collector::PipelineOptions options,
            const Trace& trace);
  ~Collector();

  [[nodiscard]] int id() const noexcept { return id_; }
  [[nodiscard]] bool runs() const noexcept { return pipeline_ != nullptr; }
  /// Of its writer, and of its reader, which works beside it.
  [[nodiscard]] std::size_t writes() const noexcept { return runs() ? writes_->size() : 0; }
  [[nodiscard]] std::size_t reads() const noexcept { return runs() ? reads_->size() : 0; }
  [[nodiscard]] std::size_t jobs() const noexcept { return writes() + reads(); }
  /// SIGSTOP: no turns; what was handed to the writer may still be done.
  bool halted = false;
  /// Waits for the store in vain: see ModelJobs::stuck.
  void set_stuck(bool stuck) {
    if (runs()) writes_->stuck = stuck;
  }

  void start();
  /// One turn, in which at most `records` come.
  void turn(std::size_t records);
  void write(Fate fate);
  void read();
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
  ModelWriterJobs* writes_ = nullptr;
  ModelReaderJobs* reads_ = nullptr;
  FaultyWriter* writer_ = nullptr;
  std::string last_words_;
};

}  // namespace runfold::simulation
