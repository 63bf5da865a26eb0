// A TLS server that says the same to everybody, and files of certificates for those who are to trust it.
#pragma once

#include "tests/support/certificate.hpp"

#include <unistd.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace runfold::test {

/// Answers every request of every connection with the same bytes; `polite` ends a connection as TLS asks.
class TlsServer {
 public:
  explicit TlsServer(const Certificate& certificate, std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                     bool keeps = true, bool polite = true)
      : answer_(std::move(answer)),
        keeps_(keeps),
        polite_(polite),
        acceptor_(context_, boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    tls_.use_certificate(boost::asio::buffer(certificate.certificate_pem), boost::asio::ssl::context::pem);
    tls_.use_private_key(boost::asio::buffer(certificate.key_pem), boost::asio::ssl::context::pem);
    port_ = std::to_string(acceptor_.local_endpoint().port());
    boost::asio::co_spawn(context_, accept(), boost::asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~TlsServer() {
    context_.stop();
    thread_.join();
  }

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] std::vector<std::string> server_names() const {
    const std::scoped_lock lock(mutex_);
    return server_names_;
  }
  /// All that it took for a request: everything up to an empty line.
  [[nodiscard]] std::string received() const {
    const std::scoped_lock lock(mutex_);
    return received_;
  }

 private:
  boost::asio::awaitable<void> accept() {
    for (;;) {
      boost::asio::ip::tcp::socket socket = co_await acceptor_.async_accept(boost::asio::use_awaitable);
      boost::asio::co_spawn(context_, serve(std::move(socket)), boost::asio::detached);
    }
  }

  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket) {
    boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream(std::move(socket), tls_);
    const auto [refused] =
        co_await stream.async_handshake(boost::asio::ssl::stream_base::server, boost::asio::as_tuple(boost::asio::use_awaitable));
    {
      const std::scoped_lock lock(mutex_);
      const char* const name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
      server_names_.emplace_back(name == nullptr ? "none" : name);
    }
    if (refused) co_return;
    std::string bytes;
    do {
      const auto [error, size] = co_await boost::asio::async_read_until(stream, boost::asio::dynamic_buffer(bytes), "\r\n\r\n",
                                                                        boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return;
      {
        const std::scoped_lock lock(mutex_);
        received_.append(bytes, 0, size);
      }
      bytes.erase(0, size);
      co_await boost::asio::async_write(stream, boost::asio::buffer(answer_), boost::asio::as_tuple(boost::asio::use_awaitable));
    } while (keeps_);
    if (polite_) co_await stream.async_shutdown(boost::asio::as_tuple(boost::asio::use_awaitable));
  }

  std::string answer_;
  bool keeps_;
  bool polite_;
  mutable std::mutex mutex_;
  std::vector<std::string> server_names_;
  std::string received_;
  boost::asio::io_context context_{1};
  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls_server};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::string port_;
  std::thread thread_;
};

/// A file that lives as long as this.
class PemFile {
 public:
  explicit PemFile(const std::string& text) {
    std::string name = (std::filesystem::temp_directory_path() / "runfold-test-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    const bool whole = descriptor >= 0 && ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(descriptor);
    if (!whole) throw std::runtime_error("cannot write " + name);
    path_ = name;
  }
  ~PemFile() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace runfold::test
