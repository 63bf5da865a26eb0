// When to say it again.
#include "producer/sdk/trouble.hpp"

#include "producer/sdk/line.hpp"

#include <algorithm>

namespace runfold {

void TroublePrinter::operator()(const kafka::Error& error) {
  constexpr std::chrono::seconds kFirst{10};
  constexpr std::chrono::seconds kLast{600};
  const auto now = std::chrono::steady_clock::now();
  auto [at, is_new] = kinds_.try_emplace(error.code);
  auto& kind = at->second;
  if (!is_new && now < kind.next) return;
  const bool quiet_since = is_new || now - kind.next > 2 * kind.interval;
  kind.interval = quiet_since ? kFirst : std::min(kind.interval * 2, kLast);
  kind.next = now + kind.interval;
  // On the delivery thread, whose end others wait for: it must not hang on a reader of stderr that does not read.
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, "Runfold: " + error.message);
}

}  // namespace runfold
