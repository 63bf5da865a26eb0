// A runfold agent in a process of its own, on a free port or a given one, with a state folder of its own.
#pragma once

#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/http/client.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace runfold::test {

class AgentUnderTest {
 public:
  explicit AgentUnderTest(const std::string& bootstrap_servers, std::vector<std::string> further = {},
                          const std::string& listen = "127.0.0.1:0") {
    std::vector<std::string> command{
        std::string(RUNFOLD_BINARY_DIR) + "/runfold", "agent", "--listen", listen, "--bootstrap-servers", bootstrap_servers};
    command.insert(command.end(), further.begin(), further.end());
    program.emplace(command,
                    std::map<std::string, std::string>{{"RUNFOLD_STATE_DIR", folder.path().string()}, {"RUNFOLD_AGENT_TOKEN", ""}});
    EXPECT_TRUE(wait_until([&] { return !line_with(program->err(), "takes jobs at").empty() || !program->running(); })) << program->err();
    url = word_after("takes jobs at ");
    url = url.substr(0, url.rfind("/v1/jobs"));
    std::ifstream(word_after("registers jobs stands in ")) >> token;
    EXPECT_EQ(token.size(), 64U) << program->err();
    remember_secret("an agent's token", token);
  }

  http::Response post(const std::string& path, const std::string& with, std::string body, const http::Fields& fields = {}) const {
    http::ClientRequest request("POST", url + path, fields, std::move(body));
    request.fields.set("Authorization", "Bearer " + with);
    return http::send_blocking(std::move(request), kPatience).value();
  }
  /// What it says of itself: which records are settled, and how many are not.
  std::string metrics() const {
    const auto response = http::send_blocking(http::ClientRequest("GET", url + "/metrics"), kPatience);
    return response ? response->body : response.error().message;
  }
  std::string word_after(const std::string& words) const {
    const std::string line = line_with(program->err(), words);
    return line.empty() ? line : line.substr(line.find(words) + words.size());
  }

  TemporaryFolder folder;
  std::optional<Program> program;
  std::string url;
  std::string token;
};

}  // namespace runfold::test
