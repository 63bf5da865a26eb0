// The stores that the contract is put to.
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/contract/store/store_under_test.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace runfold::collector::contract {
namespace {

TimeNs wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase() {
    auto pattern = (std::filesystem::temp_directory_path() / "runfold-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder can be made at " + pattern);
    folder_ = pattern;
  }
  ~SqliteDatabase() override { std::filesystem::remove_all(folder_); }
  StoreResult<std::unique_ptr<Store>> open() override {
    return open_sqlite_store(folder_ / "runfold.db", {.now = [passed = passed_] { return wall_clock_ns() + *passed; }});
  }
  void pass(TimeNs time) override { *passed_ += time; }

 private:
  std::filesystem::path folder_;
  std::shared_ptr<TimeNs> passed_ = std::make_shared<TimeNs>(0);
};

}  // namespace

const std::vector<StoreUnderTest>& stores() {
  static const std::vector<StoreUnderTest> all{{"Sqlite", [] { return std::make_unique<SqliteDatabase>(); }}};
  return all;
}

}  // namespace runfold::collector::contract
