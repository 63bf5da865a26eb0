// Reads what sinks are handed.
#include "sinks/payload.hpp"

#include <google/protobuf/util/time_util.h>

namespace runfold::sinks {

Payload read_payload(const Item& item) {
  Payload payload;
  if (item.kind == Kind::kRun) {
    auto run = std::make_unique<v1::Run>();
    if (!run->ParseFromString(item.payload)) return payload;
    if (run->has_last_seen_at()) payload.at = google::protobuf::util::TimeUtil::ToString(run->last_seen_at());
    payload.message = std::move(run);
  } else {
    auto failure = std::make_unique<v1::ApiFailure>();
    if (!failure->ParseFromString(item.payload)) return payload;
    if (failure->has_at()) payload.at = google::protobuf::util::TimeUtil::ToString(failure->at());
    payload.message = std::move(failure);
  }
  return payload;
}

std::string_view type_name(Kind kind) noexcept {
  return kind == Kind::kRun ? "runfold.v1.Run" : "runfold.v1.ApiFailure";
}

Verdict unreadable(const Item& item) {
  return {Outcome::kRejected,
          "the stored record is not a " + std::string(type_name(item.kind)) + ": it was damaged or made by a later release",
          {}};
}

}  // namespace runfold::sinks
