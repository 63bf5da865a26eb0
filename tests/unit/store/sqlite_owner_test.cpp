// Who may have a database file: one owner, any number of readers.
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/unit/store/sqlite_files.hpp"

#include <gmock/gmock.h>

#include <array>

namespace runfold::collector {
namespace {

using testing::HasSubstr;

const SqliteOptions kReader{.access = SqliteOptions::Access::kRead};

RunRow named_run(const std::string& run_id) {
  RunRow row;
  row.key = {run_id, 1};
  return row;
}

TEST(SqliteOwner, ASecondOwnerIsToldWhoHasTheFile) {
  const Folder folder;
  const auto first = open_sqlite_store(folder / "r.db").value();
  const auto second = open_sqlite_store(folder / "r.db");
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error().code, StoreErrc::kBusy);
  EXPECT_THAT(second.error().message, HasSubstr((folder / "r.db").string()));
  EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(::getpid())));
}

TEST(SqliteOwner, AReaderIsNotTheOneWhomTheInstanceIdNames) {
  const Folder folder;
  const auto owner = open_sqlite_store(folder / "r.db").value();
  EXPECT_TRUE(owner->instance_id());
  EXPECT_FALSE(open_sqlite_store(folder / "r.db", kReader).value()->instance_id());
}

TEST(SqliteOwner, ASecondOwnerInAnotherProcessOrByAnotherNameIsRefusedToo) {
  const Folder folder;
  const auto first = open_sqlite_store(folder / "r.db").value();
  std::filesystem::create_symlink(folder / "r.db", folder / "link.db");
  EXPECT_EQ(open_sqlite_store(folder / "link.db").error().code, StoreErrc::kBusy);
  Child other([&folder] {
    const auto store = open_sqlite_store(folder / "r.db");
    return store.has_error() && store.error().code == StoreErrc::kBusy ? 0 : 1;
  });
  EXPECT_EQ(other.wait(), 0);
}

TEST(SqliteOwner, TheFileIsFreeOnceItsOwnerWasKilled) {
  const Folder folder;
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  Child owner([&folder, &ready] {
    const auto store = open_sqlite_store(folder / "r.db").value();
    static_cast<void>(!::write(ready[1], "x", 1));
    return ::pause();
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto refused = open_sqlite_store(folder / "r.db");
  ASSERT_TRUE(refused.has_error());
  EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(owner.pid())));
  EXPECT_EQ(owner.kill_9(), 128 + SIGKILL);
  EXPECT_TRUE(open_sqlite_store(folder / "r.db").has_value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(SqliteOwner, TheFileStaysOwnedWhileAWriterLives) {
  const Folder folder;
  auto store = open_sqlite_store(folder / "r.db").value();
  auto writer = store->writer().value();
  store.reset();
  EXPECT_TRUE(open_sqlite_store(folder / "r.db").has_error());
  writer.reset();
  EXPECT_TRUE(open_sqlite_store(folder / "r.db").has_value());
}

TEST(SqliteOwner, AReaderSeesWhatTheOwnerCommitsAndCannotWrite) {
  const Folder folder;
  const auto store = open_sqlite_store(folder / "r.db").value();
  const auto writer = store->writer().value();
  const auto reader = open_sqlite_store(folder / "r.db", kReader).value();
  const auto query = reader->query().value();
  ASSERT_TRUE(writer->commit({.runs = {named_run("r1")}}).has_value());
  EXPECT_EQ(query->runs({}, 10, "").value().items.size(), 1U);
  EXPECT_EQ(reader->writer().error().code, StoreErrc::kInvalid);
  EXPECT_EQ(reader->outbox().error().code, StoreErrc::kInvalid);
}

TEST(SqliteOwner, AReaderOpensTheFileOfAKilledOwner) {
  const Folder folder;
  Child owner([&folder] {
    const auto store = open_sqlite_store(folder / "r.db").value();
    const auto writer = store->writer().value();
    if (!writer->commit({.runs = {named_run("r1")}})) return 1;
    return ::kill(::getpid(), SIGKILL);
  });
  ASSERT_EQ(owner.wait(), 128 + SIGKILL);
  const auto reader = open_sqlite_store(folder / "r.db", kReader).value();
  EXPECT_EQ(reader->query().value()->runs({}, 10, "").value().items.size(), 1U);
}

TEST(SqliteOwner, AReaderOfNothingIsToldSo) {
  const Folder folder;
  const auto reader = open_sqlite_store(folder / "none.db", kReader);
  ASSERT_TRUE(reader.has_error());
  EXPECT_EQ(reader.error().code, StoreErrc::kUnavailable);
  EXPECT_THAT(reader.error().message, HasSubstr("none.db"));
  EXPECT_FALSE(std::filesystem::exists(folder / "none.db"));
}

TEST(SqliteOwner, AFolderThatIsNotThereIsNamed) {
  const Folder folder;
  const auto store = open_sqlite_store(folder / "no" / "r.db");
  ASSERT_TRUE(store.has_error());
  EXPECT_EQ(store.error().code, StoreErrc::kUnavailable);
  EXPECT_THAT(store.error().message, HasSubstr((folder / "no").string()));
  EXPECT_EQ(open_sqlite_store(folder.path()).error().code, StoreErrc::kInvalid);
}

}  // namespace
}  // namespace runfold::collector
