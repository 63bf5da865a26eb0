// Says how much memory the fold holds for a run, by its steps: what limits.run_memory_bytes counts, beside what the allocator says.
#include "tests/bench/bench_run.hpp"

#include <malloc.h>

#include <cstdio>

int main() {
  using namespace runfold;
  constexpr std::uint32_t kRuns = 2'000;
  std::printf("%10s %12s %16s %18s\n", "steps", "with logs", "allocated B/run", "counted B/run");
  for (const std::uint32_t steps : {0U, 5U, 20U, 100U, 1'000U}) {
    for (const std::uint32_t log_records : {0U, 5U}) {
      const auto before = ::mallinfo2();
      collector::Fold fold;
      std::int64_t offset = 0;
      for (std::uint32_t number = 0; number < kRuns; ++number) bench::fold_run(fold, {number, steps, log_records, false}, offset);
      static_cast<void>(fold.take());
      const auto after = ::mallinfo2();
      const auto allocated = (after.uordblks + after.hblkhd) - (before.uordblks + before.hblkhd);
      std::printf("%10u %12s %16zu %18zu\n", steps, log_records > 0 ? "yes" : "no", allocated / kRuns, fold.held_bytes() / kRuns);
    }
  }
}
