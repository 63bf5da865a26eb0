// Lists of record headers as librdkafka wants them, used again and again.
#pragma once

#include "transport/kafka/handle.hpp"
#include "transport/kafka/record.hpp"

#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace runfold::kafka {

/// Makes lists of headers, out of old ones as far as it can.
///
/// In librdkafka every header is an allocation, and a record with seven of them is ten. Most headers of a record are those
/// of the record before, so a list that comes back keeps its first ones as long as they are the same, and the rest is
/// written anew: callers put those first that seldom change.
/// Thread: any.
class HeaderLists {
 public:
  /// Keeps as many lists as `most`, each of at most 16 headers and 1 KiB.
  explicit HeaderLists(std::size_t most);

  /// A list of these headers, in this order. Null when there are none.
  [[nodiscard]] HeadersHandle make(std::span<const Header> headers);
  /// Takes a list that is not needed any more.
  void take_back(HeadersHandle list) noexcept;

 private:
  [[nodiscard]] HeadersHandle take_old();

  const std::size_t most_;
  std::mutex mutex_;
  std::vector<HeadersHandle> old_;
};

}  // namespace runfold::kafka
