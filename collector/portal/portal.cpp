// Serves the portal's files, which are embedded in the program.
#include "collector/portal/portal.hpp"

#include "transport/http/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <cassert>
#include <string>

namespace runfold::collector {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

http::Response to_response(const PortalFile& file) {
  http::Response response;
  response.fields.set("Content-Type", file.content_type);
  response.fields.set("Cache-Control", file.path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  response.fields.set("Content-Security-Policy", kContentSecurityPolicy);
  response.fields.set("Cross-Origin-Opener-Policy", "same-origin");
  response.fields.set("Referrer-Policy", "no-referrer");
  response.fields.set("X-Content-Type-Options", "nosniff");
  response.fields.set("X-Frame-Options", "DENY");
  response.body = file.bytes;
  return response;
}

void add(http::Router& router, std::string_view pattern, const PortalFile& file) {
  auto handler = [&file](const http::Request&) -> asio::awaitable<http::Response> { co_return to_response(file); };
  // The portal reads its own query; to the server every parameter is as good as another.
  router.add("GET", pattern, {"*"}, std::move(handler));
}

}  // namespace

void add_portal_routes(http::Router& router, std::span<const PortalFile> files) {
  const auto index = std::find_if(files.begin(), files.end(), [](const PortalFile& file) { return file.path == "/index.html"; });
  assert(index != files.end());
  for (const PortalFile& file : files) {
    add(router, file.path, file);
  }
  for (const std::string_view page : {"/", "/runs", "/runs/{rest...}", "/api-failures", "/operations", "/operations/{rest...}"}) {
    add(router, page, *index);
  }
}

}  // namespace runfold::collector
