// What retention leaves behind in the file: true totals, no orphans, space given back, readers that never waited.
#include "collector/store/sqlite/schema.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/unit/store/sqlite_files.hpp"

#include <gmock/gmock.h>

#include <random>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;

constexpr TimeNs kSecond = 1'000'000'000;

class SqliteRetention : public testing::Test {
 protected:
  void SetUp() override {
    store_ = open_sqlite_store(path(), {.busy_wait = 50ms, .now = [this] { return now_; }}).value();
    writer_ = store_->writer().value();
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "r.db"; }
  [[nodiscard]] std::uintmax_t wal_bytes() const { return std::filesystem::file_size(folder_ / "r.db-wal"); }
  void commit(const Batch& batch) {
    const auto done = writer_->commit(batch);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  Trimmed step(const Retention& keep, const TrimStep& step = {}) {
    const auto trimmed = writer_->trim(keep, step);
    if (!trimmed) throw std::runtime_error(trimmed.error().message);
    return *trimmed;
  }
  Trimmed trim(const Retention& keep, const TrimStep& how = {}) {
    for (int steps = 0; steps < 100'000; ++steps) {
      if (const Trimmed one = step(keep, how); !one.more) return one;
    }
    throw std::runtime_error("it never ends");
  }
  std::int64_t number(const std::string& sql) { return std::stoll(Bare(path()).lines(sql)); }

  static RunRow run(const std::string& id, std::int32_t status, std::size_t bytes) {
    RunRow row;
    row.key = {id, 1};
    row.connector_id = "connector";
    row.site = "site";
    row.status = status;
    row.snapshot = std::string(bytes, 's');
    row.fold_state = std::string(bytes / 3, 'f');
    return row;
  }
  static RunLogsRow logs(const std::string& id, std::uint32_t next_chunk) {
    RunLogsRow row;
    row.key = {id, 1};
    row.connector_id = "connector";
    row.next_chunk = next_chunk;
    row.fold_state = std::string(next_chunk % 7, 'w');
    return row;
  }
  static LogChunk chunk(const std::string& id, std::uint32_t number, std::size_t bytes) {
    LogChunk row;
    row.key = {id, 1};
    row.chunk = number;
    row.records = 3;
    row.data = std::string(bytes, 'd');
    return row;
  }

  const Folder folder_;
  TimeNs now_ = 1'000'000 * kSecond;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(SqliteRetention, TotalsAreTrueAndNothingIsOrphanedAfterARandomHistory) {
  std::mt19937 random(4711);
  const auto any = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int turn = 0; turn < 400; ++turn) {
    now_ += any(100) * kSecond;
    Batch batch;
    for (int i = any(8); i > 0; --i) {
      const std::string id = "run-" + std::to_string(any(40));
      if (any(2) == 0) batch.runs.push_back(run(id, any(4), static_cast<std::size_t>(any(3'000))));
      if (any(2) == 0) {
        const auto number_of_chunk = static_cast<std::uint32_t>(any(10));
        batch.run_logs.push_back(logs(id, number_of_chunk + 1));
        batch.log_chunks.push_back(chunk(id, number_of_chunk, static_cast<std::size_t>(any(20'000))));
        if (any(3) == 0) {
          ApiFailureRow failure;
          failure.failure_id = std::to_string(any(200));
          failure.key = {id, 1};
          failure.payload = std::string(static_cast<std::size_t>(any(500)), 'p');
          batch.api_failures.push_back(failure);
        }
      }
    }
    if (any(10) == 0) {
      batch.partitions.push_back({"nobody's", 0, 1, 1});  // Refused, and rolled back with its totals.
      ASSERT_TRUE(writer_->commit(batch).has_error());
    } else {
      commit(batch);
    }
    if (any(3) == 0) {
      TrimStep how;
      how.rows = static_cast<std::size_t>(1 + any(10));
      how.bytes = static_cast<std::uint64_t>(1 + any(50'000));
      Retention keep;
      if (any(2) == 0) keep.runs.age_ns = any(2'000) * kSecond;
      if (any(2) == 0) keep.runs.bytes = static_cast<std::uint64_t>(any(100'000));
      if (any(2) == 0) keep.logs.age_ns = any(1'000) * kSecond;
      if (any(2) == 0) keep.logs.bytes = static_cast<std::uint64_t>(any(300'000));
      static_cast<void>(step(keep, how));
    }
    if (turn % 20 != 19) continue;
    std::map<int, std::int64_t> sums{{sqlite::kRunsUsage, 0}, {sqlite::kLogsUsage, 0}};
    for (const auto& [kind, sql] : sqlite::usage_sums()) sums[kind] += number(sql);
    for (const auto& [kind, sum] : sums) {
      ASSERT_EQ(number("SELECT bytes FROM usage WHERE kind = " + std::to_string(kind)), sum) << "kind " << kind << ", turn " << turn;
    }
    for (const char* table : {"run_logs", "log_chunks", "api_failures"}) {
      ASSERT_EQ(number("SELECT count(*) FROM " + std::string(table) +
                       " t WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_id = t.run_id AND r.attempt = t.attempt)"),
                0)
          << table << ", turn " << turn;
    }
  }
  EXPECT_GT(number("SELECT count(*) FROM runs"), 0);
  trim({.runs = {.age_ns = 0}});
  now_ += kSecond;
  const Trimmed last = trim({.runs = {.age_ns = 0}});
  EXPECT_EQ(number("SELECT count(*) FROM runs WHERE status <> 2"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM runs") == 0, last.runs_bytes == 0);
}

TEST_F(SqliteRetention, TheFileShrinksAndTheLogIsCutOnceItIsQuiet) {
  EXPECT_EQ(number("PRAGMA auto_vacuum"), 2);
  for (int i = 0; i < 40; ++i) {
    const std::string id = "run-" + std::to_string(i);
    commit({.runs = {run(id, 3, 500)}, .run_logs = {logs(id, 1)}, .log_chunks = {chunk(id, 0, 500'000)}});
  }
  const Trimmed full = step({}, {.quiet = true});
  EXPECT_GT(std::filesystem::file_size(path()), 18'000'000U);
  EXPECT_EQ(wal_bytes(), 0U);
  EXPECT_GT(full.logs_bytes, 20'000'000U);

  now_ += 100 * kSecond;
  const Trimmed trimmed = trim({.logs = {.age_ns = 10 * kSecond}});
  EXPECT_EQ(trimmed.logs_bytes, 0U);
  EXPECT_LT(trimmed.file_bytes, 2'500'000U);
  EXPECT_LE(trimmed.free_bytes, 1'100'000U);
  trim({}, {.quiet = true});
  EXPECT_EQ(std::filesystem::file_size(path()), trimmed.file_bytes);
  EXPECT_LT(wal_bytes(), 4'300'000U);
  EXPECT_EQ(Bare(path()).lines("PRAGMA integrity_check"), "ok\n");
}

TEST_F(SqliteRetention, AStepGivesBackNoMoreThanItMay) {
  for (int i = 0; i < 20; ++i) commit({.run_logs = {logs("r", 1)}, .log_chunks = {chunk("r", static_cast<std::uint32_t>(i), 500'000)}});
  now_ += 100 * kSecond;
  TrimStep all;
  all.bytes = 100'000'000;
  all.give_back = 40'960;
  const Trimmed first = step({.logs = {.age_ns = 0}}, all);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.logs_bytes, 0U);
  const Trimmed second = step({.logs = {.age_ns = 0}}, all);
  EXPECT_LT(second.file_bytes, first.file_bytes);
  EXPECT_GE(second.file_bytes + 50'000, first.file_bytes);
}

TEST_F(SqliteRetention, AReaderSeesItsOwnMomentAndWaitsForNobody) {
  for (int i = 0; i < 30; ++i) {
    const std::string id = "run-" + std::to_string(i);
    commit({.runs = {run(id, 3, 500)}, .run_logs = {logs(id, 1)}, .log_chunks = {chunk(id, 0, 300'000)}});
  }
  now_ += 100 * kSecond;
  Bare reader(path());
  reader.run("PRAGMA busy_timeout = 0; BEGIN");
  ASSERT_EQ(reader.lines("SELECT count(*) FROM runs"), "30\n");
  trim({.runs = {.age_ns = kSecond}}, {.quiet = true});
  EXPECT_EQ(reader.lines("SELECT count(*) FROM log_chunks"), "30\n");
  EXPECT_EQ(reader.lines("SELECT sum(length(data)) FROM log_chunks"), "9000000\n");
  reader.run("COMMIT");
  EXPECT_EQ(reader.lines("SELECT count(*) FROM runs"), "0\n");
  trim({}, {.quiet = true});
  EXPECT_EQ(wal_bytes(), 0U);
}

TEST_F(SqliteRetention, WhileAnotherHoldsTheDatabaseAStepFailsAndTheNextOneDoesIt) {
  commit({.runs = {run("r", 3, 500)}});
  now_ += 100 * kSecond;
  const Retention keep{.runs = {.age_ns = kSecond}};
  {
    Bare other(path());
    other.run("BEGIN IMMEDIATE");
    const auto busy = writer_->trim(keep, {});
    ASSERT_TRUE(busy.has_error());
    EXPECT_EQ(busy.error().code, StoreErrc::kBusy);
  }
  EXPECT_EQ(step(keep).runs, 1U);
}

/// A wall clock and the time that passes in truth, apart.
class WrongClock : public SqliteRetention {
 protected:
  static constexpr TimeNs kHour = 3'600 * kSecond;
  static constexpr TimeNs kDay = 24 * kHour;

  void SetUp() override {
    now_ = 10'000 * kDay;
    open();
    commit(of("before"));
    trim(kKeep);
  }
  void open() {
    writer_.reset();
    store_.reset();
    store_ = open_sqlite_store(path(), {.busy_wait = 50ms, .now = [this] { return now_; }, .steady = [this] { return steady_; }}).value();
    writer_ = store_->writer().value();
  }
  void pass(TimeNs time) {
    now_ += time;
    steady_ += time;
  }
  static Batch of(const std::string& id) {
    Batch batch;
    batch.runs.push_back(run(id, 3, 10));
    batch.run_logs.push_back(logs(id, 1));
    batch.log_chunks.push_back(chunk(id, 0, 10));
    return batch;
  }
  std::int64_t runs() { return number("SELECT count(*) FROM runs"); }
  std::int64_t chunks() { return number("SELECT count(*) FROM log_chunks"); }

  static inline const Retention kKeep{.runs = {.age_ns = 30 * kDay, .bytes = {}}, .logs = {.age_ns = 3 * kDay, .bytes = {}}};
  TimeNs steady_ = 5 * kSecond;
};

TEST_F(WrongClock, ThatIsYearsAheadErasesNoHistory) {
  now_ += 3'650 * kDay;
  for (const bool restart : {false, true}) {
    if (restart) open();
    for (int i = 0; i < 10; ++i) {
      pass(10 * kSecond);
      commit(of("while it is wrong"));
      trim(kKeep);
    }
  }
  now_ -= 3'650 * kDay;
  trim(kKeep);
  EXPECT_EQ(runs(), 2);
  EXPECT_EQ(chunks(), 2);

  commit(of("when it is right again"));
  EXPECT_EQ(chunks(), 3);
  for (int days = 0; days < 4; ++days) {
    pass(kDay);
    trim(kKeep);
  }
  EXPECT_EQ(chunks(), 1) << "what was written under the wrong clock does not keep what came after it";
}

TEST_F(WrongClock, ThatWasBehindMakesNothingOldOnceItIsRight) {
  now_ -= 9'000 * kDay;
  commit(of("while it is wrong"));
  trim(kKeep);
  open();
  commit(of("while it is wrong, later"));
  now_ += 9'000 * kDay;
  trim(kKeep);
  EXPECT_EQ(runs(), 3);
  EXPECT_EQ(chunks(), 3);
  for (int days = 0; days < 4; ++days) {
    pass(kDay);
    trim(kKeep);
  }
  EXPECT_EQ(chunks(), 0);
}

TEST_F(WrongClock, IsToldFromALongDowntimeByTheTimeThatPassesAfterIt) {
  now_ += 40 * kDay;
  open();
  trim(kKeep);
  EXPECT_EQ(runs(), 1) << "it may be the clock";
  for (int hours = 0; hours < 41; ++hours) {
    pass(kHour);
    trim(kKeep);
  }
  EXPECT_EQ(runs(), 0);
  EXPECT_EQ(chunks(), 0);
}

}  // namespace
}  // namespace runfold::collector
