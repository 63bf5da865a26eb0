// Logs and output over the API.
#include "tests/unit/api/api_fixture.hpp"

#include <boost/json/serialize.hpp>

namespace runfold::collector::test {
namespace {

namespace json = boost::json;

const RunKey kRun{"r1", 1};

class LogsApi : public ApiTest {
 protected:
  LogsApi() { store_.runs = {run_named("r1")}; }
  explicit LogsApi(LogBounds bounds) : ApiTest(bounds) { store_.runs = {run_named("r1")}; }

  /// Chunks of the messages "0", "1", ... with these sizes.
  void fill(const std::vector<int>& sizes) {
    int message = 0;
    for (std::uint32_t number = 0; number < sizes.size(); ++number) {
      std::vector<v1::LogRecord> records;
      for (int i = 0; i < sizes[number]; ++i) {
        records.push_back(record(std::to_string(message), v1::SEVERITY_INFO, v1::LOG_STREAM_APPLICATION, kAt + message * kSecond));
        ++message;
      }
      store_.chunks.push_back(chunk(kRun, number, records));
    }
  }

  static std::string messages(const json::value& page) {
    std::string all;
    for (const auto& item : page.at("items").as_array()) {
      if (!all.empty()) all += ' ';
      all += item.at("message").as_string();
    }
    return all;
  }

  static std::string cursor(const json::value& page, const char* name) {
    const auto& value = page.at(name);
    return value.is_null() ? "null" : std::string(value.as_string());
  }

  std::string found(const std::string& query) { return messages(get_json("/api/v1/runs/r1/logs?" + query)); }
};

TEST_F(LogsApi, ALogItemIsTheDocumentedJson) {
  auto failing = record("GET /files/7 gave 404", v1::SEVERITY_ERROR, v1::LOG_STREAM_CONTAINER_API, kAt + 5'000'000);
  failing.set_step_id("read");
  failing.set_detail_json(R"({"file": 7})");
  failing.set_truncated(true);
  failing.mutable_api_call()->set_method("GET");
  failing.mutable_api_call()->set_request_uri("/files/7");
  failing.mutable_api_call()->set_response_code(404);
  failing.mutable_api_call()->set_response_body("no such file");
  failing.mutable_api_call()->mutable_duration()->set_nanos(12'000'000);
  auto plain = record("out", v1::SEVERITY_UNSPECIFIED, v1::LOG_STREAM_UNSPECIFIED);
  plain.set_detail_json("not json");
  plain.set_partial(true);
  plain.mutable_api_call()->set_transport_error("connection refused");
  store_.chunks = {chunk(kRun, 0, {plain, failing})};

  EXPECT_EQ(get_json("/api/v1/runs/r1/logs").at("items"), json::parse(R"([
    {"at": "2026-05-16T14:32:11.005Z", "severity": 3, "level": "error", "stream": "container_api", "message": "GET /files/7 gave 404",
     "step": "read", "detail": {"file": 7}, "truncated": true,
     "api_call": {"method": "GET", "uri": "/files/7", "code": 404, "body": "no such file", "duration_ms": 12}},
    {"at": "2026-05-16T14:32:11.000Z", "severity": 6, "level": "info", "stream": "application", "message": "out", "detail": "not json",
     "partial": true, "api_call": {"error": "connection refused"}}])"));
}

TEST_F(LogsApi, TheTailComesFirstAndOrderTurnsItRound) {
  fill({2, 1, 3});
  EXPECT_EQ(found(""), "5 4 3 2 1 0");
  EXPECT_EQ(found("order=desc"), "5 4 3 2 1 0");
  EXPECT_EQ(found("order=asc"), "0 1 2 3 4 5");
}

TEST_F(LogsApi, APageGoesOnWhereTheLastOneEndedInBothOrders) {
  fill({2, 1, 3, 1});
  for (const char* order : {"asc", "desc"}) {
    for (int limit = 1; limit <= 8; ++limit) {
      std::string all, query = std::string("order=") + order;
      for (int pages = 0; pages < 10; ++pages) {
        const auto page = get_json("/api/v1/runs/r1/logs?limit=" + std::to_string(limit) + "&" + query);
        EXPECT_LE(page.at("items").as_array().size(), static_cast<std::size_t>(limit));
        EXPECT_GT(page.at("items").as_array().size(), 0U);
        if (!all.empty()) all += ' ';
        all += messages(page);
        if (page.at("next_cursor").is_null()) break;
        query = "cursor=" + cursor(page, "next_cursor");
      }
      EXPECT_EQ(all, std::string(order) == "asc" ? "0 1 2 3 4 5 6" : "6 5 4 3 2 1 0") << order << " by " << limit;
    }
  }
}

TEST_F(LogsApi, AReaderCanTurnRoundAnywhere) {
  fill({2, 1, 3});
  const auto tail = get_json("/api/v1/runs/r1/logs?limit=2");
  EXPECT_EQ(messages(tail), "5 4");
  const auto before = get_json("/api/v1/runs/r1/logs?limit=2&cursor=" + cursor(tail, "older_cursor"));
  EXPECT_EQ(messages(before), "3 2");
  const auto again = get_json("/api/v1/runs/r1/logs?limit=9&cursor=" + cursor(before, "newer_cursor"));
  EXPECT_EQ(messages(again), "4 5");
  EXPECT_EQ(messages(get_json("/api/v1/runs/r1/logs?cursor=" + cursor(again, "older_cursor"))), "3 2 1 0");
}

TEST_F(LogsApi, ARunIsFollowedByTheNewerCursor) {
  auto page = get_json("/api/v1/runs/r1/logs");
  EXPECT_EQ(messages(page), "");
  EXPECT_TRUE(page.at("next_cursor").is_null());
  EXPECT_TRUE(page.at("older_cursor").is_null());

  store_.chunks.push_back(chunk(kRun, 0, {record("first"), record("second")}));
  page = get_json("/api/v1/runs/r1/logs?cursor=" + cursor(page, "newer_cursor"));
  EXPECT_EQ(messages(page), "first second");
  EXPECT_TRUE(page.at("next_cursor").is_null());
  page = get_json("/api/v1/runs/r1/logs?cursor=" + cursor(page, "newer_cursor"));
  EXPECT_EQ(messages(page), "");
  store_.chunks.push_back(chunk(kRun, 1, {record("third")}));
  page = get_json("/api/v1/runs/r1/logs?cursor=" + cursor(page, "newer_cursor"));
  EXPECT_EQ(messages(page), "third");

  // From the tail, as a person starts.
  page = get_json("/api/v1/runs/r1/logs?limit=1");
  store_.chunks.push_back(chunk(kRun, 2, {record("fourth")}));
  EXPECT_EQ(messages(get_json("/api/v1/runs/r1/logs?cursor=" + cursor(page, "newer_cursor"))), "fourth");
}

TEST_F(LogsApi, ALevelTakesThatSeverityAndWorse) {
  store_.chunks = {
      chunk(kRun, 0, {record("a", v1::SEVERITY_EMERGENCY), record("b", v1::SEVERITY_ERROR), record("c", v1::SEVERITY_WARNING)}),
      chunk(kRun, 1, {record("d", v1::SEVERITY_DEBUG)}), chunk(kRun, 2, {record("e", v1::SEVERITY_UNSPECIFIED)})};
  EXPECT_EQ(found("order=asc&level=3"), "a b");
  EXPECT_EQ(found("order=asc&level=error"), "a b");
  EXPECT_EQ(found("order=asc&level=ERR"), "a b");
  EXPECT_EQ(found("order=asc&level=warn"), "a b c");
  EXPECT_EQ(found("order=asc&level=info"), "a b c e");
  EXPECT_EQ(found("order=asc&level=7"), "a b c d e");
  EXPECT_EQ(found("order=asc&level=0"), "a");
}

TEST_F(LogsApi, StreamStepTextAndTimeNarrowTheRecords) {
  auto stepped = record("GELÖSCHT Invoice 7", v1::SEVERITY_INFO, v1::LOG_STREAM_APPLICATION, kAt);
  stepped.set_step_id("upload");
  store_.chunks = {chunk(kRun, 0, {stepped, record("out", v1::SEVERITY_INFO, v1::LOG_STREAM_STDOUT, kAt + kSecond)}),
                   chunk(kRun, 1, {record("none", v1::SEVERITY_INFO, v1::LOG_STREAM_UNSPECIFIED, kAt + 2 * kSecond)})};
  EXPECT_EQ(found("stream=stdout"), "out");
  EXPECT_EQ(found("stream=application&order=asc"), "GELÖSCHT Invoice 7 none");
  EXPECT_EQ(found("step=upload"), "GELÖSCHT Invoice 7");
  EXPECT_EQ(found("q=gelÖscht%20invoice"), "GELÖSCHT Invoice 7");
  EXPECT_EQ(found("q=missing"), "");
  EXPECT_EQ(found("from=2026-05-16T14:32:12Z&order=asc"), "out none");
  EXPECT_EQ(found("from=2026-05-16T14:32:12Z&to=2026-05-16T14:32:13Z"), "out");
}

TEST_F(LogsApi, ChunksWithNothingWantedAreNotRead) {
  store_.chunks = {chunk(kRun, 0, {record("info")}), chunk(kRun, 1, {record("bad", v1::SEVERITY_ERROR)})};
  EXPECT_EQ(found("level=error"), "bad");
  EXPECT_EQ(store_.chunks_read, 1U);
}

TEST_F(LogsApi, ABadParameterIsNamed) {
  const std::vector<std::pair<std::string, std::string>> bad{{"level=loud", "level"},
                                                             {"level=8", "level"},
                                                             {"stream=stdin", "stream"},
                                                             {"order=up", "order"},
                                                             {"cursor=zzz", "cursor"},
                                                             {"cursor=d1", "cursor"},
                                                             {"cursor=d1.2x", "cursor"},
                                                             {"cursor=d1.99999999999", "cursor"},
                                                             {"cursor=d1.2&order=asc", "order"},
                                                             {"limit=0", "limit"},
                                                             {"attempt=x", "attempt"}};
  for (const auto& [query, parameter] : bad) {
    EXPECT_EQ(get_json("/api/v1/runs/r1/logs?" + query, 400).at("parameter"), json::value(parameter)) << query;
  }
}

TEST_F(LogsApi, ACursorFarBehindTheEndFindsNothing) {
  fill({1});
  EXPECT_EQ(found("cursor=a4294967295.4294967295"), "");
  EXPECT_EQ(found("cursor=a0.4294967295"), "");
  EXPECT_EQ(found("cursor=d4294967295.4294967295"), "0");
  EXPECT_EQ(found("cursor=d0.0"), "");
}

TEST_F(LogsApi, PlainTextIsTheWholeLogInTheFixedFormat) {
  fill({3, 2});
  store_.chunks.push_back(chunk(kRun, 2, {record("two\nlines", v1::SEVERITY_WARNING)}));
  auto response = get("/api/v1/runs/r1/logs", "text/plain");
  EXPECT_EQ(response.fields.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(response.fields.get("Content-Disposition"), "attachment; filename=\"r1-1.log\"");
  EXPECT_EQ(body(response),
            "2026-05-16 14:32:11 UTC [INFO] 0\n2026-05-16 14:32:12 UTC [INFO] 1\n2026-05-16 14:32:13 UTC [INFO] 2\n"
            "2026-05-16 14:32:14 UTC [INFO] 3\n2026-05-16 14:32:15 UTC [INFO] 4\n2026-05-16 14:32:11 UTC [WARN] two\\nlines\n");
  auto tail = get("/api/v1/runs/r1/logs?order=desc&limit=2&level=info", "text/plain");
  EXPECT_EQ(body(tail), "2026-05-16 14:32:11 UTC [WARN] two\\nlines\n2026-05-16 14:32:15 UTC [INFO] 4\n");
}

TEST_F(LogsApi, TextIsGivenOnlyToWhoPrefersIt) {
  const auto type = [this](const std::string& accept) {
    return std::string(*get("/api/v1/runs/r1/logs", accept).fields.get("Content-Type"));
  };
  EXPECT_EQ(type("text/plain"), "text/plain; charset=utf-8");
  EXPECT_EQ(type("text/plain;q=0.9, application/json;q=0.8"), "text/plain; charset=utf-8");
  EXPECT_EQ(type("text/*"), "text/plain; charset=utf-8");
  EXPECT_EQ(type("*/*"), "application/json");
  EXPECT_EQ(type("text/html,application/xhtml+xml,*/*;q=0.8"), "application/json");
  EXPECT_EQ(type("application/json, text/plain;q=0.5"), "application/json");
}

TEST_F(LogsApi, OutputIsTheBytesThatTheRunWrote) {
  auto raw = record("\xEF\xBF\xBD", v1::SEVERITY_INFO, v1::LOG_STREAM_STDOUT);
  raw.set_raw(std::string("\xff\0\n", 3));
  auto prompt = record("name? ", v1::SEVERITY_INFO, v1::LOG_STREAM_STDOUT);
  prompt.set_partial(true);
  store_.chunks = {chunk(kRun, 0, {record("one", v1::SEVERITY_INFO, v1::LOG_STREAM_STDOUT), record("log"), raw}),
                   chunk(kRun, 1, {record("bad", v1::SEVERITY_ERROR, v1::LOG_STREAM_STDERR)}), chunk(kRun, 2, {prompt})};
  auto out = get("/api/v1/runs/r1/output/stdout");
  EXPECT_EQ(out.fields.get("Content-Type"), "application/octet-stream");
  EXPECT_EQ(body(out), std::string("one\n\xff\0\n\nname? ", 14));
  auto err = get("/api/v1/runs/r1/output/stderr");
  EXPECT_EQ(body(err), "bad\n");
  EXPECT_NE(get_json("/api/v1/runs/r1/output/stdin", 404).at("detail").as_string().find("not stdin"), std::string::npos);
}

TEST_F(LogsApi, AFileNameHoldsNothingThatNeedsQuoting) {
  store_.runs = {run_named("a/\"b\r\n")};
  EXPECT_EQ(get("/api/v1/runs/a%2F%22b%0D%0A/output/stdout").fields.get("Content-Disposition"), "attachment; filename=\"a__b__-1.stdout\"");
}

TEST_F(LogsApi, ADamagedChunkIsA500AndBreaksADownload) {
  fill({1});
  store_.chunks[0].data = "damaged";
  get_json("/api/v1/runs/r1/logs", 500);
  auto download = get("/api/v1/runs/r1/logs", "text/plain");
  EXPECT_ANY_THROW(body(download));
}

class LogsApiWithinBounds : public LogsApi {
 protected:
  LogsApiWithinBounds() : LogsApi(LogBounds{3, 1024 * 1024, 100}) {}
};

TEST_F(LogsApiWithinBounds, ASparseFilterGivesACursorAfterABoundedReadAndFindsAllInTheEnd) {
  fill({2, 2, 2, 2, 2, 2, 2, 2});
  for (const char* order : {"asc", "desc"}) {
    std::string query = std::string("q=1&order=") + order, all;
    int pages = 0;
    for (; pages < 10; ++pages) {
      store_.chunks_read = 0;
      const auto page = get_json("/api/v1/runs/r1/logs?" + query);
      EXPECT_LE(store_.chunks_read, 3U);
      all += messages(page) + "|";
      if (page.at("next_cursor").is_null()) break;
      query = "q=1&cursor=" + cursor(page, "next_cursor");
    }
    EXPECT_EQ(all, std::string(order) == "asc" ? "1|10 11|12 13 14 15|" : "15 14 13 12 11 10||1|");
  }
}

TEST_F(LogsApiWithinBounds, ALargeRecordFillsAPageButIsGiven) {
  store_.chunks = {chunk(kRun, 0, {record(std::string(500, 'a')), record("b"), record("c")})};
  const auto page = get_json("/api/v1/runs/r1/logs?order=asc");
  EXPECT_EQ(messages(page), std::string(500, 'a'));
  EXPECT_EQ(messages(get_json("/api/v1/runs/r1/logs?cursor=" + cursor(page, "next_cursor"))), "b c");
}

TEST_F(LogsApiWithinBounds, ADownloadIsWholeWhateverOneReadMayHold) {
  fill({2, 2, 2, 2, 2, 2, 2, 2});
  auto download = get("/api/v1/runs/r1/logs?q=1", "text/plain");
  const std::string text = body(download);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
}

}  // namespace
}  // namespace runfold::collector::test
