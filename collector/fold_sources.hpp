// The producers that spoke of one run: what was seen of each, and how each says it ended.
#pragma once

#include "collector/decode_views.hpp"
#include "collector/fold_window.hpp"
#include "collector/fold_writer.hpp"

#include <boost/container/small_vector.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Where an event stands among the events of its run: by time, then source, then sequence number. Every rule of the fold
/// that has to choose among events chooses by this, never by the order in which they came.
struct Stamp {
  TimeNs at_ns = 0;
  std::uint64_t sequence = 0;
  /// Into Sources.
  std::uint8_t source = 0;
};

/// The sources of one run on one topic.
///
/// At most kMaxSources are told apart. Those beyond share one place behind them: their records are taken as not numbered,
/// so a repeat is not recognised, and how many records to expect stays unknown.
class Sources {
 public:
  static constexpr std::uint8_t kMaxSources = 64;

  /// Finds a source or makes it known.
  [[nodiscard]] std::uint8_t index(std::string_view source_id);

  /// Takes note of a record. False when it was seen before. Number 0 is always new.
  [[nodiscard]] bool add(std::uint8_t source, std::uint64_t sequence);
  /// The same of `count` records numbered from `first`; calls `on_new` with the indexes, from 0, of each stretch of new ones.
  template <class OnNew>
  void add(std::uint8_t source, std::uint64_t first, std::uint64_t count, OnNew&& on_new) {
    if (count == 0) return;
    if (first == 0 || source >= sources_.size()) {
      unnumbered_ += count;
      on_new(std::uint64_t{0}, count - 1);
      return;
    }
    sources_[source].window.add({first, first + count - 1},
                                [&](SequenceWindow::Range range) { on_new(range.first - first, range.last - first); });
  }

  [[nodiscard]] std::strong_ordering compare(const Stamp& left, const Stamp& right) const noexcept;

  struct Totals {
    std::optional<TopicTotalsView> events;
    std::optional<TopicTotalsView> logs;
    auto operator<=>(const Totals&) const = default;
  };
  /// Takes a source's account of itself; of several, the one with the latest stamp holds. Returns what it replaced.
  struct Accepted {
    bool accepted = false;
    Totals before;
  };
  Accepted totals(const Stamp& stamp, const Totals& totals);

  /// One topic's totals added up.
  struct Sum {
    bool any = false;
    /// Absent until every known source has said its own.
    std::optional<std::uint64_t> expected;
    std::array<std::uint64_t, kDropReasons> drops{};
  };
  [[nodiscard]] Sum sum(std::optional<TopicTotalsView> Totals::*topic) const;
  /// Different records received. A record that is not numbered counts each time it comes.
  [[nodiscard]] std::uint64_t received() const noexcept;

  /// Writes all of it as fields `first_field` to `first_field + 2` of a message; read() takes one of them.
  void write(WireWriter& out, std::uint32_t first_field) const;
  /// False when it cannot be read. Fields come in the order in which they were written.
  [[nodiscard]] bool read(std::uint32_t field, std::uint64_t number, std::string_view bytes);
  /// The place of each source when they are sorted by name: what stands for it in what write() wrote.
  using Places = std::array<std::uint8_t, kMaxSources + 1>;
  [[nodiscard]] Places places() const;

 private:
  struct Source {
    std::string name;
    SequenceWindow window;
    bool has_totals = false;
    TimeNs totals_at_ns = 0;
    std::uint64_t totals_sequence = 0;
    Totals totals;
  };
  /// The indexes of the sources, by name; as many as there are.
  [[nodiscard]] Places sorted() const;

  /// Mostly there is one.
  boost::container::small_vector<Source, 1> sources_;
  std::uint64_t unnumbered_ = 0;
  /// There were more than can be told apart.
  bool more_ = false;
};

}  // namespace runfold::collector
