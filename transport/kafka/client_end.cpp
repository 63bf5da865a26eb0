// Ends a Kafka client without waiting for one that cannot be ended yet.
#include "transport/kafka/client_end.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <mutex>
#include <utility>
#include <vector>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatienceAtExit{2};

/// Sets this thread's signal mask until it goes out of scope.
class SignalMask {
 public:
  explicit SignalMask(const sigset_t& mask) { ::pthread_sigmask(SIG_SETMASK, &mask, &before_); }
  ~SignalMask() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;

 private:
  sigset_t before_;
};

/// Set in a thread that ends a client. It may be the process's last, so that the process's end runs in it.
thread_local bool t_ends_a_client = false;

/// The ends that took longer than their callers waited. A future that is ready joins its thread when it goes.
class LateEnds {
 public:
  /// Never destroyed: what is left in it when the process ends must not be waited for.
  static LateEnds& all() {
    static auto* const ends = new LateEnds;
    return *ends;
  }

  void add(std::future<void> end) {
    const std::lock_guard lock(mutex_);
    join_ended(Clock::now());
    process_ = ::getpid();
    // Handlers run in the reverse order: this one before OpenSSL's, which a client has registered by now.
    if (!std::exchange(waits_at_exit_, true)) std::atexit([] { all().wait_at_exit(); });
    ends_.push_back(std::move(end));
  }

  std::size_t count() {
    const std::lock_guard lock(mutex_);
    join_ended(Clock::now());
    return ends_.size();
  }

 private:
  void wait_at_exit() {
    // A forked child has none of these threads, and perhaps a lock that one of them held.
    if (t_ends_a_client || process_ != ::getpid()) return;
    const std::lock_guard lock(mutex_);
    waits_at_exit_ = false;  // what is late from here on is waited for anew
    join_ended(Clock::now() + kPatienceAtExit);
  }

  void join_ended(Clock::time_point deadline) {
    std::erase_if(ends_, [&](const auto& end) { return end.wait_until(deadline) == std::future_status::ready; });
  }

  std::mutex mutex_;
  std::vector<std::future<void>> ends_;
  bool waits_at_exit_ = false;
  std::atomic<pid_t> process_{0};  // whose threads they are
};

void destroy(rd_kafka_t* client) noexcept {
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

std::future<void> destroy_apart(ClientHandle& client) {
  // The process's signals are not that thread's: it inherits a mask that blocks them all.
  sigset_t all;
  sigfillset(&all);
  const SignalMask blocked(all);
  auto end = std::async(std::launch::async, [raw = client.get()] {
    t_ends_a_client = true;
    destroy(raw);
  });
  static_cast<void>(client.release());
  return end;
}

}  // namespace

void end_client(ClientHandle client, std::chrono::milliseconds limit) noexcept {
  if (!client) return;
  try {
    std::future<void> end = destroy_apart(client);
    if (end.wait_for(limit) != std::future_status::ready) LateEnds::all().add(std::move(end));
  } catch (const std::exception&) {  // no thread, or no memory, is to be had: it ends here, however long that takes
    if (client) destroy(client.release());
  }
}

std::size_t clients_ending() noexcept {
  return LateEnds::all().count();
}

int leave(int code) noexcept {
  if (clients_ending() == 0) return code;
  std::cout.flush();
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace runfold::kafka
