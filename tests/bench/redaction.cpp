// What it costs to look for secrets in a text that has none, which nearly every text is.
#include "producer/redact/redactor.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

/// The best of some rounds: what others take of the machine is not its cost. Unit: ns.
double cost_ns(const runfold::redact::Redactor& redactor, const std::string& text) {
  constexpr int kRounds = 9;
  const std::size_t calls = std::max<std::size_t>(20'000'000 / text.size(), 100);
  std::vector<double> rounds;
  std::size_t found = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < calls; ++i) found += redactor.finds_in(text) ? 1 : 0;
    rounds.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / static_cast<double>(calls));
  }
  if (found != 0) std::printf("the text is not clean: %s\n", text.c_str());
  return *std::min_element(rounds.begin(), rounds.end());
}

}  // namespace

int main() {
  std::string rows;
  for (int i = 0; rows.size() < 64 * 1024; ++i)
    rows += "row " + std::to_string(i) + " of the export, with a name, an amount and a date: 2026-05-16\n";
  const std::vector<std::pair<const char*, std::string>> texts{
      {"a line", "uploaded invoice 12345 of 98765 to the container, 2 relationships, 1 warning"},
      {"key=value", "level=info count=42 page=7 user=bob elapsed=0.25 msg=uploaded at=14:32:11"},
      {"JSON", R"({"count":42,"page":7,"user":"bob","elapsed":0.25,"at":"2026-05-16T14:32:11Z"})"},
      {"a URI", "https://api.example.com/v2/files/12345?page=2&limit=100"},
      {"64 KiB of lines", rows}};
  const runfold::redact::Redactor none;
  runfold::redact::Redactor some;
  for (int i = 0; i < 10; ++i) some.add("secret-number-" + std::to_string(i)).value();
  std::printf("%-16s %8s %18s %18s %14s\n", "text", "bytes", "nothing registered", "10 registered", "ns a byte");
  for (const auto& [name, text] : texts) {
    const double bare = cost_ns(none, text);
    std::printf("%-16s %8zu %15.0f ns %15.0f ns %14.2f\n", name, text.size(), bare, cost_ns(some, text),
                bare / static_cast<double>(text.size()));
  }
}
