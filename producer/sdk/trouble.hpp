// Says on stderr that Kafka is in trouble: at once, and then at a growing interval.
#pragma once

#include "transport/kafka/error.hpp"

#include <chrono>
#include <map>

namespace runfold {

/// Prints one WARN line for each kind of trouble, and the next of that kind only after a time that doubles, from 10 s to
/// 10 min. A kind that was quiet for twice that long begins anew.
/// Thread: one.
class TroublePrinter {
 public:
  void operator()(const kafka::Error& error);

 private:
  struct Kind {
    std::chrono::steady_clock::time_point next;
    std::chrono::seconds interval{10};
  };
  std::map<kafka::Errc, Kind> kinds_;
};

}  // namespace runfold
