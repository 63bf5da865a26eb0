// The headers of a Kafka record: trace context, content type, CloudEvents in binary mode.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/run_account.hpp"
#include "transport/kafka/record.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace runfold::delivery {

/// What the headers of one record are made of.
struct HeaderFacts {
  RunNames run;
  Channel channel;
  std::string_view topic;
  /// Of the record, or of the first one in a batch.
  std::uint64_t sequence;
  std::int64_t time_ns;
  std::string_view traceparent;
  std::string_view tracestate;
};

/// Writes headers into buffers of its own, used again for each record.
class RecordHeaders {
 public:
  /// The same facts give the same headers, so a record that is sent again has the ce_id it had. Valid until the next call.
  [[nodiscard]] std::span<const kafka::Header> write(const HeaderFacts& facts);

 private:
  std::string id_;
  std::string time_;
  std::string source_;
  std::array<kafka::Header, 8> headers_;
};

}  // namespace runfold::delivery
