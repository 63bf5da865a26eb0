// Pipes and eventfds that no child inherits.
#include "producer/agent/descriptor.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace runfold::agent {

void Descriptor::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Error system_error(const char* what, int error) {
  return Error{Errc::kSystem, std::string(what) + ": " + std::generic_category().message(error)};
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe", errno);
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<Descriptor> make_wake() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return system_error("cannot make an eventfd", errno);
  return Descriptor(fd);
}

Descriptor open_process(pid_t pid) noexcept {
  // By number: the C library's own header for it cannot be linked from C++ before glibc 2.37.
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool is_no_process(int error) noexcept {
  return error == ESRCH || error == EINVAL || error == ENOENT;
}

void open_standard_descriptors() noexcept {
  for (int fd = 0; fd <= 2; ++fd) {
    // The lowest free number is the one that open() takes, so each hole is filled in turn.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) [[maybe_unused]]
      const int opened = ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace runfold::agent
