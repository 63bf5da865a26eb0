// Finds log records of a run in its chunks, a page at a time, in either direction.
#pragma once

#include "collector/store/store.hpp"
#include "runfold/v1/log.pb.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Which records are wanted.
struct LogFilter {
  /// This syslog severity and worse (lower).
  int level = 7;
  std::optional<v1::LogStream> stream;
  std::string step;
  /// A substring of the message; A to Z are compared without regard to case, other characters exactly.
  std::string q;
  /// On logged_at: from inclusive, to exclusive.
  std::optional<TimeNs> from_ns;
  std::optional<TimeNs> to_ns;
};

/// A place between two records: after all records of lower chunks, and the first `index` records of `chunk`.
///
/// Chunks never change once written, so a place stays where it is while a run goes on logging.
struct LogPlace {
  std::uint32_t chunk = 0;
  std::uint32_t index = 0;
  auto operator<=>(const LogPlace&) const = default;
};

/// Where to read on, and which way.
struct LogCursor {
  bool descending = true;
  /// Absent: from the end when descending, from the beginning when not.
  std::optional<LogPlace> place;
  bool operator==(const LogCursor&) const = default;
};

/// The opaque text of a cursor whose place is known.
[[nodiscard]] std::string to_text(const LogCursor& cursor);
/// Absent: the text was not made by to_text().
[[nodiscard]] std::optional<LogCursor> log_cursor_of(std::string_view text) noexcept;

/// How much one page may read before it ends with fewer records than asked for.
struct LogBounds {
  std::size_t chunks = 256;
  /// Records' bytes, decompressed.
  std::size_t scanned_bytes = 64 * 1024 * 1024;
  /// Records' bytes on the page. At least one record is given whatever its size.
  std::size_t page_bytes = 4 * 1024 * 1024;
};

struct LogPage {
  /// In the direction of the cursor.
  std::vector<v1::LogRecord> records;
  /// Reads on in the same direction; absent when there are no more records that way now.
  std::optional<LogCursor> next;
  /// Reads what lies before this page in time; absent at the beginning of the log.
  std::optional<LogCursor> older;
  /// Reads what lies behind this page in time, or will come.
  LogCursor newer;
};

/// Reads at most `limit` records. A sparse filter can give a page with few records, or none, and a `next`.
/// Errors: the query's; kCorrupt when a chunk cannot be read.
[[nodiscard]] StoreResult<LogPage> read_logs(Query& query, const RunKey& run, const LogFilter& filter, const LogCursor& from,
                                             std::size_t limit, const LogBounds& bounds);

/// logged_at in nanoseconds, cut to what a TimeNs can hold.
[[nodiscard]] TimeNs logged_at_ns(const v1::LogRecord& record) noexcept;

}  // namespace runfold::collector
