// Opens a connection to a URL's host: resolve, ask the address guard, connect, TLS.
#include "transport/http/dial.hpp"

#include "transport/http/deadline.hpp"

#include <boost/asio.hpp>

#include <algorithm>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

using Addresses = std::vector<asio::ip::address>;

struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), ended(executor, asio::steady_timer::time_point::max()) {}
  tcp::resolver resolver;
  asio::steady_timer ended;
  bool has_ended = false;
  error_code error;
  Addresses addresses;
};

/// An IPv4 address in IPv6 clothes is asked about, and connected to, as what it is.
asio::ip::address plain(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address;
}

asio::awaitable<Result<Addresses>> resolve(asio::any_io_executor executor, const Url& url, std::shared_ptr<int> lookups, Attempt& attempt) {
  error_code not_numeric;
  const auto numeric = asio::ip::make_address(url.host, not_numeric);
  if (!not_numeric) co_return Addresses{plain(numeric)};

  const auto lookup = std::make_shared<Lookup>(executor);
  ++*lookups;
  lookup->resolver.async_resolve(url.host, std::to_string(url.port), tcp::resolver::numeric_service,
                                 [lookup, lookups](const error_code& error, const tcp::resolver::results_type& found) {
                                   --*lookups;
                                   lookup->has_ended = true;
                                   lookup->error = error;
                                   for (const auto& entry : found) {
                                     const auto address = plain(entry.endpoint().address());
                                     auto& known = lookup->addresses;
                                     if (std::find(known.begin(), known.end(), address) == known.end()) known.push_back(address);
                                   }
                                   lookup->ended.cancel();
                                 });
  attempt.lookup = &lookup->ended;
  co_await lookup->ended.async_wait(asio::as_tuple(asio::use_awaitable));
  attempt.lookup = nullptr;
  if (!lookup->has_ended || lookup->error || lookup->addresses.empty()) {
    co_return Error{Errc::kResolve, "The host name of " + url.host_port() + " has no address (" +
                                        (lookup->has_ended ? lookup->error.message() : "the look-up was given up") + "); check the name."};
  }
  co_return lookup->addresses;
}

}  // namespace

asio::awaitable<Result<>> dial(asio::any_io_executor executor, const Url& url, const ClientOptions& options, asio::ssl::context* tls,
                               std::shared_ptr<int> lookups, Attempt& attempt) {
  attempt.doing = "resolving the name";
  auto addresses = co_await resolve(executor, url, std::move(lookups), attempt);
  if (!addresses) co_return addresses.error();
  std::string refused;
  if (options.allow_address) {
    std::erase_if(*addresses, [&](const asio::ip::address& address) {
      const bool allowed = options.allow_address(address);
      if (!allowed) refused = address.to_string();
      return !allowed;
    });
  }
  if (addresses->empty()) {
    co_return Error{Errc::kForbidden, "The address " + refused + " of " + url.host_port() + " is not allowed to be connected to."};
  }

  attempt.doing = "connecting";
  error_code error;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    if (attempt.aborted) {
      error = asio::error::timed_out;
      break;
    }
    attempt.link = std::make_unique<Link>(executor);
    // One silent address must not use up the time of those behind it.
    const auto left = std::chrono::duration_cast<milliseconds>(attempt.until - std::chrono::steady_clock::now());
    Deadline share(executor, [&] { attempt.link->close(); });
    if (i + 1 < addresses->size()) share.set(std::max(milliseconds(1), left / static_cast<int>(addresses->size() - i)));
    error = co_await attempt.link->connect(tcp::endpoint((*addresses)[i], url.port));
    if (share.passed()) error = asio::error::timed_out;
    if (!error) break;
  }
  if (error) co_return Error{Errc::kConnect, "Nothing answers at " + url.host_port() + " (" + error.message() + ")."};

  if (tls != nullptr) {
    attempt.doing = "agreeing on TLS";
    std::string why;
    error = co_await attempt.link->handshake(*tls, url.host, why);
    if (error) {
      co_return Error{Errc::kTls, "TLS with " + url.host_port() + " failed (" + why +
                                      "); check that it speaks TLS, its certificate and the certificate authorities."};
    }
  }
  co_return Result<>();
}

}  // namespace runfold::http
