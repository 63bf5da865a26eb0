// What a store has to offer to be put through the contract: a fresh database, reached as a program reaches it.
#pragma once

#include "collector/store/store.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace runfold::collector::contract {

/// One database for one test, gone with this object.
class Database {
 public:
  virtual ~Database() = default;
  /// Opens it; when it was open before, as a program that starts again does.
  virtual StoreResult<std::unique_ptr<Store>> open() = 0;
  /// Puts the clock that the age of rows is judged by forward.
  virtual void pass(TimeNs time) = 0;
};

/// A kind of store.
struct StoreUnderTest {
  std::string name;
  std::function<std::unique_ptr<Database>()> make;
};

/// All kinds there are.
[[nodiscard]] const std::vector<StoreUnderTest>& stores();

/// The fixture of the contract: an open store with a writer, a run reader, a query and an outbox.
class StoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override {
    database_ = GetParam().make();
    open();
  }

  void open() {
    store_ = database_->open().value();
    writer_ = store_->writer().value();
    reader_ = store_->run_reader().value();
    query_ = store_->query().value();
    outbox_ = store_->outbox().value();
  }

  void reopen() {
    outbox_.reset();
    query_.reset();
    reader_.reset();
    writer_.reset();
    store_.reset();
    open();
  }

  void commit(const Batch& batch) {
    const auto done = writer_->commit(batch);
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<RunReader> reader_;
  std::unique_ptr<Query> query_;
  std::unique_ptr<sinks::Outbox> outbox_;
};

}  // namespace runfold::collector::contract
