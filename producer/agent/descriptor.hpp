// Owns one file descriptor, and makes pipes that no child inherits.
#pragma once

#include "producer/agent/error.hpp"

#include <sys/types.h>

#include <utility>

namespace runfold::agent {

/// Closes its descriptor when it goes.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void close() noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

/// A pipe whose ends close on exec.
[[nodiscard]] Result<Pipe> make_pipe();

/// An eventfd that closes on exec; reads as ready once something was written to it.
[[nodiscard]] Result<Descriptor> make_wake();

/// A process's descriptor (pidfd), which closes on exec and reads as ready once the process has ended. Empty: errno says why.
[[nodiscard]] Descriptor open_process(pid_t pid) noexcept;
/// Of open_process(): nothing has that number, or only a thread of a process has (EINVAL, with newer kernels ENOENT).
[[nodiscard]] bool is_no_process(int error) noexcept;

/// Opens /dev/null on those of the descriptors 0, 1 and 2 that are closed, so that no pipe of ours takes their place.
void open_standard_descriptors() noexcept;

/// "what: the system's words for error"
[[nodiscard]] Error system_error(const char* what, int error);

}  // namespace runfold::agent
