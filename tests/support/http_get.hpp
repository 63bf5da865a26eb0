// One plain HTTP GET on loopback, for looking at a program under test from outside.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace runfold::test {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// `url` is http://HOST:PORT/PATH with a numeric host. Absent when nobody answers within `limit`.
[[nodiscard]] std::optional<HttpAnswer> http_get(const std::string& url, std::chrono::milliseconds limit = std::chrono::seconds(10));

}  // namespace runfold::test
