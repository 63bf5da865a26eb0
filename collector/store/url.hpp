// What a store URL (--store, store:) says: which database, and where.
#pragma once

#include "collector/store/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace runfold::collector {

enum class StoreKind : std::uint8_t { kSqlite };

struct StoreUrl {
  StoreKind kind = StoreKind::kSqlite;
  /// For SQLite: the path of the database file, relative to the working directory or absolute.
  std::string location;
};

/// Reads a store URL: "sqlite:PATH", for example "sqlite:runfold.db" or "sqlite:/var/lib/runfold/runfold.db".
/// Errors: kInvalid names what is wrong; never shows more of the URL than its scheme when it may hold a password.
[[nodiscard]] StoreResult<StoreUrl> parse_store_url(std::string_view url);

}  // namespace runfold::collector
