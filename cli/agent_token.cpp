// The token that registers jobs at an agent: given, or made and left in a file.
#include "cli/agent_token.hpp"

#include "transport/kafka/state_file.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace runfold::cli {
namespace {

constexpr std::size_t kMinBytes = 16;
constexpr std::size_t kMaxBytes = 1'000;

Outcome<std::string> checked(const std::string& from, std::string token) {
  constexpr const char* kBlank = " \t\r\n";
  token.erase(0, token.find_first_not_of(kBlank));
  token.erase(token.find_last_not_of(kBlank) + 1);
  const bool visible = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (visible && token.size() >= kMinBytes && token.size() <= kMaxBytes) return token;
  return Failure{kConfiguration, "the token in " + from + " is " +
                                     (visible ? std::to_string(token.size()) + " bytes long" : "not one word of ASCII") +
                                     "; it needs 16 to 1000 visible characters, for example those of openssl rand -hex 32"};
}

}  // namespace

Outcome<std::string> given_agent_token(const std::string& file) {
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return Failure{kConfiguration, "the token file " + file + " (--token-file) cannot be read"};
    std::string text(kMaxBytes + 2, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return checked("the file " + file + " (--token-file)", std::move(text));
  }
  const char* set = std::getenv("RUNFOLD_AGENT_TOKEN");
  if (set == nullptr || *set == '\0') return std::string();
  return checked("RUNFOLD_AGENT_TOKEN", set);
}

std::string agent_token_file(const std::string& url) {
  return kafka::state_file("agent-" + url.substr(url.rfind(':') + 1) + ".token").string();
}

bool is_loopback(const std::string& listen) {
  std::string host = listen.substr(0, listen.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(host, no_address);
  return no_address ? host == "localhost" : address.is_loopback();
}

}  // namespace runfold::cli
