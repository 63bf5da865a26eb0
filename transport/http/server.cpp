// Binds, accepts within the limit, and stops.
#include "transport/http/server.hpp"

#include "transport/http/connection.hpp"
#include "transport/http/syntax.hpp"

#include <boost/asio.hpp>

#include <charconv>
#include <set>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

/// How long accepting rests when the process has no file descriptor to spare.
constexpr milliseconds kShortOfResources{250};

/// What the server, its run() and its connections share, so that any of them may end first.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(const asio::any_io_executor& executor, Server::MakeConnection make, std::size_t most,
           std::function<void(const std::string&)> on_error)
      : acceptor_(executor), changed_(executor), grace_(executor), make_(std::move(make)), most_(most), on_error_(std::move(on_error)) {
    changed_.expires_at(asio::steady_timer::time_point::max());
  }

  boost::system::error_code bind(const tcp::endpoint& endpoint) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    return error;
  }

  unsigned short port() {
    boost::system::error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  asio::awaitable<void> run() {
    const auto self = shared_from_this();
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!stopping_) {
      if (connections_.size() >= most_) {
        co_await change();
      } else {
        co_await accept();
      }
      const auto cancelled = co_await asio::this_coro::cancellation_state;
      if (cancelled.cancelled() != asio::cancellation_type::none) stop(milliseconds(0));
    }
    while (!connections_.empty()) co_await change();
    grace_.cancel();
    co_await asio::this_coro::throw_if_cancelled(throws);
  }

  void stop(milliseconds grace) {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    changed_.cancel();
    const auto all = connections_;
    for (const auto& connection : all) connection->drain();
    grace_.expires_after(grace);
    grace_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->close();
    });
  }

  void close() {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    grace_.cancel();
    changed_.cancel();
    const auto all = connections_;
    for (const auto& connection : all) connection->close();
  }

 private:
  asio::awaitable<void> accept() {
    tcp::socket socket(acceptor_.get_executor());
    const auto [error] = co_await acceptor_.async_accept(socket, asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::operation_aborted || stopping_) co_return;
    if (error == asio::error::connection_aborted) co_return;  // the client went away while it waited
    if (error) {
      if (on_error_) on_error_("cannot accept a connection: " + error.message());
      asio::steady_timer rest(acceptor_.get_executor(), kShortOfResources);
      co_await rest.async_wait(asio::as_tuple(asio::use_awaitable));
      co_return;
    }
    const auto connection = make_(std::move(socket));
    connections_.insert(connection);
    if (connections_.size() >= most_) make_room(connection);
    auto ended = [self = shared_from_this(), connection](std::exception_ptr) {
      self->connections_.erase(connection);
      self->changed_.cancel();
    };
    asio::co_spawn(acceptor_.get_executor(), connection->serve(), std::move(ended));
  }

  /// The last place is taken: the connection that has been idle longest gives up its own.
  void make_room(const std::shared_ptr<Connection>& newest) {
    std::shared_ptr<Connection> longest;
    for (const auto& connection : connections_) {
      if (connection == newest || !connection->idle_since()) continue;
      if (!longest || connection->idle_since() < longest->idle_since()) longest = connection;
    }
    if (longest) longest->close();
  }

  /// Waits until a connection ends or the server stops. Only run() waits here.
  asio::awaitable<void> change() { co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable)); }

  tcp::acceptor acceptor_;
  asio::steady_timer changed_;
  asio::steady_timer grace_;
  Server::MakeConnection make_;
  std::size_t most_;
  std::function<void(const std::string&)> on_error_;
  bool stopping_ = false;
  std::set<std::shared_ptr<Connection>> connections_;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(std::shared_ptr<Acceptor> acceptor, std::string address) : acceptor_(std::move(acceptor)), address_(std::move(address)) {}
  ~ServerImpl() override { acceptor_->close(); }

  std::string address() const override { return address_; }
  asio::awaitable<void> run() override { return acceptor_->run(); }
  void stop(milliseconds grace) override { acceptor_->stop(grace); }

 private:
  std::shared_ptr<Acceptor> acceptor_;
  std::string address_;
};

struct HostPort {
  std::string host;  ///< without brackets
  unsigned short port = 0;
};

Result<HostPort> parse(std::string_view listen) {
  const auto invalid = [&](std::string_view why) {
    return Error{Errc::kInvalid, "The listen address \"" + printable(listen) + "\" " + std::string(why) +
                                     "; write HOST:PORT with --listen, for example 127.0.0.1:8730, or 0.0.0.0:8730 for every interface."};
  };
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return invalid("has no port");
  std::string_view host = listen.substr(0, colon);
  const std::string_view digits = listen.substr(colon + 1);
  HostPort parsed;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  if (error != std::errc() || end != digits.data() + digits.size()) return invalid("has a port that is not a number from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid("needs brackets round its IPv6 host");
  }
  if (host.empty()) return invalid("has no host");
  parsed.host = host;
  return parsed;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor executor, std::string_view listen, Router router, ServerLimits limits,
                                               std::function<void(const std::string&)> on_error) {
  const auto serving = std::make_shared<const Serving>(Serving{std::move(router), limits, on_error, 0});
  auto make = [serving](tcp::socket socket) { return Connection::create(std::move(socket), serving); };
  return Server::listen(std::move(executor), listen, std::move(make), limits.connections, std::move(on_error));
}

Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor executor, std::string_view listen, MakeConnection make,
                                               std::size_t connections, std::function<void(const std::string&)> on_error) {
  const auto wanted = parse(listen);
  if (!wanted) return wanted.error();
  boost::system::error_code error;
  tcp::resolver resolver(executor);
  const auto found = resolver.resolve(wanted->host, std::to_string(wanted->port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Error{Errc::kInvalid, "The host of the listen address " + std::string(listen) + " has no address (" + error.message() +
                                     "); choose another with --listen."};
  }

  auto acceptor = std::make_shared<Acceptor>(executor, std::move(make), connections, std::move(on_error));
  error = acceptor->bind(found.begin()->endpoint());
  if (error == asio::error::address_in_use) {
    return Error{Errc::kAddressInUse, "Another process listens on " + std::string(listen) + "; choose another with --listen."};
  }
  if (error) {
    return Error{Errc::kInvalid, "Cannot listen on " + std::string(listen) + " (" + error.message() + "); choose another with --listen."};
  }
  const bool bracketed = wanted->host.find(':') != std::string::npos;
  std::string address = (bracketed ? "[" + wanted->host + "]" : wanted->host) + ":" + std::to_string(acceptor->port());
  return std::unique_ptr<Server>(std::make_unique<ServerImpl>(std::move(acceptor), std::move(address)));
}

}  // namespace runfold::http
