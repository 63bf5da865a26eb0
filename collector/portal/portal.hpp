// Serves the portal's files, which are embedded in the program.
#pragma once

#include "transport/http/router.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace runfold::collector {

/// One file of the portal. The views live as long as the program.
struct PortalFile {
  /// From the portal's root, for example "/assets/index-4f2a91c0.js".
  std::string_view path;
  std::string_view content_type;
  std::string_view bytes;
};

/// The embedded files, in a source that the build generates (cmake/embed.cmake).
extern const PortalFile kPortalFiles[];
extern const std::size_t kPortalFileCount;

/// Adds "/", every file by its path, and the pages that the portal itself tells apart by their path ("/runs/...",
/// "/api-failures", "/operations/..."), which all are /index.html.
///
/// Files below /assets/ carry a hash in their name and may be cached for ever; all others are asked for anew each time.
/// Every response forbids foreign scripts, frames and content types.
/// Precondition: one file is /index.html. The files outlive the router.
void add_portal_routes(http::Router& router, std::span<const PortalFile> files = {kPortalFiles, kPortalFileCount});

}  // namespace runfold::collector
