// The API on the real store: what is written comes out, page by page.
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/api/api_fixture.hpp"

namespace runfold::collector::test {
namespace {

namespace json = boost::json;

class ApiOnSqlite : public ApiTest {
 protected:
  ApiOnSqlite() {
    sqlite_ = open_sqlite_store(folder_.path() / "runfold.db").value();
    auto writer = sqlite_->writer().value();
    Batch batch;
    for (int i = 0; i < 5; ++i) {
      StoredRun stored = run_named("r" + std::to_string(i));
      v1::Run snapshot;
      snapshot.set_status(v1::RUN_STATUS_RUNNING);
      stored.run.status = v1::RUN_STATUS_RUNNING;
      stored.run.sort_at_ns = kAt + i * kSecond;
      stored.run.snapshot = snapshot.SerializeAsString();
      batch.runs.push_back(stored.run);
    }
    batch.log_chunks = {chunk({"r1", 1}, 0, {record("a"), record("b", v1::SEVERITY_ERROR)}), chunk({"r1", 1}, 1, {record("c")})};
    EXPECT_TRUE(writer->commit(batch));
    sqlite_pool_ = std::make_shared<QueryPool>(
        [this] {
          const std::scoped_lock lock(opening_);
          return sqlite_->query();
        },
        2, 8);
    router_ = {};
    add_api_routes(router_, {sqlite_pool_, {}});
  }
  ~ApiOnSqlite() override { sqlite_pool_->stop(); }

  runfold::test::TemporaryFolder folder_;
  std::unique_ptr<Store> sqlite_;
  std::mutex opening_;
  std::shared_ptr<QueryPool> sqlite_pool_;
};

TEST_F(ApiOnSqlite, RunsArePagedNewestFirst) {
  std::string all, query = "?limit=2&status=running";
  for (int pages = 0; pages < 5; ++pages) {
    const auto page = get_json("/api/v1/runs" + query);
    for (const auto& item : page.at("items").as_array()) {
      all += item.at("run_id").as_string();
    }
    all += '|';
    if (page.at("next_cursor").is_null()) break;
    query = "?limit=2&status=running&cursor=" + std::string(page.at("next_cursor").as_string());
  }
  EXPECT_EQ(all, "r4r3|r2r1|r0|");
}

TEST_F(ApiOnSqlite, ACursorThatItDidNotGiveIsABadParameter) {
  EXPECT_EQ(get_json("/api/v1/runs?cursor=made-up", 400).at("parameter"), "cursor");
  EXPECT_EQ(get_json("/api/v1/api-failures?cursor=made-up", 400).at("parameter"), "cursor");
  EXPECT_EQ(get_json("/api/v1/operations?cursor=made-up", 400).at("parameter"), "cursor");
}

TEST_F(ApiOnSqlite, LogsComeOutOfTheirChunks) {
  const auto page = get_json("/api/v1/runs/r1/logs?order=asc");
  ASSERT_EQ(page.at("items").as_array().size(), 3U);
  EXPECT_EQ(page.at("items").at(2).at("message"), "c");
  EXPECT_EQ(get_json("/api/v1/runs/r1/logs?level=error").at("items").as_array().size(), 1U);
  auto text = get("/api/v1/runs/r1/logs", "text/plain");
  EXPECT_EQ(body(text), "2026-05-16 14:32:11 UTC [INFO] a\n2026-05-16 14:32:11 UTC [ERROR] b\n2026-05-16 14:32:11 UTC [INFO] c\n");
}

}  // namespace
}  // namespace runfold::collector::test
