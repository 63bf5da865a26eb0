// What the SQLite store says, and keeps, when the disk, the file or another process gives trouble.
#include "collector/store/sqlite/schema.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/unit/store/sqlite_files.hpp"

#include <gmock/gmock.h>

#include <array>
#include <fstream>

#include <sys/stat.h>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr int kRunsABatch = 500;

/// Batch n: every run at its n-th state, one outbox record, the offset n.
Batch generation(std::int64_t n, std::int64_t epoch, std::size_t snapshot_bytes = 200) {
  Batch batch;
  for (int i = 0; i < kRunsABatch; ++i) {
    RunRow row;
    row.key = {"run-" + std::to_string(i), 1};
    row.sort_at_ns = n;
    row.snapshot = std::to_string(n) + std::string(snapshot_bytes, '.');
    batch.runs.push_back(row);
  }
  batch.outbox.push_back({"hook", sinks::Kind::kRun, std::to_string(n), "run-1", "payload"});
  batch.partitions.push_back({"events", 0, n, epoch});
  return batch;
}

std::int64_t claim_epoch(Writer& writer, std::optional<std::int64_t>* offset = nullptr) {
  const std::vector<std::pair<std::string, std::int32_t>> one{{"events", 0}};
  const auto claim = writer.claim(one).value().at(0);
  if (offset != nullptr) *offset = claim.next_offset;
  return claim.epoch;
}

TEST(SqliteTrouble, OffsetsThatCannotBeReadAreSaidAndNotTakenForNone) {
  const Folder folder;
  const auto store = open_sqlite_store(folder / "r.db").value();
  const auto writer = store->writer().value();
  const auto reader = store->run_reader().value();
  Batch batch;
  batch.runs.emplace_back().key = {"run-1", 1};
  batch.run_logs.emplace_back().key = {"run-1", 1};
  writer->commit(batch).value();
  EXPECT_TRUE(reader->load_run_logs(std::array{RunKey{"run-1", 1}}));
  Bare(folder / "r.db").run("UPDATE run_logs SET offsets = '0:3-'");
  const auto loaded = reader->load_run_logs(std::array{RunKey{"run-1", 1}});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, StoreErrc::kCorrupt);
  EXPECT_THAT(loaded.error().message, HasSubstr("run-1"));
  const auto query = store->query().value();
  EXPECT_EQ(query->run("run-1", std::nullopt).error().code, StoreErrc::kCorrupt);
  EXPECT_EQ(query->runs({}, 10, "").error().code, StoreErrc::kCorrupt);
}

TEST(SqliteTrouble, KilledInMidCommitTheWholeTransactionIsThereOrNoneOfIt) {
  const Folder folder;
  std::int64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    std::array<int, 2> committed{};
    ASSERT_EQ(::pipe(committed.data()), 0);
    Child writer_process([&] {
      ::close(committed[0]);
      const auto store = open_sqlite_store(folder / "r.db").value();
      const auto writer = store->writer().value();
      const auto epoch = claim_epoch(*writer);
      for (std::int64_t n = before + 1;; ++n) {
        if (!writer->commit(generation(n, epoch))) return 1;
        if (::write(committed[1], &n, sizeof n) != sizeof n) return 2;
      }
    });
    ::close(committed[1]);
    // It goes on at once after telling, so it is killed somewhere in its next commit or soon after.
    std::int64_t told = 0;
    for (int i = 0; i <= round; ++i) ASSERT_EQ(::read(committed[0], &told, sizeof told), static_cast<ssize_t>(sizeof told));
    ASSERT_EQ(writer_process.kill_9(), 128 + SIGKILL);
    for (std::int64_t n = 0; ::read(committed[0], &n, sizeof n) == static_cast<ssize_t>(sizeof n);) told = n;
    ::close(committed[0]);

    const auto store = open_sqlite_store(folder / "r.db").value();
    const auto writer = store->writer().value();
    std::optional<std::int64_t> offset;
    claim_epoch(*writer, &offset);
    ASSERT_TRUE(offset);
    EXPECT_GE(*offset, told) << "a commit that had returned is gone";
    EXPECT_LE(*offset, told + 1);
    const auto runs = store->query().value()->runs({}, 1000, "").value().items;
    ASSERT_EQ(runs.size(), static_cast<std::size_t>(kRunsABatch));
    for (const auto& run : runs) ASSERT_EQ(run.run.sort_at_ns, *offset) << "run " << run.run.key.run_id;
    const auto outbox = store->outbox().value()->due("hook", std::chrono::system_clock::now(), 10'000).value();
    EXPECT_EQ(outbox.size(), static_cast<std::size_t>(*offset));
    EXPECT_EQ(outbox.back().idempotency_key, std::to_string(*offset));
    before = *offset;
  }
}

TEST(SqliteTrouble, AFullDiskIsSaidAndTheBatchCanBeCommittedOnceThereIsSpace) {
  const Folder folder;
  {
    const auto store = open_sqlite_store(folder / "r.db", {.max_bytes = 600'000}).value();
    const auto writer = store->writer().value();
    const auto reader = store->run_reader().value();
    const auto epoch = claim_epoch(*writer);
    ASSERT_TRUE(writer->commit(generation(1, epoch)).has_value());
    const auto full = writer->commit(generation(2, epoch, 4'000));
    ASSERT_TRUE(full.has_error());
    EXPECT_EQ(full.error().code, StoreErrc::kFull);
    EXPECT_TRUE(full.error().retryable());
    EXPECT_THAT(full.error().message, HasSubstr((folder / "r.db").string()));
    EXPECT_EQ(reader->load_runs(std::array{RunKey{"run-7", 1}}).value().at(0)->sort_at_ns, 1) << "part of the batch was written";
    EXPECT_TRUE(writer->commit(generation(3, epoch)).has_value()) << "what fits goes in";
  }
  const auto store = open_sqlite_store(folder / "r.db").value();
  const auto writer = store->writer().value();
  EXPECT_TRUE(writer->commit(generation(4, claim_epoch(*writer), 4'000)).has_value());
}

TEST(SqliteTrouble, ATransactionOfAnotherConnectionIsWaitedForAndThenCalledBusy) {
  const Folder folder;
  const auto store = open_sqlite_store(folder / "r.db", {.busy_wait = 20ms}).value();
  const auto writer = store->writer().value();
  const auto outbox = store->outbox().value();
  {
    Bare other(folder / "r.db");
    other.run("BEGIN IMMEDIATE");
    const auto busy = writer->commit({});
    ASSERT_TRUE(busy.has_error());
    EXPECT_EQ(busy.error().code, StoreErrc::kBusy);
    EXPECT_TRUE(busy.error().retryable());
    EXPECT_THAT(busy.error().message, HasSubstr("r.db"));
    const sinks::Outbox::Judged judged{1, {sinks::Outcome::kDelivered, "", {}}, {}};
    EXPECT_TRUE(outbox->judge("hook", {&judged, 1}).has_error());
  }
  EXPECT_TRUE(writer->commit({}).has_value());
}

/// Opens the store as a user who is not root.
std::pair<int, std::string> open_as_nobody(const std::filesystem::path& path) {
  std::array<int, 2> words{};
  if (::pipe(words.data()) != 0) throw std::runtime_error("pipe failed");
  Child child([&] {
    if (::geteuid() == 0 && (::setegid(65534) != 0 || ::seteuid(65534) != 0)) return 98;
    const auto store = open_sqlite_store(path);
    if (store.has_value()) return 0;
    const auto& message = store.error().message;
    static_cast<void>(!::write(words[1], message.data(), message.size()));
    return 10 + static_cast<int>(store.error().code);
  });
  ::close(words[1]);
  std::string message(1000, '\0');
  const auto size = ::read(words[0], message.data(), message.size());
  ::close(words[0]);
  message.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return {child.wait(), message};
}

TEST(SqliteTrouble, AFolderThatMayNotBeWrittenIsReadOnly) {
  const Folder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  const auto [code, message] = open_as_nobody(folder / "r.db");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(code, 10 + static_cast<int>(StoreErrc::kReadOnly)) << message;
  EXPECT_THAT(message, HasSubstr((folder / "r.db").string()));
}

TEST(SqliteTrouble, AFileThatMayNotBeWrittenIsReadOnly) {
  const Folder folder;
  open_sqlite_store(folder / "r.db").value().reset();
  ASSERT_EQ(::chmod((folder / "r.db").c_str(), 0444), 0);
  ASSERT_EQ(::chmod((folder / "r.db.lock").c_str(), 0666), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  const auto [code, message] = open_as_nobody(folder / "r.db");
  EXPECT_EQ(code, 10 + static_cast<int>(StoreErrc::kReadOnly)) << message;
  EXPECT_THAT(message, HasSubstr((folder / "r.db").string()));
}

TEST(SqliteTrouble, ASchemaOfALaterReleaseIsRefusedAndLeftAsItIs) {
  const Folder folder;
  open_sqlite_store(folder / "r.db").value().reset();
  Bare(folder / "r.db").run("PRAGMA user_version = 99");
  for (const auto access : {SqliteOptions::Access::kOwn, SqliteOptions::Access::kRead}) {
    const auto store = open_sqlite_store(folder / "r.db", {.access = access});
    ASSERT_TRUE(store.has_error());
    EXPECT_EQ(store.error().code, StoreErrc::kCorrupt);
    EXPECT_THAT(store.error().message, HasSubstr("schema version 99"));
    EXPECT_THAT(store.error().message, HasSubstr("later release"));
  }
  EXPECT_EQ(Bare(folder / "r.db").lines("PRAGMA user_version"), "99\n");
}

TEST(SqliteTrouble, ADatabaseOfAnotherProgramIsRefusedAndLeftAsItIs) {
  const Folder folder;
  Bare(folder / "other.db").run("CREATE TABLE bookmarks (url TEXT)");
  const auto store = open_sqlite_store(folder / "other.db");
  ASSERT_TRUE(store.has_error());
  EXPECT_EQ(store.error().code, StoreErrc::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr("another program"));
  EXPECT_EQ(Bare(folder / "other.db").lines("SELECT name FROM sqlite_schema"), "bookmarks\n");
}

TEST(SqliteTrouble, AFileThatIsNoDatabaseIsCorrupt) {
  const Folder folder;
  std::ofstream(folder / "notes.txt") << std::string(5'000, 'x');
  const auto store = open_sqlite_store(folder / "notes.txt");
  ASSERT_TRUE(store.has_error());
  EXPECT_EQ(store.error().code, StoreErrc::kCorrupt);
  EXPECT_FALSE(store.error().retryable());
}

TEST(SqliteTrouble, ADamagedPageIsCorruptAndNotAnEmptyList) {
  const Folder folder;
  {
    const auto store = open_sqlite_store(folder / "r.db").value();
    const auto writer = store->writer().value();
    ASSERT_TRUE(writer->commit(generation(1, claim_epoch(*writer))).has_value());
  }
  {
    const auto number = [&](const std::string& sql) { return std::stoll(Bare(folder / "r.db").lines(sql)); };
    const auto bytes = number("PRAGMA page_size");
    const auto page = number("SELECT rootpage FROM sqlite_schema WHERE name = 'runs'");
    std::fstream file(folder / "r.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((page - 1) * bytes);
    const std::string noise(static_cast<std::size_t>(bytes), '\x5a');
    file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  const auto reader = open_sqlite_store(folder / "r.db", {.access = SqliteOptions::Access::kRead}).value();
  const auto runs = reader->query().value()->runs({}, 10, "");
  ASSERT_TRUE(runs.has_error());
  EXPECT_EQ(runs.error().code, StoreErrc::kCorrupt);
}

class Migrations : public testing::Test {
 protected:
  std::unique_ptr<sqlite::Connection> open() {
    return sqlite::Connection::open((folder_ / "m.db").string(), sqlite::OpenAs::kCreator, 100ms).value();
  }
  const Folder folder_;
};

TEST_F(Migrations, EachStepRunsOnceInOrder) {
  constexpr const char* kStep1 = "CREATE TABLE steps (n INTEGER); INSERT INTO steps VALUES (1)";
  constexpr const char* kStep2 = "INSERT INTO steps VALUES (2)";
  constexpr const char* kStep3 = "INSERT INTO steps VALUES (3)";
  const auto connection = open();
  ASSERT_TRUE(sqlite::migrate(*connection, std::array{kStep1}).has_value());
  EXPECT_EQ(sqlite::verify_schema(*connection, std::array{kStep1, kStep2}).error().code, StoreErrc::kInvalid);
  ASSERT_TRUE(sqlite::migrate(*connection, std::array{kStep1, kStep2, kStep3}).has_value());
  ASSERT_TRUE(sqlite::migrate(*connection, std::array{kStep1, kStep2, kStep3}).has_value());
  EXPECT_TRUE(sqlite::verify_schema(*connection, std::array{kStep1, kStep2, kStep3}).has_value());
  EXPECT_EQ(Bare(folder_ / "m.db").lines("SELECT n FROM steps ORDER BY rowid"), "1\n2\n3\n");
}

TEST_F(Migrations, AStepThatFailsLeavesTheFileAtItsVersion) {
  constexpr const char* kStep1 = "CREATE TABLE steps (n INTEGER)";
  const auto connection = open();
  ASSERT_TRUE(sqlite::migrate(*connection, std::array{kStep1}).has_value());
  EXPECT_TRUE(sqlite::migrate(*connection, std::array{kStep1, "CREATE TABLE more (n INTEGER)", "not SQL"}).has_error());
  EXPECT_EQ(Bare(folder_ / "m.db").lines("PRAGMA user_version"), "1\n");
  EXPECT_EQ(Bare(folder_ / "m.db").lines("SELECT count(*) FROM sqlite_schema"), "1\n");
}

}  // namespace
}  // namespace runfold::collector
