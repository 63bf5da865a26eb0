// A disk that is full, as far as this process is concerned: its files cannot grow beyond a size.
#pragma once

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <cstdint>

namespace runfold::test {

/// While this lives a write is broken off where the file would grow larger than `bytes`, whoever runs the test. No two at once.
class SmallFiles {
 public:
  explicit SmallFiles(std::uint64_t bytes) : before_signal_(::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit small{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  ~SmallFiles() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    ::signal(SIGXFSZ, before_signal_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  sighandler_t before_signal_;
  rlimit before_{};
};

}  // namespace runfold::test
