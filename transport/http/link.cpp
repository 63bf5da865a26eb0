// A client's connection to one host, plain or TLS.
#include "transport/http/link.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <cerrno>

namespace runfold::http {

namespace asio = boost::asio;
using boost::system::error_code;

asio::awaitable<error_code> Link::connect(asio::ip::tcp::endpoint endpoint) {
  const auto [error] = co_await socket_.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
  error_code ignored;
  if (!error) socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return error;
}

asio::awaitable<error_code> Link::handshake(asio::ssl::context& context, const std::string& host, std::string& why) {
  tls_ = std::make_unique<asio::ssl::stream<asio::ip::tcp::socket&>>(socket_, context);
  SSL* const ssl = tls_->native_handle();
  X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  // An address is matched against the certificate's IP names, and is never sent as a server name.
  const bool ready = not_an_address ? X509_VERIFY_PARAM_set1_host(verify, host.c_str(), host.size()) == 1 &&
                                          SSL_set_tlsext_host_name(ssl, host.c_str()) == 1
                                    : X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) == 1;
  if (!ready) {
    why = "the host name cannot be verified";
    co_return make_error_code(asio::error::invalid_argument);
  }
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, asio::as_tuple(asio::use_awaitable));
  if (error) {
    const long verdict = SSL_get_verify_result(ssl);
    why = verdict == X509_V_OK ? error.message() : std::string("its certificate: ") + X509_verify_cert_error_string(verdict);
  }
  co_return error;
}

asio::awaitable<std::tuple<error_code, std::size_t>> Link::read_some(asio::mutable_buffer space) {
  if (tls_) co_return co_await tls_->async_read_some(space, asio::as_tuple(asio::use_awaitable));
  co_return co_await socket_.async_read_some(space, asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<error_code> Link::write(std::span<const asio::const_buffer> parts) {
  if (!tls_) {
    const auto [error, bytes] = co_await asio::async_write(socket_, parts, asio::as_tuple(asio::use_awaitable));
    co_return error;
  }
  asio::const_buffer whole = parts.empty() ? asio::const_buffer() : parts.front();
  if (parts.size() > 1) {
    joined_.clear();
    for (const asio::const_buffer& part : parts) joined_.append(static_cast<const char*>(part.data()), part.size());
    whole = asio::buffer(joined_);
  }
  const auto [error, bytes] = co_await asio::async_write(*tls_, whole, asio::as_tuple(asio::use_awaitable));
  co_return error;
}

bool Link::is_quiet() {
  char byte = 0;
  return socket_.is_open() && ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Link::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace runfold::http
