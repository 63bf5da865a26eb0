// Stands in for std::chrono's clocks, so that the real code reads the model's time wherever it asks.
#include "tests/simulation/time.hpp"

#include <ctime>

namespace runfold::simulation {
namespace {

std::int64_t the_time_ns = kBegin;

}  // namespace

std::int64_t now_ns() noexcept {
  return the_time_ns;
}
void set_time(std::int64_t to_ns) noexcept {
  the_time_ns = to_ns;
}
double cpu_seconds() noexcept {
  std::timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace runfold::simulation

// A definition in the program comes before the library's.
namespace std::chrono {
inline namespace _V2 {

steady_clock::time_point steady_clock::now() noexcept {
  return time_point(nanoseconds(runfold::simulation::now_ns()));
}
system_clock::time_point system_clock::now() noexcept {
  return time_point(nanoseconds(runfold::simulation::now_ns()));
}

}  // namespace _V2
}  // namespace std::chrono
