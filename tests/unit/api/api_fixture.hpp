// The API on a fake store: asks the router as the server would, with no socket.
#pragma once

#include "collector/api/api.hpp"
#include "tests/unit/api/fake_query.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <gtest/gtest.h>

#include <exception>

namespace runfold::collector::test {

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    ApiOptions options;
    options.pool = pool_;
    options.logs = bounds_;
    add_api_routes(router_, options);
  }
  ~ApiTest() override { pool_->stop(); }

  /// For fixtures with other bounds.
  explicit ApiTest(LogBounds bounds) : ApiTest() {
    router_ = {};
    add_api_routes(router_, {pool_, bounds});
  }

  template <class T>
  T await(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    std::exception_ptr thrown;
    boost::asio::io_context context;
    boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr error, T value) {
      thrown = error;
      result = std::move(value);
    });
    context.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*result);
  }

  http::Response get(const std::string& target, const std::string& accept = "application/json") {
    http::Request request;
    request.method = "GET";
    request.target = target;
    request.fields.set("Accept", accept);
    return await(router_.route(request));
  }

  /// The whole body, streamed part and all.
  std::string body(http::Response& response) {
    std::string all = response.body;
    while (response.next_chunk) {
      auto piece = await(response.next_chunk());
      if (!piece) break;
      all += *piece;
    }
    return all;
  }

  boost::json::value get_json(const std::string& target, unsigned status = 200) {
    const auto response = get(target);
    EXPECT_EQ(response.status, status) << target << "\n" << response.body;
    return boost::json::parse(response.body);
  }

  LogBounds bounds_;
  FakeStore store_;
  std::shared_ptr<QueryPool> pool_ = std::make_shared<QueryPool>(
      [this]() -> StoreResult<std::unique_ptr<Query>> { return std::unique_ptr<Query>(std::make_unique<FakeQuery>(store_)); }, 2, 8);
  http::Router router_;
};

}  // namespace runfold::collector::test
