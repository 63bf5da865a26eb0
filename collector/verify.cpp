// Walks two stores side by side, newest first, and compares what they hold of each run, API failure and operation.
#include "collector/verify.hpp"

#include "collector/verify_fields.hpp"
#include "collector/verify_logs.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"

#include <compare>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace runfold::collector {
namespace {

constexpr std::size_t kPage = 500;
constexpr const char* kThere = "there";

/// A list read page by page.
template <class Item>
class Walk {
 public:
  using Fetch = std::function<StoreResult<Page<Item>>(std::string_view cursor)>;
  explicit Walk(Fetch fetch) : fetch_(std::move(fetch)) {}

  /// The item where it stands; null at the end. Lives until next().
  [[nodiscard]] StoreResult<const Item*> item() {
    while (at_ == page_.items.size()) {
      if (begun_ && !page_.next_cursor) return static_cast<const Item*>(nullptr);
      auto page = fetch_(begun_ ? *page_.next_cursor : std::string());
      if (!page) return page.error();
      page_ = std::move(*page);
      begun_ = true;
      at_ = 0;
    }
    return &page_.items[at_];
  }
  void next() { ++at_; }

 private:
  Fetch fetch_;
  Page<Item> page_;
  std::size_t at_ = 0;
  bool begun_ = false;
};

/// Steps through two lists of one order. `order` gives an item's place; the items of the later place come first.
template <class Item, class Order, class Both, class One>
StoreResult<> merge(Walk<Item> a, Walk<Item> b, Order order, Both both, One only_a, One only_b) {
  while (true) {
    const auto left = a.item();
    if (!left) return left.error();
    const auto right = b.item();
    if (!right) return right.error();
    if (*left == nullptr && *right == nullptr) return {};
    const bool take_a = *left != nullptr && (*right == nullptr || order(**left) >= order(**right));
    const bool take_b = *right != nullptr && (*left == nullptr || order(**right) >= order(**left));
    const StoreResult<> done = take_a && take_b ? both(**left, **right) : take_a ? only_a(**left) : only_b(**right);
    if (!done) return done.error();
    if (take_a) a.next();
    if (take_b) b.next();
  }
}

template <class Message>
StoreResult<Message> parse(const std::string& bytes, const std::string& row) {
  Message message;
  if (message.ParseFromString(bytes)) return message;
  return StoreError{StoreErrc::kCorrupt, row + " is stored in a form that cannot be read: restore or rebuild that store"};
}

class Comparison {
 public:
  Comparison(Query& a, Query& b, const VerifyCalls& calls) : a_(a), b_(b), calls_(calls) {}

  StoreResult<Verdict> run() {
    if (const auto done = runs(); !done) return done.error();
    if (const auto done = api_failures(); !done) return done.error();
    if (const auto done = api_failure_groups(); !done) return done.error();
    if (const auto done = operations(); !done) return done.error();
    return verdict_;
  }

 private:
  using Only = std::function<StoreResult<>(const StoredRun&)>;

  void differ(const std::string& row, const std::string& field, const std::string& a, const std::string& b) {
    ++verdict_.differences;
    if (calls_.on_difference) calls_.on_difference({row, field, a, b});
  }
  template <class Value>
  void compare(const std::string& row, const char* field, const Value& a, const Value& b) {
    if (a == b) return;
    if constexpr (std::is_arithmetic_v<Value>) {
      differ(row, field, std::to_string(a), std::to_string(b));
    } else {
      differ(row, field, shown(a), shown(b));
    }
  }

  // Runs

  static std::string name_of(const RunKey& key) { return "run " + shown(key.run_id) + ", attempt " + std::to_string(key.attempt); }

  Walk<StoredRun> walk_runs(Query& query) {
    return Walk<StoredRun>([&query](std::string_view cursor) { return query.runs({}, kPage, cursor); });
  }

  StoreResult<> runs() {
    const auto order = [](const StoredRun& stored) {
      return std::tie(stored.run.sort_at_ns, stored.run.key.run_id, stored.run.key.attempt);
    };
    const auto both = [this](const StoredRun& a, const StoredRun& b) { return compare_runs(a, b); };
    // A run that stands elsewhere in the other list is compared once, from A.
    const Only only_a = [this](const StoredRun& a) -> StoreResult<> {
      const auto b = b_.run(a.run.key.run_id, a.run.key.attempt);
      if (!b) return b.error();
      if (*b) return compare_runs(a, **b);
      counted_run();
      differ(name_of(a.run.key), "", kThere, kNothing);
      return {};
    };
    const Only only_b = [this](const StoredRun& b) -> StoreResult<> {
      const auto a = a_.run(b.run.key.run_id, b.run.key.attempt);
      if (!a) return a.error();
      if (*a) return {};
      counted_run();
      differ(name_of(b.run.key), "", kNothing, kThere);
      return {};
    };
    return merge(walk_runs(a_), walk_runs(b_), order, both, only_a, only_b);
  }

  void counted_run() {
    ++verdict_.runs;
    if (calls_.on_progress) calls_.on_progress(verdict_);
  }

  /// The collector said so of a silent or overlong run, for as long as nothing else is heard of it.
  static bool presumed(const v1::Run& run) {
    return run.result_source() == v1::RESULT_SOURCE_INFERRED &&
           (run.result() == v1::RUN_RESULT_LOST || run.result() == v1::RUN_RESULT_TIMEOUT);
  }
  static void take_back(v1::Run& run, v1::RunStatus status) {
    run.set_status(status);
    run.clear_result();
    run.clear_result_source();
    run.clear_finished_at();
    run.clear_duration();
    run.clear_error();
  }
  /// What is no truth of the topics is taken away. True: a verdict was only a presumption.
  static bool normalise(v1::Run& a, v1::Run& b) {
    for (v1::Run* run : {&a, &b}) {
      run->clear_revision();
      run->clear_offsets();
    }
    const bool presumed_a = presumed(a);
    const bool presumed_b = presumed(b);
    const auto status_beside = [](const v1::Run& other) {
      return other.status() == v1::RUN_STATUS_FINISHED ? v1::RUN_STATUS_RUNNING : other.status();
    };
    if (presumed_a) take_back(a, presumed_b ? v1::RUN_STATUS_RUNNING : status_beside(b));
    if (presumed_b) take_back(b, presumed_a ? v1::RUN_STATUS_RUNNING : status_beside(a));
    return presumed_a || presumed_b;
  }

  StoreResult<> compare_runs(const StoredRun& a, const StoredRun& b) {
    const std::string row = name_of(a.run.key);
    compare(row, "connector_id", a.run.connector_id, b.run.connector_id);
    compare(row, "version", a.run.version, b.run.version);
    compare(row, "site", a.run.site, b.run.site);
    if (a.run.snapshot.empty() != b.run.snapshot.empty()) {
      differ(row, "events", a.run.snapshot.empty() ? kNothing : kThere, b.run.snapshot.empty() ? kNothing : kThere);
    } else if (!a.run.snapshot.empty()) {
      auto snapshot_a = parse<v1::Run>(a.run.snapshot, row + ", of A,");
      if (!snapshot_a) return snapshot_a.error();
      auto snapshot_b = parse<v1::Run>(b.run.snapshot, row + ", of B,");
      if (!snapshot_b) return snapshot_b.error();
      if (!normalise(*snapshot_a, *snapshot_b)) {
        compare(row, "status (listed)", a.run.status, b.run.status);
        compare(row, "result (listed)", a.run.result, b.run.result);
      }
      compare(row, "sort_at_ns (listed)", a.run.sort_at_ns, b.run.sort_at_ns);
      compare_messages(*snapshot_a, *snapshot_b, [&](const std::string& field, const std::string& left, const std::string& right) {
        differ(row, field, left, right);
      });
    }
    const auto done = compare_run_logs(row, a, b);
    counted_run();
    return done;
  }

  StoreResult<> compare_run_logs(const std::string& row, const StoredRun& a, const StoredRun& b) {
    if (a.logs.has_value() != b.logs.has_value()) differ(row, "logs", a.logs ? kThere : kNothing, b.logs ? kThere : kNothing);
    if (!a.logs || !b.logs) return {};
    compare(row, "logs.connector_id", a.logs->connector_id, b.logs->connector_id);
    compare(row, "logs.version", a.logs->version, b.logs->version);
    compare(row, "logs.site", a.logs->site, b.logs->site);
    for (std::size_t severity = 0; severity < a.logs->counts.size(); ++severity) {
      const std::string field = "log_counts[" + std::to_string(severity) + "]";
      compare(row, field.c_str(), a.logs->counts[severity], b.logs->counts[severity]);
    }
    compare(row, "logs.api_failures", a.logs->api_failures, b.logs->api_failures);
    compare(row, "logs.received", a.logs->received, b.logs->received);
    const auto logs = compare_logs(a_, b_, a.run.key);
    if (!logs) return logs.error();
    verdict_.log_records += std::max(logs->records_a, logs->records_b);
    if (logs->same) return {};
    const auto words = [](std::uint64_t records, const std::string& only) {
      return std::to_string(records) + " records" + (only.empty() ? std::string() : ", only here: " + only);
    };
    differ(row, "log records", words(logs->records_a, logs->only_in_a), words(logs->records_b, logs->only_in_b));
    return {};
  }

  // API failures

  StoreResult<> api_failures() {
    const auto walk = [](Query& query) {
      return Walk<ApiFailureRow>([&query](std::string_view cursor) { return query.api_failures({}, kPage, cursor); });
    };
    const auto order = [](const ApiFailureRow& row) { return std::tie(row.at_ns, row.failure_id); };
    const auto name = [](const ApiFailureRow& row) {
      return "API failure " + shown(row.failure_id) + " of run " + shown(row.key.run_id) + ", attempt " + std::to_string(row.key.attempt);
    };
    using One = std::function<StoreResult<>(const ApiFailureRow&)>;
    const One only_a = [&](const ApiFailureRow& a) -> StoreResult<> {
      ++verdict_.api_failures;
      differ(name(a), "", kThere, kNothing);
      return {};
    };
    const One only_b = [&](const ApiFailureRow& b) -> StoreResult<> {
      ++verdict_.api_failures;
      differ(name(b), "", kNothing, kThere);
      return {};
    };
    const auto both = [&](const ApiFailureRow& a, const ApiFailureRow& b) -> StoreResult<> {
      ++verdict_.api_failures;
      const std::string row = name(a);
      compare(row, "run_id", a.key.run_id, b.key.run_id);
      compare(row, "attempt", a.key.attempt, b.key.attempt);
      compare(row, "connector_id", a.connector_id, b.connector_id);
      compare(row, "site", a.site, b.site);
      const auto code = [](const ApiFailureRow& of) { return of.code ? std::to_string(*of.code) : std::string(kNothing); };
      compare(row, "code", code(a), code(b));
      return compare_payloads<v1::ApiFailure>(row, a.payload, b.payload);
    };
    return merge(walk(a_), walk(b_), order, both, only_a, only_b);
  }

  // Groups of API failures

  StoreResult<> api_failure_groups() {
    const auto walk = [](Query& query) {
      return Walk<ApiFailureGroupRow>([&query](std::string_view cursor) { return query.api_failure_groups({}, kPage, cursor); });
    };
    const auto order = [](const ApiFailureGroupRow& row) { return std::tie(row.last_ns, row.kind.fingerprint, row.connector_id); };
    const auto name = [](const ApiFailureGroupRow& row) {
      return "API failure group " + row.kind.fingerprint + " of connector " + shown(row.connector_id);
    };
    const auto find = [](Query& query, const ApiFailureGroupRow& row) -> StoreResult<std::optional<ApiFailureGroupRow>> {
      Walk<ApiFailureGroupRow> same([&](std::string_view cursor) {
        return query.api_failure_groups({.fingerprint = row.kind.fingerprint, .connector_id = row.connector_id}, kPage, cursor);
      });
      for (;; same.next()) {
        const auto found = same.item();
        if (!found) return found.error();
        if (*found == nullptr) return std::optional<ApiFailureGroupRow>();
        if ((*found)->connector_id == row.connector_id) return std::optional(**found);
      }
    };
    using One = std::function<StoreResult<>(const ApiFailureGroupRow&)>;
    const auto both = [&](const ApiFailureGroupRow& a, const ApiFailureGroupRow& b) -> StoreResult<> {
      compare_groups(name(a), a, b);
      return {};
    };
    // A group that stands elsewhere in the other list is compared once, from A.
    const One only_a = [&](const ApiFailureGroupRow& a) -> StoreResult<> {
      const auto b = find(b_, a);
      if (!b) return b.error();
      if (*b) return both(a, **b);
      ++verdict_.api_failure_groups;
      differ(name(a), "", kThere, kNothing);
      return {};
    };
    const One only_b = [&](const ApiFailureGroupRow& b) -> StoreResult<> {
      const auto a = find(a_, b);
      if (!a) return a.error();
      if (*a) return {};
      ++verdict_.api_failure_groups;
      differ(name(b), "", kNothing, kThere);
      return {};
    };
    return merge(walk(a_), walk(b_), order, both, only_a, only_b);
  }

  void compare_groups(const std::string& row, const ApiFailureGroupRow& a, const ApiFailureGroupRow& b) {
    ++verdict_.api_failure_groups;
    compare(row, "method", a.kind.method, b.kind.method);
    compare(row, "uri_template", a.kind.uri_template, b.kind.uri_template);
    compare(row, "body", a.kind.body, b.kind.body);
    compare(row, "count", a.count, b.count);
    compare(row, "first_ns", a.first_ns, b.first_ns);
    compare(row, "last_ns", a.last_ns, b.last_ns);
    compare(row, "first_version", a.first_version, b.first_version);
    const auto sites = [](const ApiFailureGroupRow& group) {
      std::string text;
      for (const std::string& site : group.sites) text += (text.empty() ? "" : ", ") + site;
      return text;
    };
    compare(row, "sites", sites(a), sites(b));
  }

  // Operations

  StoreResult<> operations() {
    const auto walk = [](Query& query) {
      return Walk<OperationRow>([&query](std::string_view cursor) { return query.operations({}, kPage, cursor); });
    };
    const auto order = [](const OperationRow& row) { return std::tie(row.created_at_ns, row.operation_id); };
    const auto name = [](const OperationRow& row) { return "operation " + shown(row.operation_id); };
    using One = std::function<StoreResult<>(const OperationRow&)>;
    const One only_a = [&](const OperationRow& a) -> StoreResult<> {
      const auto b = b_.operation(a.operation_id);
      if (!b) return b.error();
      if (*b) return compare_operations(name(a), a, **b);
      ++verdict_.operations;
      differ(name(a), "", kThere, kNothing);
      return {};
    };
    const One only_b = [&](const OperationRow& b) -> StoreResult<> {
      const auto a = a_.operation(b.operation_id);
      if (!a) return a.error();
      if (*a) return {};
      ++verdict_.operations;
      differ(name(b), "", kNothing, kThere);
      return {};
    };
    const auto both = [&](const OperationRow& a, const OperationRow& b) { return compare_operations(name(a), a, b); };
    return merge(walk(a_), walk(b_), order, both, only_a, only_b);
  }

  StoreResult<> compare_operations(const std::string& row, const OperationRow& a, const OperationRow& b) {
    ++verdict_.operations;
    compare(row, "status", a.status, b.status);
    compare(row, "name", a.name, b.name);
    compare(row, "owner_id", a.owner_id, b.owner_id);
    compare(row, "connector_id", a.connector_id, b.connector_id);
    compare(row, "created_at_ns", a.created_at_ns, b.created_at_ns);
    compare(row, "updated_at_ns", a.updated_at_ns, b.updated_at_ns);
    return compare_payloads<v1::Operation>(row, a.payload.value_or(""), b.payload.value_or(""));
  }

  template <class Message>
  StoreResult<> compare_payloads(const std::string& row, const std::string& a, const std::string& b) {
    if (a == b) return {};
    const auto message_a = parse<Message>(a, row + ", of A,");
    if (!message_a) return message_a.error();
    const auto message_b = parse<Message>(b, row + ", of B,");
    if (!message_b) return message_b.error();
    compare_messages(*message_a, *message_b, [&](const std::string& field, const std::string& left, const std::string& right) {
      differ(row, "payload." + field, left, right);
    });
    return {};
  }

  Query& a_;
  Query& b_;
  const VerifyCalls& calls_;
  Verdict verdict_;
};

}  // namespace

StoreResult<Verdict> verify(Query& a, Query& b, const VerifyCalls& calls) {
  return Comparison(a, b, calls).run();
}

}  // namespace runfold::collector
