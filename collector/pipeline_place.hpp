// Whether a partition still goes on where the store left it, judged by what Kafka has there.
#pragma once

#include "collector/consume.hpp"
#include "transport/kafka/consumer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Records of a partition that will never be folded.
struct Loss {
  enum class Reason : std::uint8_t {
    kRetention,  ///< Kafka deleted them before they were read.
    kRecreated,  ///< The topic was deleted and made anew, or lost its end: what stands at these offsets is something else.
  };
  Reason reason = Reason::kRetention;
  /// Where the partition can go on; absent: at its beginning, wherever that is.
  std::optional<std::int64_t> to_offset;
  /// What showed it, as a part of a sentence.
  std::string evidence;
};

[[nodiscard]] std::string_view word_of(Loss::Reason reason) noexcept;

/// What a look at a partition in doubt came to.
struct Place {
  enum class Kind : std::uint8_t {
    kUnknown,     ///< Go on looking; fold nothing of it.
    kConfirmed,   ///< It is the same place: fold what is at next_offset or behind it.
    kThereAgain,  ///< Kafka has the offset after all: it must be asked for it again.
    kLost,
  };
  Kind kind = Kind::kUnknown;
  /// Set when it is kLost.
  std::optional<Loss> loss{};
};

// Pure. Precondition: the partition has a doubt and a next_offset.

/// By a record that Kafka gave of it.
[[nodiscard]] Place judge(const Partition& partition, const kafka::InRecord& record);
/// By watermarks that are younger than the doubt.
[[nodiscard]] Place judge(const Partition& partition, const kafka::Watermarks& marks);

}  // namespace runfold::collector
