// Records to deliver in tests: whole messages, with keys that say what they are.
#pragma once

#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/run.pb.h"
#include "sinks/sink.hpp"

#include <cstdint>
#include <string>

namespace runfold::sinks::contract {

/// `error_text` stands where a receiver can see it: in a run's error, in a failure's response body.
inline Item sample_item(Kind kind, std::int64_t id, const std::string& run_id, const std::string& error_text = "boom") {
  Item item;
  item.outbox_id = id;
  item.kind = kind;
  item.idempotency_key = run_id + ":" + std::to_string(id);
  item.run_id = run_id;
  if (kind == Kind::kRun) {
    v1::Run message;
    message.set_run_id(run_id);
    message.set_connector_id("invoices");
    message.set_error(error_text);
    message.set_entities(12);
    message.mutable_last_seen_at()->set_seconds(1'778'941'931);
    item.payload = message.SerializeAsString();
  } else {
    v1::ApiFailure message;
    message.set_failure_id(item.idempotency_key);
    message.set_run_id(run_id);
    message.mutable_at()->set_seconds(1'778'941'931);
    message.mutable_call()->set_method("GET");
    message.mutable_call()->set_response_body(error_text);
    item.payload = message.SerializeAsString();
  }
  return item;
}

}  // namespace runfold::sinks::contract
