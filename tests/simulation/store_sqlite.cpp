// The real store in a folder of its own, and everything in it by its own queries.
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/simulation/store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace runfold::simulation {
namespace {

using collector::StoredRun;

template <class T>
T must(collector::StoreResult<T> result) {
  if (!result) throw Failure("the SQLite store: " + result.error().message);
  return std::move(*result);
}

class SqliteStorage final : public Storage {
 public:
  SqliteStorage() : store_(must(collector::open_sqlite_store(folder_.path() / "store.db"))) {}

  std::unique_ptr<collector::Writer> writer() override { return must(store_->writer()); }
  std::unique_ptr<collector::RunReader> run_reader() override { return must(store_->run_reader()); }

  Contents contents() override {
    Contents all;
    const auto query = must(store_->query());
    every([&](std::string_view from) { return query->runs({}, 1'000, from); },
          [&](StoredRun& found) {
            const collector::RunKey key = found.run.key;
            for (auto& chunk : must(query->log_chunks(key, {.descending = false}, 100'000)))
              all.chunks[{key, chunk.chunk}] = std::move(chunk);
            if (found.logs) all.run_logs[key] = std::move(*found.logs);
            if (!found.run.snapshot.empty()) all.runs[key] = std::move(found.run);
          });
    every([&](std::string_view from) { return query->api_failures({}, 1'000, from); },
          [&](collector::ApiFailureRow& row) { all.api_failures[row.failure_id] = row; });
    every([&](std::string_view from) { return query->api_failure_groups({}, 1'000, from); },
          [&](collector::ApiFailureGroupRow& row) {
            const std::pair key{row.kind.fingerprint, row.connector_id};
            all.api_failure_groups[key] = std::move(row);
          });
    every([&](std::string_view from) { return query->operations({}, 1'000, from); },
          [&](collector::OperationRow& row) { all.operations[row.operation_id] = row; });
    return all;
  }

 private:
  template <class Ask, class Take>
  static void every(Ask&& ask, Take&& take) {
    std::string cursor;
    do {
      auto page = must(ask(cursor));
      for (auto& item : page.items) take(item);
      cursor = page.next_cursor.value_or("");
    } while (!cursor.empty());
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<collector::Store> store_;
};

}  // namespace

std::unique_ptr<Storage> sqlite_storage() {
  return std::make_unique<SqliteStorage>();
}

}  // namespace runfold::simulation
