// What is known of a run's sources, its order among them, and how it is stored.
#include "collector/fold_sources.hpp"

#include "collector/decode_wire.hpp"
#include "collector/fold_sum.hpp"

#include <algorithm>
#include <numeric>

namespace runfold::collector {
namespace {

void write_totals(WireWriter& out, std::uint32_t field, const std::optional<TopicTotalsView>& totals) {
  if (!totals) return;
  out.message(field, [&] {
    out.non_zero(1, totals->emitted);
    out.non_zero(2, totals->last_sequence);
    for (std::uint32_t why = 0; why < totals->drops.size(); ++why) out.non_zero(10 + why, totals->drops[why]);
  });
}

bool read_totals(std::string_view bytes, std::optional<TopicTotalsView>& out) {
  out.emplace();
  wire::Trouble trouble(bytes);
  wire::Fields fields(bytes, trouble);
  while (fields.next()) {
    const std::uint32_t field = fields.tag() >> 3;
    if (field == 1) out->emitted = fields.number();
    if (field == 2) out->last_sequence = fields.number();
    if (field >= 10 && field - 10 < out->drops.size()) out->drops[field - 10] = fields.number();
  }
  return fields.ok();
}

}  // namespace

std::uint8_t Sources::index(std::string_view source_id) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].name == source_id) return static_cast<std::uint8_t>(i);
  }
  if (sources_.size() == kMaxSources) {
    more_ = true;
    return kMaxSources;
  }
  sources_.emplace_back().name = source_id;
  return static_cast<std::uint8_t>(sources_.size() - 1);
}

bool Sources::add(std::uint8_t source, std::uint64_t sequence) {
  if (sequence == 0 || source >= sources_.size()) {
    ++unnumbered_;
    return true;
  }
  return sources_[source].window.add(sequence);
}

std::strong_ordering Sources::compare(const Stamp& left, const Stamp& right) const noexcept {
  if (left.at_ns != right.at_ns) return left.at_ns <=> right.at_ns;
  if (left.source != right.source) {
    if (left.source >= sources_.size() || right.source >= sources_.size()) return left.source <=> right.source;
    return sources_[left.source].name <=> sources_[right.source].name;
  }
  return left.sequence <=> right.sequence;
}

Sources::Accepted Sources::totals(const Stamp& stamp, const Totals& totals) {
  if (stamp.source >= sources_.size()) return {};
  Source& source = sources_[stamp.source];
  if (source.has_totals) {
    const auto order = std::pair(stamp.at_ns, stamp.sequence) <=> std::pair(source.totals_at_ns, source.totals_sequence);
    if (order < 0 || (order == 0 && totals <= source.totals)) return {};
  }
  Accepted accepted{true, source.totals};
  source.has_totals = true;
  source.totals_at_ns = stamp.at_ns;
  source.totals_sequence = stamp.sequence;
  source.totals = totals;
  return accepted;
}

Sources::Sum Sources::sum(std::optional<TopicTotalsView> Totals::*topic) const {
  Sum sum;
  std::uint64_t expected = 0;
  bool all = !more_ && !sources_.empty();
  for (const Source& source : sources_) {
    const auto& totals = source.totals.*topic;
    if (!totals) {
      all = false;
      continue;
    }
    sum.any = true;
    expected = saturating_sum(expected, totals->emitted);
    for (std::size_t why = 0; why < sum.drops.size(); ++why) sum.drops[why] = saturating_sum(sum.drops[why], totals->drops[why]);
  }
  if (all) sum.expected = expected;
  return sum;
}

std::uint64_t Sources::received() const noexcept {
  return std::accumulate(sources_.begin(), sources_.end(), unnumbered_,
                         [](std::uint64_t sum, const Source& source) { return sum + source.window.received(); });
}

Sources::Places Sources::sorted() const {
  Places order{};
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(sources_.size());
  std::iota(order.begin(), end, std::uint8_t{0});
  std::sort(order.begin(), end, [this](std::uint8_t left, std::uint8_t right) { return sources_[left].name < sources_[right].name; });
  return order;
}

Sources::Places Sources::places() const {
  Places places;
  places.fill(kMaxSources);
  const auto order = sorted();
  for (std::size_t place = 0; place < sources_.size(); ++place) places[order[place]] = static_cast<std::uint8_t>(place);
  return places;
}

void Sources::write(WireWriter& out, std::uint32_t first_field) const {
  const auto order = sorted();
  for (std::size_t place = 0; place < sources_.size(); ++place) {
    const Source& source = sources_[order[place]];
    out.message(first_field, [&] {
      out.non_empty(1, source.name);
      out.number(2, source.window.next());
      out.non_zero(3, source.window.given_up());
      for (const auto& range : source.window.ranges()) {
        out.message(4, [&] {
          out.number(1, range.first);
          out.number(2, range.last);
        });
      }
      if (source.has_totals) {
        out.message(5, [&] {
          out.number(1, static_cast<std::uint64_t>(source.totals_at_ns));
          out.non_zero(2, source.totals_sequence);
          write_totals(out, 3, source.totals.events);
          write_totals(out, 4, source.totals.logs);
        });
      }
    });
  }
  out.non_zero(first_field + 1, unnumbered_);
  out.non_zero(first_field + 2, more_ ? 1 : 0);
}

bool Sources::read(std::uint32_t field, std::uint64_t number, std::string_view bytes) {
  if (field == 1) {
    unnumbered_ = number;
    return true;
  }
  if (field == 2) {
    more_ = number != 0;
    return true;
  }
  if (sources_.size() == kMaxSources) return false;
  Source& source = sources_.emplace_back();
  std::uint64_t next = 0;
  std::uint64_t given_up = 0;
  std::vector<SequenceWindow::Range> ranges;
  wire::Trouble trouble(bytes);
  wire::Fields fields(bytes, trouble);
  while (fields.next()) {
    switch (fields.tag()) {
      case wire::bytes_tag(1):
        source.name = fields.bytes();
        break;
      case wire::varint_tag(2):
        next = fields.number();
        break;
      case wire::varint_tag(3):
        given_up = fields.number();
        break;
      case wire::bytes_tag(4): {
        auto& range = ranges.emplace_back();
        wire::Fields parts(fields.bytes(), trouble);
        while (parts.next()) {
          if (parts.tag() == wire::varint_tag(1)) range.first = parts.number();
          if (parts.tag() == wire::varint_tag(2)) range.last = parts.number();
        }
        break;
      }
      case wire::bytes_tag(5): {
        source.has_totals = true;
        wire::Fields parts(fields.bytes(), trouble);
        while (parts.next()) {
          if (parts.tag() == wire::varint_tag(1)) source.totals_at_ns = static_cast<TimeNs>(parts.number());
          if (parts.tag() == wire::varint_tag(2)) source.totals_sequence = parts.number();
          if (parts.tag() == wire::bytes_tag(3) && !read_totals(parts.bytes(), source.totals.events)) return false;
          if (parts.tag() == wire::bytes_tag(4) && !read_totals(parts.bytes(), source.totals.logs)) return false;
        }
        break;
      }
      default:
        break;
    }
  }
  return fields.ok() && source.window.restore(next, given_up, std::move(ranges));
}

}  // namespace runfold::collector
