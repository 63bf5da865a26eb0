// Lists are read from indexes in their order: nothing is scanned without one, nothing is sorted.
#include "collector/store/sqlite/lists.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/unit/store/sqlite_files.hpp"

#include <gmock/gmock.h>

#include <sstream>

namespace runfold::collector {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kRuns = 100'000;

class SqlitePlan : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<Folder>();
    store_ = open_sqlite_store(*folder_ / "r.db").value();
    const auto writer = store_->writer().value();
    for (int i = 0; i < kRuns;) {
      Batch batch;
      for (const int end = i + 10'000; i < end; ++i) batch.runs.push_back(run(i));
      ASSERT_TRUE(writer->commit(batch).has_value());
    }
  }
  static void TearDownTestSuite() {
    store_.reset();
    folder_.reset();
  }

  static RunRow run(int i) {
    RunRow row;
    row.key = {"run-" + std::to_string(i * 7919LL % kRuns), 1};
    row.connector_id = "connector-" + std::to_string(i % 20);
    row.site = i % 3 == 0 ? "" : "site-" + std::to_string(i % 50);
    row.version = std::to_string(i % 5);
    row.status = i > kRuns - 50 ? 2 : 3;
    row.result = i % 10 == 0 ? 2 : 1;
    row.sort_at_ns = i;
    row.snapshot = std::string(300, 's');
    return row;
  }

  static void expect_indexed(const sqlite::Select& select) {
    const auto plan = Bare(*folder_ / "r.db").lines("EXPLAIN QUERY PLAN " + select.text());
    EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << select.text();
    std::istringstream lines(plan);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("SCAN")) {
        EXPECT_THAT(line, HasSubstr("USING INDEX")) << select.text();
      }
    }
  }

  static std::unique_ptr<Folder> folder_;
  static std::unique_ptr<Store> store_;
};
std::unique_ptr<Folder> SqlitePlan::folder_;
std::unique_ptr<Store> SqlitePlan::store_;

TEST_F(SqlitePlan, RunsAreReadFromAnIndexWhateverTheFilter) {
  const std::optional<CursorKey> first;
  const std::optional<CursorKey> later(CursorKey{500, 1, "run-1"});
  for (const auto& after : {first, later}) {
    expect_indexed(sqlite::select_runs({}, 50, after));
    expect_indexed(sqlite::select_runs({.connector_id = "c"}, 50, after));
    expect_indexed(sqlite::select_runs({.version = "1"}, 50, after));
    expect_indexed(sqlite::select_runs({.site = "s"}, 50, after));
    expect_indexed(sqlite::select_runs({.status = 2}, 50, after));
    expect_indexed(sqlite::select_runs({.result = 2}, 50, after));
    expect_indexed(sqlite::select_runs({.from_ns = 1, .to_ns = 2}, 50, after));
    expect_indexed(sqlite::select_runs({.connector_id = "c", .site = "s", .status = 3, .result = 2, .from_ns = 1, .to_ns = 2}, 50, after));
  }
}

TEST_F(SqlitePlan, AFilteredListSearchesTheIndexOfItsFilter) {
  const auto plan = [this](const RunFilter& filter) {
    return Bare(*folder_ / "r.db").lines("EXPLAIN QUERY PLAN " + sqlite::select_runs(filter, 50, std::nullopt).text());
  };
  EXPECT_THAT(plan({.connector_id = "c"}), HasSubstr("SEARCH r USING INDEX runs_by_connector"));
  EXPECT_THAT(plan({.site = "s"}), HasSubstr("SEARCH r USING INDEX runs_by_site"));
  EXPECT_THAT(plan({.status = 2}), HasSubstr("SEARCH r USING INDEX runs_by_status"));
  EXPECT_THAT(plan({.result = 2}), HasSubstr("SEARCH r USING INDEX runs_by_result"));
  EXPECT_THAT(plan({.from_ns = 2}), HasSubstr("SEARCH r USING INDEX runs_newest"));
}

TEST_F(SqlitePlan, TheOtherListsAreReadFromAnIndexToo) {
  const std::optional<CursorKey> none;
  for (const auto& filter : std::vector<ApiFailureFilter>{
           {}, {.run_id = "r"}, {.run_id = "r", .attempt = 1}, {.connector_id = "c"}, {.site = "s"}, {.code = 500}, {.from_ns = 1}}) {
    expect_indexed(sqlite::select_api_failures(filter, 50, none));
  }
  const std::optional<CursorKey> later(CursorKey{500, 0, "v1:a c"});
  for (const auto& filter : std::vector<ApiFailureGroupFilter>{{}, {.connector_id = "c"}, {.code = 500}, {.from_ns = 1, .to_ns = 2}}) {
    expect_indexed(sqlite::select_api_failure_groups(filter, 50, none));
    expect_indexed(sqlite::select_api_failure_groups(filter, 50, later));
  }
  for (const auto& filter : std::vector<OperationFilter>{{}, {.status = "s"}, {.name = "n"}, {.owner_id = "o"}, {.connector_id = "c"}}) {
    expect_indexed(sqlite::select_operations(filter, 50, none));
  }
  const RunKey key{"r", 1};
  expect_indexed(sqlite::select_log_chunks(key, {.severities = 0x0f, .start = 3}, 10));
  expect_indexed(sqlite::select_run("r", std::nullopt));
  expect_indexed(sqlite::select_operation("o"));
}

TEST_F(SqlitePlan, TheOverdueAreFoundByWhenTheyAreDue) {
  const auto select = sqlite::select_overdue(3, 1'000, 10);
  expect_indexed(select);
  EXPECT_THAT(Bare(*folder_ / "r.db").lines("EXPLAIN QUERY PLAN " + select.text()), HasSubstr("runs_due"));
}

TEST_F(SqlitePlan, AFilteredListOfAHundredThousandRunsIsWhole) {
  const auto query = store_->query().value();
  const RunFilter filter{.connector_id = "connector-7", .status = 3};
  std::size_t seen = 0;
  TimeNs last = kRuns;
  std::string cursor;
  while (true) {
    const auto page = query->runs(filter, 1000, cursor).value();
    for (const auto& item : page.items) {
      ASSERT_LT(item.run.sort_at_ns, last);
      last = item.run.sort_at_ns;
      ++seen;
    }
    if (!page.next_cursor) break;
    cursor = *page.next_cursor;
  }
  std::size_t expected = 0;
  for (int i = 0; i < kRuns; ++i) expected += i % 20 == 7 && i <= kRuns - 50 ? 1 : 0;
  EXPECT_EQ(seen, expected);
}

}  // namespace
}  // namespace runfold::collector
