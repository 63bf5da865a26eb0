// Reads who descends from whom out of /proc.
#include "producer/agent/descendants.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace runfold::agent {
namespace {

void add_children(pid_t parent, std::vector<pid_t>& to) {
  std::error_code gone;  // the process may end while it is looked at
  const std::filesystem::path tasks = "/proc/" + std::to_string(parent) + "/task";
  for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
    std::ifstream children(task->path() / "children");
    for (pid_t child = 0; children >> child;) to.push_back(child);
  }
}

}  // namespace

std::vector<pid_t> descendants() {
  std::vector<pid_t> found;
  add_children(::getpid(), found);
  for (std::size_t i = 0; i < found.size(); ++i) add_children(found[i], found);
  return found;
}

Adoption::Adoption() noexcept {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Adoption::~Adoption() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace runfold::agent
