// What a seed throws when a promise is broken, and the trace that leads there.
#pragma once

#include <iostream>
#include <stdexcept>
#include <string>

namespace runfold::simulation {

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes what happens, when asked to.
class Trace {
 public:
  explicit Trace(bool on) noexcept : on_(on) {}
  [[nodiscard]] bool on() const noexcept { return on_; }
  template <class... Parts>
  void operator()(const Parts&... parts) const {
    if (!on_) return;
    (std::cout << ... << parts) << '\n';
  }

 private:
  bool on_;
};

}  // namespace runfold::simulation
