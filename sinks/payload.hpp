// The messages that sinks are handed, read from their bytes.
#pragma once

#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/run.pb.h"
#include "sinks/sink.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace runfold::sinks {

struct Payload {
  std::unique_ptr<google::protobuf::Message> message;
  /// When what it tells of happened, RFC 3339; empty when it does not say.
  std::string at;
};

/// The message of an item; no message: its bytes are none of that kind.
[[nodiscard]] Payload read_payload(const Item& item);

/// "runfold.v1.Run" or "runfold.v1.ApiFailure".
[[nodiscard]] std::string_view type_name(Kind kind) noexcept;

/// Why an item with no message is rejected.
[[nodiscard]] Verdict unreadable(const Item& item);

}  // namespace runfold::sinks
