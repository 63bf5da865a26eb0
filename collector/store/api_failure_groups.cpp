// Each member of a group merges by a rule that knows no order: sums, least, greatest, unions.
#include "collector/store/api_failure_groups.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <tuple>

namespace runfold::collector {
namespace {

/// A longer name is no site's.
constexpr std::size_t kMaxSiteBytes = 1024;

void widen(std::vector<OffsetBounds>& all, const OffsetBounds& other) {
  const auto at = std::lower_bound(all.begin(), all.end(), other.partition,
                                   [](const OffsetBounds& one, std::int32_t partition) { return one.partition < partition; });
  if (at == all.end() || at->partition != other.partition) {
    all.insert(at, other);
    return;
  }
  at->first = std::min(at->first, other.first);
  at->last = std::max(at->last, other.last);
}

}  // namespace

ApiFailureGroupRow group_of(const ApiFailureRow& failure) {
  ApiFailureGroupRow group;
  group.connector_id = failure.connector_id;
  group.kind = failure.kind;
  group.code = failure.code;
  group.count = 1;
  group.first_ns = group.last_ns = failure.at_ns;
  group.first_version = failure.version;
  if (!failure.site.empty() && failure.site.size() <= kMaxSiteBytes) group.sites.push_back(failure.site);
  group.offsets.push_back({failure.origin.partition, failure.origin.offset, failure.origin.offset});
  return group;
}

void merge(ApiFailureGroupRow& group, const ApiFailureGroupRow& other) {
  assert(group.connector_id == other.connector_id && group.kind.fingerprint == other.kind.fingerprint);
  group.count += other.count;
  if (std::tie(other.first_ns, other.first_version) < std::tie(group.first_ns, group.first_version)) {
    group.first_ns = other.first_ns;
    group.first_version = other.first_version;
  }
  group.last_ns = std::max(group.last_ns, other.last_ns);
  // The least names of a union are among the least of its parts.
  for (const std::string& site : other.sites) {
    const auto at = std::lower_bound(group.sites.begin(), group.sites.end(), site);
    if (at == group.sites.end() || *at != site) group.sites.insert(at, site);
  }
  if (group.sites.size() > kMaxGroupSites + 1) group.sites.resize(kMaxGroupSites + 1);
  for (const OffsetBounds& bounds : other.offsets) widen(group.offsets, bounds);
}

std::string sites_text(const std::vector<std::string>& sites) {
  std::string text;
  for (const std::string& site : sites) text.append(std::to_string(site.size())).append(":").append(site);
  return text;
}

std::optional<std::vector<std::string>> parse_sites(std::string_view text) {
  std::vector<std::string> sites;
  while (!text.empty()) {
    std::size_t size = 0;
    const char* const end = text.data() + text.size();
    const auto [behind, error] = std::from_chars(text.data(), end, size);
    if (error != std::errc() || behind == end || *behind != ':') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(behind - text.data()) + 1);
    if (size > text.size()) return std::nullopt;
    sites.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return sites;
}

}  // namespace runfold::collector
