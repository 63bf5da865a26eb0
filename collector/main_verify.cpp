// runfold-collector verify: opens two stores to read, compares them, and prints where they differ.
#include "collector/main.hpp"
#include "collector/operator_log.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "collector/store/url.hpp"
#include "collector/verify.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <variant>

namespace runfold::collector {
namespace {

/// A store and a reader of it, or the exit code after a line that says why not.
std::variant<std::unique_ptr<Query>, int> open(const std::string& name, const std::string& url) {
  const auto refused = [&](const StoreError& error) {
    operator_log(3, "store " + name + " cannot be read: " + error.message);
    return exit_code(error);
  };
  const auto where = parse_store_url(url);
  if (!where) return refused(where.error());
  SqliteOptions options;
  options.access = SqliteOptions::Access::kRead;
  const auto store = open_sqlite_store(where->location, options);
  if (!store) return refused(store.error());
  auto query = (*store)->query();
  if (!query) return refused(query.error());
  return std::move(*query);
}

void print(const Difference& difference, bool json) {
  if (json) {
    boost::json::object document{{"row", difference.row}};
    if (!difference.field.empty()) document["field"] = difference.field;
    document["a"] = difference.a;
    document["b"] = difference.b;
    std::cout << boost::json::serialize(document) << "\n";
  } else {
    std::cout << difference.row << ": " << (difference.field.empty() ? "" : difference.field + ": ") << "A has " << difference.a
              << ", B has " << difference.b << "\n";
  }
}

void print(const Verdict& verdict, bool json) {
  if (json) {
    const boost::json::object document{{"same", verdict.differences == 0},
                                       {"runs", verdict.runs},
                                       {"log_records", verdict.log_records},
                                       {"api_failures", verdict.api_failures},
                                       {"api_failure_groups", verdict.api_failure_groups},
                                       {"operations", verdict.operations},
                                       {"differences", verdict.differences}};
    std::cout << boost::json::serialize(document) << "\n";
  } else {
    std::cout << (verdict.differences == 0 ? "same" : "different") << ": " << verdict.runs << " runs, " << verdict.log_records
              << " log records, " << verdict.api_failures << " API failures in " << verdict.api_failure_groups << " groups, "
              << verdict.operations << " operations compared, " << verdict.differences << " differences\n";
  }
}

}  // namespace

int run_verify(const VerifyFlags& flags) {
  auto a = open("A", flags.a);
  if (const int* code = std::get_if<int>(&a)) return *code;
  auto b = open("B", flags.b);
  if (const int* code = std::get_if<int>(&b)) return *code;

  std::size_t printed = 0;
  using Clock = std::chrono::steady_clock;
  auto due = Clock::now() + kProgressEvery;
  VerifyCalls calls;
  calls.on_difference = [&](const Difference& difference) {
    if (printed++ < flags.limit) print(difference, flags.json);
  };
  calls.on_progress = [&](const Verdict& verdict) {
    if (Clock::now() < due) return;
    due = Clock::now() + kProgressEvery;
    operator_log(6, "compared " + std::to_string(verdict.runs) + " runs and " + std::to_string(verdict.log_records) + " log records, " +
                        std::to_string(verdict.differences) + " differences so far");
  };
  const auto verdict = verify(**std::get_if<0>(&a), **std::get_if<0>(&b), calls);
  if (!verdict) {
    operator_log(3, "the comparison broke off: " + verdict.error().message);
    return exit_code(verdict.error());
  }
  if (printed > flags.limit) operator_log(6, std::to_string(printed - flags.limit) + " differences are not printed; --limit shows more");
  print(*verdict, flags.json);
  std::cout.flush();
  if (!std::cout.good()) {
    operator_log(3, "standard output cannot be written; what was printed is incomplete");
    return kUnavailable;
  }
  return verdict->differences == 0 ? 0 : kFailed;
}

}  // namespace runfold::collector
