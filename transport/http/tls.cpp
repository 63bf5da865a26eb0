// Whom a client trusts.
#include "transport/http/tls.hpp"

#include <boost/asio/ssl.hpp>

namespace runfold::http {

namespace asio = boost::asio;

Result<std::shared_ptr<asio::ssl::context>> client_tls(const std::string& ca_file) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  boost::system::error_code error;
  context->set_verify_mode(asio::ssl::verify_peer, error);
  if (!error) context->set_default_verify_paths(error);
  if (error)
    return Error{Errc::kTls, "The system's certificate authorities cannot be used (" + error.message() + "); install ca-certificates."};
  if (!ca_file.empty()) context->load_verify_file(ca_file, error);
  if (error) {
    return Error{Errc::kInvalid, "The file of certificate authorities " + ca_file + " cannot be used (" + error.message() +
                                     "); it must be readable and in PEM form."};
  }
  return context;
}

}  // namespace runfold::http
