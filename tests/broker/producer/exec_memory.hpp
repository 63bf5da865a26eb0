// How much memory runfold exec, or agent, may have, and has.
#pragma once

#include "tests/support/process_memory.hpp"
#include "tests/support/program.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <iostream>

namespace runfold::test {

/// What runfold exec may have resident, at any time: the queue of 8 MiB three times (waiting; with Kafka's client, until it is
/// acknowledged; and the client's copy of it), what it has when idle (13 MiB), 2 MiB of batches under way, the buffers of two
/// streams (1 MiB with the end of stdout that is kept), and once more half of all that: for what allocators leave unused, the lists
/// of headers that wait to be used again, and the intake's bodies, which have 8 MiB but are seldom there while the queue is full.
/// That the half is enough is measured, not proved. An agent of few jobs has the same parts but for the streams.
inline constexpr std::size_t kExecMayHave = std::size_t{3} * (3 * 8 + 13 + 2 + 1) / 2 << 20;

/// A sanitizer has memory of its own: then it is told, not judged.
inline void expect_bounded(std::size_t peak) {
  std::cout << "[  MEMORY  ] peak resident " << (peak >> 20) << " MiB of at most " << (kExecMayHave >> 20)
            << (kSanitized ? ", not judged under a sanitizer\n" : "\n");
  EXPECT_GT(peak, 0U);
  EXPECT_TRUE(kSanitized || peak <= kExecMayHave) << peak;
}

/// Waits until `exec` has ended and expects that it never had more.
inline void expect_bounded_memory_until_the_end(Program& exec) {
  std::size_t peak = 0;
  const auto ended = [&] {
    peak = std::max(peak, peak_resident_bytes(exec.pid()).value_or(0));
    return !exec.running();
  };
  ASSERT_TRUE(wait_until(ended, 4 * kPatience)) << exec.err();
  expect_bounded(peak);
}

}  // namespace runfold::test
