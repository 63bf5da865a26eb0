// Whom a client trusts.
#pragma once

#include "transport/http/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace runfold::http {

/// A client's TLS settings: TLS 1.2 and later, certificates verified by the system's authorities and those of `ca_file` (PEM; empty: none).
/// Host names are verified a connection (see Link::handshake).
/// Errors: kTls when the system's authorities cannot be used, kInvalid names the file that cannot.
[[nodiscard]] Result<std::shared_ptr<boost::asio::ssl::context>> client_tls(const std::string& ca_file);

}  // namespace runfold::http
