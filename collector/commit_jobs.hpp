// Where the pipeline's jobs run that wait for the disk, so that the pipeline does not.
#pragma once

#include "collector/store/store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace runfold::collector {

/// Runs jobs with a Tool, a Writer or a RunReader: one at a time, in the order given. Tests run them when they see fit.
template <class Tool>
class Jobs {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Jobs() = default;

  /// An exception of the job comes out of its future's get().
  template <class Job>
  [[nodiscard]] auto run(Job job) {
    using Result = std::invoke_result_t<Job&, Tool&>;
    auto task = std::make_shared<std::packaged_task<Result(Tool&)>>(std::move(job));
    auto future = task->get_future();
    post([task](Tool& tool) { (*task)(tool); });
    return future;
  }
  /// Waits for what run() gave. False: it has not come by the deadline.
  template <class Result>
  [[nodiscard]] bool wait(const std::future<Result>& answer, Clock::time_point deadline) {
    return answer.wait_for(patience(deadline)) == std::future_status::ready;
  }

 private:
  virtual void post(std::function<void(Tool&)> job) = 0;
  /// How long a wait with this deadline may take.
  virtual Clock::duration patience(Clock::time_point deadline) = 0;
};

/// Runs them on a thread of its own.
///
/// Thread: any. The destructor waits for the job under way and drops the others.
template <class Tool>
class JobThread final : public Jobs<Tool> {
 public:
  using Clock = typename Jobs<Tool>::Clock;
  /// `wake` runs on the jobs' thread after each; the job's future is ready before.
  JobThread(std::unique_ptr<Tool> tool, std::function<void()> wake) : tool_(std::move(tool)), wake_(std::move(wake)), pool_(1) {}
  ~JobThread() override {
    pool_.stop();
    pool_.join();
  }

 private:
  void post(std::function<void(Tool&)> job) override {
    boost::asio::post(pool_, [this, job = std::move(job)] {
      job(*tool_);
      wake_();
    });
  }
  Clock::duration patience(Clock::time_point deadline) override { return deadline - Clock::now(); }

  std::unique_ptr<Tool> tool_;
  std::function<void()> wake_;
  boost::asio::thread_pool pool_;
};

using WriterJobs = Jobs<Writer>;
using ReaderJobs = Jobs<RunReader>;

}  // namespace runfold::collector
