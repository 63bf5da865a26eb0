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

/// Runs jobs with a Writer, one at a time, in the order given. Tests run them when they see fit.
class WriterJobs {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~WriterJobs() = default;

  /// An exception of the job comes out of its future's get().
  template <class Job>
  [[nodiscard]] auto run(Job job) {
    using Result = std::invoke_result_t<Job&, Writer&>;
    auto task = std::make_shared<std::packaged_task<Result(Writer&)>>(std::move(job));
    auto future = task->get_future();
    post([task](Writer& writer) { (*task)(writer); });
    return future;
  }
  /// Waits for what run() gave. False: it has not come by the deadline.
  template <class Result>
  [[nodiscard]] bool wait(const std::future<Result>& answer, Clock::time_point deadline) {
    return answer.wait_for(patience(deadline)) == std::future_status::ready;
  }

 private:
  virtual void post(std::function<void(Writer&)> job) = 0;
  /// How long a wait with this deadline may take.
  virtual Clock::duration patience(Clock::time_point deadline) = 0;
};

/// Runs them on a thread of its own.
///
/// Thread: any. The destructor waits for the job under way and drops the others.
class WriterThread final : public WriterJobs {
 public:
  /// `wake` runs on the writer's thread after each job; the job's future is ready before.
  WriterThread(std::unique_ptr<Writer> writer, std::function<void()> wake) : writer_(std::move(writer)), wake_(std::move(wake)), pool_(1) {}
  ~WriterThread() override {
    pool_.stop();
    pool_.join();
  }

 private:
  void post(std::function<void(Writer&)> job) override {
    boost::asio::post(pool_, [this, job = std::move(job)] {
      job(*writer_);
      wake_();
    });
  }
  Clock::duration patience(Clock::time_point deadline) override { return deadline - Clock::now(); }

  std::unique_ptr<Writer> writer_;
  std::function<void()> wake_;
  boost::asio::thread_pool pool_;
};

}  // namespace runfold::collector
