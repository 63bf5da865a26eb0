// An http or https URL taken apart for a client.
#include "transport/http/url.hpp"

#include "transport/http/syntax.hpp"

#include <openssl/evp.h>
#include <boost/url.hpp>

#include <algorithm>

namespace runfold::http {
namespace {

/// "https://user:secret@host/path?token" to "https://host": what may stand in a message.
std::string without_secrets(std::string_view text) {
  const std::size_t scheme = text.find("://");
  std::string shown(scheme == std::string_view::npos ? std::string_view() : text.substr(0, scheme + 3));
  std::string_view rest = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) rest = rest.substr(at + 1);
  shown += rest.substr(0, rest.find_first_of("/?#"));
  return printable(shown);
}

std::string base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3), '\0');  // its own NUL takes the one that is written behind
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  return encoded;
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' || c == ':';
  });
}

}  // namespace

std::string Url::host_port() const {
  return bracketed(host) + ":" + std::to_string(port);
}

std::string Url::host_field() const {
  return port == (tls ? 443 : 80) ? bracketed(host) : host_port();
}

Result<Url> parse_url(std::string_view text) {
  const auto invalid = [&](const std::string& why) {
    return Error{Errc::kInvalid,
                 "The URL " + without_secrets(text) + " " + why + "; write http://HOST:PORT/PATH or https://HOST:PORT/PATH."};
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return invalid("is not valid (" + parsed.error().message() + ")");

  Url url;
  const std::string_view scheme(parsed->scheme().data(), parsed->scheme().size());
  if (!equal_fold(scheme, "http") && !equal_fold(scheme, "https")) return invalid("is neither http nor https");
  url.tls = equal_fold(scheme, "https");
  url.host = parsed->host_address();
  if (!is_host(url.host)) return invalid("has no usable host");
  url.port = url.tls ? 443 : 80;
  if (parsed->has_port() && !parsed->port().empty()) {
    url.port = parsed->port_number();
    if (url.port == 0) return invalid("has a port that is not a number from 1 to 65535");
  }

  const auto path = parsed->encoded_path();
  if (!path.empty() && path.front() != '/') return invalid("has a port that is not a number from 1 to 65535");
  url.target = path.empty() ? "/" : std::string(path.data(), path.size());
  if (parsed->has_query()) {
    const auto query = parsed->encoded_query();
    url.target += '?';
    url.target.append(query.data(), query.size());
  }
  if (parsed->has_userinfo()) {
    const std::string user = parsed->user();
    const std::string password = parsed->password();
    if (user.size() + password.size() > 4096) return invalid("has a user and password of more than 4096 bytes");
    url.authorization = "Basic " + base64(user + ":" + password);
  }
  return url;
}

}  // namespace runfold::http
