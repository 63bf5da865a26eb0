// Writes the head of a response: status line, fields, and how the body is framed.
#include "transport/http/response_head.hpp"

#include "transport/http/syntax.hpp"

#include <boost/beast/http/status.hpp>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace runfold::http {
namespace {

/// "Sat, 16 May 2026 14:32:11 GMT", whatever the locale.
std::string http_date(std::chrono::system_clock::time_point now) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays[std::chrono::weekday(day).c_encoding()],
                static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return text;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Fields that frame the message are the server's to write.
bool is_framing(std::string_view name) {
  return equal_fold(name, "Connection") || equal_fold(name, "Keep-Alive") || equal_fold(name, "Transfer-Encoding") ||
         equal_fold(name, "Content-Length");
}

}  // namespace

std::optional<ResponseHead> response_head(const Response& response, ResponseFraming framing, std::string& why) {
  if (response.status < 200 || response.status > 599) {
    why = "the status " + std::to_string(response.status) + " is not one of 200 to 599";
    return std::nullopt;
  }
  ResponseHead head;
  head.keep_alive = framing.keep_alive;
  const bool bodiless = response.status == 204 || response.status == 304;
  head.has_body = !bodiless && !framing.head_request;

  const std::string_view reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  head.text = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason) + "\r\n";
  for (const auto& [name, value] : response.fields.all()) {
    if (is_framing(name)) continue;
    if (!is_token(name) || !is_field_value(value)) {
      why = "the field " + printable(name) + " has a name or a value that HTTP cannot carry";
      return std::nullopt;
    }
    head.text += name + ": " + value + "\r\n";
  }
  if (!response.fields.get("Date")) head.text += "Date: " + http_date(std::chrono::system_clock::now()) + "\r\n";

  const auto promised = response.fields.get("Content-Length");
  if (response.next_chunk) {
    if (promised) {
      head.content_length = to_number(*promised);
      if (!head.content_length) {
        why = "the Content-Length of a stream is not a number";
        return std::nullopt;
      }
      head.text += "Content-Length: " + std::to_string(*head.content_length) + "\r\n";
    } else if (framing.http_1_0) {
      head.keep_alive = false;  // the end of the connection ends the body
    } else if (!bodiless) {
      head.chunked = true;
      head.text += "Transfer-Encoding: chunked\r\n";
    }
  } else if (!bodiless) {
    const bool handler_knows_better = framing.head_request && response.body.empty() && promised && to_number(*promised);
    head.text += "Content-Length: " + (handler_knows_better ? std::string(*promised) : std::to_string(response.body.size())) + "\r\n";
  }

  const auto connection = response.fields.get("Connection");
  if (connection && list_holds(*connection, "close")) head.keep_alive = false;
  if (!head.keep_alive) {
    head.text += "Connection: close\r\n";
  } else if (framing.http_1_0) {
    head.text += "Connection: keep-alive\r\n";
  }
  head.text += "\r\n";
  return head;
}

}  // namespace runfold::http
