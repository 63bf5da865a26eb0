// Reads store URLs.
#include "collector/store/url.hpp"

#include <string>

namespace runfold::collector {
namespace {

StoreError invalid(std::string why) {
  return {StoreErrc::kInvalid, std::move(why) + "; give sqlite:PATH, for example sqlite:/var/lib/runfold/runfold.db"};
}

}  // namespace

StoreResult<StoreUrl> parse_store_url(std::string_view url) {
  if (url.empty()) return invalid("the URL is empty");
  const auto colon = url.find(':');
  if (colon == std::string_view::npos) return invalid("\"" + std::string(url) + "\" has no scheme");
  const auto scheme = url.substr(0, colon);
  auto path = url.substr(colon + 1);
  if (scheme != "sqlite") return invalid("the scheme \"" + std::string(scheme) + "\" is not supported");
  if (path.starts_with("//")) {
    path.remove_prefix(2);
    if (!path.starts_with('/')) return invalid("\"" + std::string(url) + "\" names a host, and SQLite has none: write one slash, or three");
  }
  if (path.empty()) return invalid("\"" + std::string(url) + "\" names no file");
  if (path == ":memory:" || path.starts_with("file:")) {
    return invalid("\"" + std::string(url) + "\" is not a file: aggregates have to survive a restart");
  }
  if (path.find('\0') != std::string_view::npos) return invalid("the path holds a zero byte");
  if (path.ends_with('/')) return invalid("\"" + std::string(url) + "\" names a folder");
  return StoreUrl{StoreKind::kSqlite, std::string(path)};
}

}  // namespace runfold::collector
