// Shows librdkafka's threads and locks to the thread sanitizer; empty in any other build.
//
// librdkafka uses C11 threads, which g++'s thread sanitizer does not know: a thread that it did not see begin crashes at
// its first allocation, and what its locks order looks like a race. Here the same calls are made with POSIX threads, which
// it knows. The linker takes this file in because of --undefined=thrd_create (see CMakeLists.txt).
#if defined(__SANITIZE_THREAD__)

#include <cerrno>
#include <cstdint>
#include <memory>

#include <pthread.h>
#include <threads.h>

namespace {

static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t));

pthread_mutex_t* posix(mtx_t* mutex) {
  return reinterpret_cast<pthread_mutex_t*>(mutex);
}
pthread_cond_t* posix(cnd_t* condition) {
  return reinterpret_cast<pthread_cond_t*>(condition);
}
int result(int posix_error) {
  return posix_error == 0 ? thrd_success : posix_error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

struct Start {
  thrd_start_t run;
  void* argument;
};

void* run_started(void* opaque) {
  const std::unique_ptr<Start> start(static_cast<Start*>(opaque));
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->run(start->argument)));
}

}  // namespace

extern "C" {

// librdkafka itself is not built for the sanitizer, so the atomics of its reference counts are not seen. Stacks with no
// frame of it, which is all of ours but the producer's callbacks, are checked as ever.
// Its threads, and the one that ends a client, may outlive the process's last statement: see end_client().
const char* __tsan_default_suppressions();
const char* __tsan_default_suppressions() {
  return "race:librdkafka.so\nmutex:librdkafka.so\ndeadlock:librdkafka.so\nthread:thrd_create\nthread:end_client\n";
}

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto start = std::make_unique<Start>(Start{run, argument});
  const int error = pthread_create(thread, nullptr, &run_started, start.get());
  if (error == 0) static_cast<void>(start.release());  // run_started owns it now
  return error == ENOMEM ? thrd_nomem : result(error);
}

int thrd_join(thrd_t thread, int* value) {
  void* returned = nullptr;
  const int error = pthread_join(thread, &returned);
  if (value != nullptr) *value = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
  return result(error);
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, (type & mtx_recursive) != 0 ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
  const int error = pthread_mutex_init(posix(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return result(error);
}
int mtx_lock(mtx_t* mutex) {
  return result(pthread_mutex_lock(posix(mutex)));
}
int mtx_unlock(mtx_t* mutex) {
  return result(pthread_mutex_unlock(posix(mutex)));
}
void mtx_destroy(mtx_t* mutex) {
  pthread_mutex_destroy(posix(mutex));
}

int cnd_init(cnd_t* condition) {
  return result(pthread_cond_init(posix(condition), nullptr));
}
int cnd_signal(cnd_t* condition) {
  return result(pthread_cond_signal(posix(condition)));
}
int cnd_broadcast(cnd_t* condition) {
  return result(pthread_cond_broadcast(posix(condition)));
}
int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return result(pthread_cond_wait(posix(condition), posix(mutex)));
}
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return result(pthread_cond_timedwait(posix(condition), posix(mutex), until));
}
void cnd_destroy(cnd_t* condition) {
  pthread_cond_destroy(posix(condition));
}

}  // extern "C"

#endif
