// A run's log records as JSON or as text, and its output as the bytes it was.
#include "collector/api/handlers.hpp"
#include "collector/api/json.hpp"
#include "collector/api/words.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace runfold::collector {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

/// Records read for one piece of a download.
constexpr std::size_t kRecordsAPiece = 1000;

/// The q of the media range that fits `type` best, in thousandths; -1 when none does.
int preference(std::string_view accept, std::string_view type) {
  const std::string_view family = type.substr(0, type.find('/') + 1);
  int best = -1, best_fit = 0;
  while (!accept.empty()) {
    const std::size_t comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? std::string_view{} : accept.substr(comma + 1);
    std::string compact;
    std::copy_if(range.begin(), range.end(), std::back_inserter(compact), [](char c) { return c != ' ' && c != '\t'; });
    const std::string name = compact.substr(0, compact.find(';'));
    const int fit = name == type ? 3 : name == std::string(family) + "*" ? 2 : name == "*/*" ? 1 : 0;
    if (fit <= best_fit) {
      continue;
    }
    int q = 1000;
    if (const auto at = compact.find(";q="); at != std::string::npos) {
      // "0.8": what is behind the point, in thousandths.
      const std::string weight = compact.substr(at + 3, 5);
      q = weight.starts_with("1") ? 1000 : 0;
      int unit = 100;
      for (std::size_t i = 2; q != 1000 && i < weight.size() && weight[i] >= '0' && weight[i] <= '9'; ++i, unit /= 10) {
        q += (weight[i] - '0') * unit;
      }
    }
    best = q;
    best_fit = fit;
  }
  return best;
}

bool wants_text(const http::Request& request) {
  const auto accept = request.fields.get("Accept");
  return accept && preference(*accept, "text/plain") > preference(*accept, "application/json");
}

/// A file name that needs no quoting: other characters become "_".
std::string file_name(const RunKey& run, std::string_view ending) {
  std::string name = run.run_id.substr(0, 100) + "-" + std::to_string(run.attempt);
  std::replace_if(
      name.begin(), name.end(),
      [](char c) {
        return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
      },
      '_');
  return name + std::string(ending);
}

/// What a download needs from one piece to the next.
struct Download {
  ApiOptions api;
  RunKey run;
  LogFilter filter;
  std::optional<LogCursor> next;
  /// Records still to give; absent: all.
  std::optional<std::size_t> left;
  void (*append)(const v1::LogRecord&, std::string&) = nullptr;
};

void append_line(const v1::LogRecord& record, std::string& text) {
  text += to_line(record);
}

/// Reads on until there is something to send; empty at the end. Throws when the store fails under way: the response has
/// begun, and only a broken connection tells the client that it is not whole.
asio::awaitable<std::optional<std::string>> next_piece(std::shared_ptr<Download> download) {
  while (download->next && (!download->left || *download->left > 0)) {
    const std::size_t limit = std::min(kRecordsAPiece, download->left.value_or(kRecordsAPiece));
    auto read = [download, limit](Query& query) {
      return read_logs(query, download->run, download->filter, *download->next, limit, download->api.logs);
    };
    const auto page = co_await download->api.pool->run(std::move(read));
    if (!page) {
      throw std::runtime_error(page.error().message);
    }
    download->next = page->next;
    if (download->left) {
      *download->left -= page->records.size();
    }
    std::string piece;
    for (const auto& record : page->records) {
      download->append(record, piece);
    }
    if (!piece.empty()) {
      co_return piece;
    }
  }
  co_return std::nullopt;
}

http::Response to_response(Download download, std::string_view type, const std::string& name) {
  http::Response response;
  response.fields.set("Content-Type", type);
  response.fields.set("Content-Disposition", "attachment; filename=\"" + name + "\"");
  auto shared = std::make_shared<Download>(std::move(download));
  response.next_chunk = [shared] { return next_piece(shared); };
  return response;
}

json::object to_document(const LogPage& page) {
  json::object to;
  json::array& items = to["items"].emplace_array();
  items.reserve(page.records.size());
  for (const auto& record : page.records) {
    items.push_back(to_json(record));
  }
  const auto put = [&to](std::string_view key, const std::optional<LogCursor>& cursor) {
    if (cursor) {
      to[key] = to_text(*cursor);
    } else {
      to[key] = nullptr;
    }
  };
  put("next_cursor", page.next);
  put("older_cursor", page.older);
  put("newer_cursor", page.newer);
  return to;
}

}  // namespace

Answer get_logs(const ApiOptions& api, const http::Request& request) {
  const bool text = wants_text(request);
  Parameters given(request);
  const auto attempt = given.number("attempt", 1, UINT32_MAX);
  LogFilter filter;
  filter.level = given.word("level", severity_of, severity_words()).value_or(7);
  filter.stream = given.word("stream", stream_of, stream_words());
  filter.step = given.text("step");
  filter.q = given.text("q");
  filter.from_ns = given.time("from");
  filter.to_ns = given.time("to");
  const auto descending = given.word(
      "order",
      [](std::string_view word) { return word == "asc"    ? std::optional(false)
                                         : word == "desc" ? std::optional(true)
                                                          : std::nullopt; },
      "asc or desc");
  const std::size_t limit = given.limit(200);
  const auto cursor = given.word("cursor", log_cursor_of, "a next_cursor, older_cursor or newer_cursor of this list");
  if (cursor && descending && cursor->descending != *descending) {
    given.refuse("order", *descending ? "desc" : "asc", "the cursor's own order; leave it out when a cursor is given");
  }
  if (given.problem()) {
    co_return given.problem()->to_response();
  }

  const std::string run_id(request.path_parameter("run_id"));
  const auto run = co_await find_run(api, run_id, attempt);
  if (!run) {
    co_return to_response(run.error());
  }
  if (!*run) {
    co_return no_such_run(run_id, attempt);
  }
  const RunKey key = (*run)->run.key;

  if (text) {
    // A file is read from its top.
    const LogCursor from = cursor.value_or(LogCursor{descending.value_or(false), {}});
    const std::optional<std::size_t> left = request.query_value("limit") ? std::optional(limit) : std::nullopt;
    co_return to_response(Download{api, key, filter, from, left, append_line}, "text/plain; charset=utf-8", file_name(key, ".log"));
  }
  const LogCursor from = cursor.value_or(LogCursor{descending.value_or(true), {}});
  auto read = [key, filter, from, limit, bounds = api.logs](Query& query) -> StoreResult<json::object> {
    const auto page = read_logs(query, key, filter, from, limit, bounds);
    if (!page) {
      return page.error();
    }
    return to_document(*page);
  };
  co_return to_response(co_await api.pool->run(std::move(read)));
}

Answer get_output(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  const auto attempt = given.number("attempt", 1, UINT32_MAX);
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  const std::string stream(request.path_parameter("stream"));
  if (stream != "stdout" && stream != "stderr") {
    co_return http::Problem{404, "No such output", "a run's output is stdout or stderr, not " + stream, {{"stream", stream}}}.to_response();
  }
  const std::string run_id(request.path_parameter("run_id"));
  const auto run = co_await find_run(api, run_id, attempt);
  if (!run) {
    co_return to_response(run.error());
  }
  if (!*run) {
    co_return no_such_run(run_id, attempt);
  }
  const RunKey key = (*run)->run.key;
  LogFilter filter;
  filter.stream = stream_of(stream);
  co_return to_response(Download{api, key, filter, LogCursor{false, {}}, {}, append_output}, "application/octet-stream",
                        file_name(key, "." + stream));
}

}  // namespace runfold::collector
