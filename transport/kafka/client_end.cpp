// Ends a Kafka client without waiting for a name server that does not answer.
#include "transport/kafka/client_end.hpp"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace runfold::kafka {
namespace {

constexpr std::chrono::milliseconds kPatience{200};

std::atomic<int> ending{0};

struct Ending {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

}  // namespace

void end_client(ClientHandle client) noexcept {
  if (!client) return;
  // The process's signals are not that thread's: it inherits a mask that blocks them all.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  ending.fetch_add(1);
  std::shared_ptr<Ending> end;
  try {
    end = std::make_shared<Ending>();
    std::thread([end, raw = client.get()] {
      rd_kafka_destroy(raw);
      ending.fetch_sub(1);
      const std::lock_guard lock(end->mutex);
      end->done = true;
      end->changed.notify_all();
    }).detach();
    static_cast<void>(client.release());
  } catch (const std::exception&) {  // no thread is to be had: it is destroyed here, however long that takes
    client.reset();
    ending.fetch_sub(1);
    end.reset();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!end) return;
  std::unique_lock lock(end->mutex);
  end->changed.wait_for(lock, kPatience, [&] { return end->done; });
}

int clients_ending() noexcept {
  return ending.load();
}

}  // namespace runfold::kafka
