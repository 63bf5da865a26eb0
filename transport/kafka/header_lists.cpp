// What an old list shares with the new one is kept; what follows is removed and added.
#include "transport/kafka/header_lists.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::kafka {
namespace {

bool is_at(const rd_kafka_headers_t* list, std::size_t index, const Header& wanted) noexcept {
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_all(list, index, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  if (wanted.name != name || wanted.value.has_value() != (value != nullptr)) return false;
  return !wanted.value || *wanted.value == std::string_view(static_cast<const char*>(value), size);
}

/// Leaves the first `kept` headers, and returns whether it could: a removal is by name, and takes all of that name.
bool cut(rd_kafka_headers_t* list, std::size_t kept) {
  thread_local std::string removed;  // librdkafka reads the name after it has freed the header
  for (std::size_t left = rd_kafka_header_cnt(list); left > kept; --left) {
    if (left != rd_kafka_header_cnt(list)) return false;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    rd_kafka_header_get_all(list, left - 1, &name, &value, &size);
    removed = name;
    rd_kafka_header_remove(list, removed.c_str());
  }
  return rd_kafka_header_cnt(list) == kept;
}

/// What our own records have. Lists of strangers' headers, which dead letters carry, may be large, and are not kept.
bool is_small(const rd_kafka_headers_t* list) noexcept {
  constexpr std::size_t kMostHeaders = 16;
  constexpr std::size_t kMostBytes = 1024;
  const std::size_t count = rd_kafka_header_cnt(list);
  if (count > kMostHeaders) return false;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    rd_kafka_header_get_all(list, i, &name, &value, &size);
    bytes += std::strlen(name) + size;
  }
  return bytes <= kMostBytes;
}

}  // namespace

HeaderLists::HeaderLists(std::size_t most) : most_(most) {
  old_.reserve(most);
}

HeadersHandle HeaderLists::make(std::span<const Header> headers) {
  if (headers.empty()) return nullptr;
  HeadersHandle list = take_old();
  std::size_t kept = 0;
  if (list) {
    while (kept < headers.size() && is_at(list.get(), kept, headers[kept])) ++kept;
    if (!cut(list.get(), kept)) list.reset();
  }
  if (!list) {
    kept = 0;
    list.reset(rd_kafka_headers_new(headers.size()));
  }
  for (const Header& header : headers.subspan(kept)) {
    const std::string_view value = header.value.value_or("");
    rd_kafka_header_add(list.get(), header.name.data(), static_cast<ssize_t>(header.name.size()),
                        header.value ? (value.empty() ? "" : value.data()) : nullptr, static_cast<ssize_t>(value.size()));
  }
  return list;
}

HeadersHandle HeaderLists::take_old() {
  const std::lock_guard lock(mutex_);
  if (old_.empty()) return nullptr;
  HeadersHandle list = std::move(old_.back());
  old_.pop_back();
  return list;
}

void HeaderLists::take_back(HeadersHandle list) noexcept {
  if (!list || !is_small(list.get())) return;
  const std::lock_guard lock(mutex_);
  if (old_.size() < most_) old_.push_back(std::move(list));
}

}  // namespace runfold::kafka
