// Finds log records of a run in its chunks, a page at a time, in either direction.
#include "collector/api/log_page.hpp"

#include "collector/api/words.hpp"
#include "collector/log_chunk.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace runfold::collector {

namespace {

/// Chunks asked of the store at a time.
constexpr std::size_t kChunksARead = 8;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

/// Decides record by record; made once a page.
class Matcher {
 public:
  explicit Matcher(const LogFilter& filter) : filter_(filter), q_(lowered(filter.q)) {}

  [[nodiscard]] std::uint8_t severities() const noexcept { return static_cast<std::uint8_t>((1U << (filter_.level + 1)) - 1); }

  [[nodiscard]] std::uint8_t streams() const noexcept {
    if (!filter_.stream) {
      return 0xff;
    }
    const auto bit = static_cast<std::uint8_t>(1U << *filter_.stream);
    // What was not said is read as application.
    return *filter_.stream == v1::LOG_STREAM_APPLICATION ? bit | 1U : bit;
  }

  [[nodiscard]] bool may_hold(const LogChunk& chunk) const noexcept {
    return (!filter_.from_ns || chunk.last_ns >= *filter_.from_ns) && (!filter_.to_ns || chunk.first_ns < *filter_.to_ns);
  }

  [[nodiscard]] bool operator()(const v1::LogRecord& record) {
    if (syslog_of(record.severity()) > filter_.level) return false;
    if (filter_.stream && stream_or_application(record.stream()) != *filter_.stream) return false;
    if (!filter_.step.empty() && record.step_id() != filter_.step) return false;
    if (filter_.from_ns && logged_at_ns(record) < *filter_.from_ns) return false;
    if (filter_.to_ns && logged_at_ns(record) >= *filter_.to_ns) return false;
    if (q_.empty()) return true;
    scratch_.assign(record.message());
    std::transform(scratch_.begin(), scratch_.end(), scratch_.begin(), lower);
    return scratch_.find(q_) != std::string::npos;
  }

 private:
  const LogFilter& filter_;
  const std::string q_;
  std::string scratch_;
};

/// Reads a decimal number and the separator behind it, if one is named, off the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view separator) noexcept {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(separator)) {
    return std::nullopt;
  }
  text.remove_prefix(separator.size());
  return value;
}

}  // namespace

std::string to_text(const LogCursor& cursor) {
  const LogPlace place = cursor.place.value_or(LogPlace{});
  std::string text = cursor.descending ? "d" : "a";
  text += std::to_string(place.chunk);
  text += '.';
  text += std::to_string(place.index);
  return text;
}

std::optional<LogCursor> log_cursor_of(std::string_view text) noexcept {
  if (text.empty() || (text[0] != 'a' && text[0] != 'd')) {
    return std::nullopt;
  }
  LogCursor cursor{text[0] == 'd', {}};
  text.remove_prefix(1);
  const auto chunk = take_number(text, ".");
  if (!chunk) {
    return std::nullopt;
  }
  const auto index = take_number(text, "");
  if (!index || !text.empty()) {
    return std::nullopt;
  }
  cursor.place = LogPlace{*chunk, *index};
  return cursor;
}

TimeNs logged_at_ns(const v1::LogRecord& record) noexcept {
  constexpr std::int64_t kMost = std::numeric_limits<TimeNs>::max() / 1'000'000'000 - 1;
  return std::clamp<std::int64_t>(record.logged_at().seconds(), 0, kMost) * 1'000'000'000 + record.logged_at().nanos();
}

StoreResult<LogPage> read_logs(Query& query, const RunKey& run, const LogFilter& filter, const LogCursor& from, std::size_t limit,
                               const LogBounds& bounds) {
  const bool down = from.descending;
  Matcher matches(filter);
  LogPage page;
  // Where reading began, and how far it has come: both known once a chunk has been seen or the cursor says so.
  std::optional<LogPlace> began = from.place;
  std::optional<LogPlace> reached = from.place;
  if (!down && !began) {
    began = reached = LogPlace{};
  }

  Query::ChunkRange range{matches.severities(), matches.streams(), {}, down};
  bool at_end = false;
  if (began) {
    range.start = began->chunk;
    if (down && began->index == 0) {
      at_end = began->chunk == 0;
      range.start = began->chunk - (at_end ? 0 : 1);
    }
  }

  bool page_full = false;
  std::size_t chunks = 0, scanned_bytes = 0, page_bytes = 0;
  while (!at_end && !page_full && chunks < bounds.chunks && scanned_bytes < bounds.scanned_bytes) {
    const std::size_t wanted = std::min(kChunksARead, bounds.chunks - chunks);
    auto read = query.log_chunks(run, range, wanted);
    if (!read) {
      return read.error();
    }
    at_end = read->size() < wanted;
    for (const LogChunk& chunk : *read) {
      ++chunks;
      const LogPlace before{chunk.chunk, 0}, behind{chunk.chunk + 1, 0};
      if (!began) {
        began = behind;
      }
      if (scanned_bytes >= bounds.scanned_bytes) {
        // The rest of this read is left for the next page.
        at_end = false;
        break;
      }
      if (matches.may_hold(chunk)) {
        auto batch = from_chunk(chunk);
        if (!batch) {
          return batch.error();
        }
        scanned_bytes += batch->ByteSizeLong();
        auto& records = *batch->mutable_records();
        const auto count = static_cast<std::uint32_t>(records.size());
        // The cursor's own chunk is read from the cursor's place on only.
        const bool cursors = from.place && from.place->chunk == chunk.chunk;
        const std::uint32_t low = cursors && !down ? std::min(from.place->index, count) : 0;
        const std::uint32_t high = cursors && down ? std::min(from.place->index, count) : count;
        for (std::uint32_t i = 0; i < high - std::min(low, high); ++i) {
          const std::uint32_t index = down ? high - 1 - i : low + i;
          auto& record = records[static_cast<int>(index)];
          if (!matches(record)) {
            continue;
          }
          const std::size_t bytes = record.ByteSizeLong();
          if (page.records.size() == limit || (!page.records.empty() && page_bytes + bytes > bounds.page_bytes)) {
            reached = LogPlace{chunk.chunk, down ? index + 1 : index};
            page_full = true;
            break;
          }
          page_bytes += bytes;
          page.records.push_back(std::move(record));
        }
      }
      if (page_full) {
        break;
      }
      reached = down ? before : behind;
      range.start = down ? chunk.chunk - 1 : chunk.chunk + 1;
      at_end = at_end || (down && chunk.chunk == 0);
    }
  }

  const bool more = page_full || !at_end;
  if (more && reached) {
    page.next = LogCursor{down, reached};
  }
  if (down) {
    page.older = page.next;
    page.newer = LogCursor{false, began.value_or(LogPlace{})};
  } else {
    page.newer = LogCursor{false, reached};
    if (*began > LogPlace{}) {
      page.older = LogCursor{true, began};
    }
  }
  return page;
}

}  // namespace runfold::collector
