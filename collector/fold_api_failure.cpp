// A failing Container API call, from the log record that reports it.
#include "collector/fold_fingerprint.hpp"
#include "collector/fold_logs.hpp"
#include "runfold/v1/api_failure.pb.h"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <string>
#include <string_view>

namespace runfold::collector {
namespace {

/// Names what an API failure's id is made of apart from all other uses of name-based UUIDs.
constexpr boost::uuids::uuid kApiFailureNamespace = {
    {0x6b, 0x1d, 0x0c, 0x52, 0x5f, 0x0e, 0x4d, 0x0a, 0x9a, 0x67, 0x2e, 0x41, 0xd8, 0x37, 0xb0, 0x1f}};

/// Appends a part so that no two lists of parts give the same text.
void append(std::string& name, std::string_view part) {
  name.append(std::to_string(part.size())).push_back(':');
  name.append(part);
}

/// A name-based UUID (version 5) of the record: of its number where it has one, so that a repeat of it has the same id
/// wherever it stands, else of its place in the log. A topic made anew has the same places again: the run and the time at
/// which the record was written tell what stands there now from what stood there before.
std::string failure_id(const LogBatchView& batch, std::size_t index, const Origin& origin) {
  std::string name;
  append(name, batch.identity.run_id);
  append(name, std::to_string(batch.key().attempt));
  if (batch.first_sequence != 0) {
    append(name, batch.identity.source_id);
    append(name, std::to_string(batch.first_sequence + index));
  } else {
    append(name, origin.topic);
    append(name, std::to_string(origin.partition));
    append(name, std::to_string(origin.offset));
    append(name, std::to_string(index));
    append(name, std::to_string(origin.record_time_ns));
  }
  return to_string(boost::uuids::name_generator_sha1(kApiFailureNamespace)(name));
}

void set_time(google::protobuf::Timestamp& time, TimeNs at_ns) {
  time.set_seconds(at_ns / 1'000'000'000);
  time.set_nanos(static_cast<std::int32_t>(at_ns % 1'000'000'000));
}

}  // namespace

ApiFailureRow api_failure_row(const LogBatchView& batch, std::size_t index, TimeNs at_ns, const Origin& origin) {
  const LogRecordView& record = batch.records[index];
  const ApiCallView& call = *batch.api_call(record);
  ApiFailureRow row;
  row.failure_id = failure_id(batch, index, origin);
  row.key = {std::string(batch.identity.run_id), batch.key().attempt};
  row.connector_id = batch.identity.connector_id;
  row.site = batch.identity.site;
  row.at_ns = at_ns;
  row.code = call.response_code;
  row.origin = {origin.partition, origin.offset};
  row.version = batch.identity.version;
  const bool answered = call.response_code || !call.response_body.empty();
  row.kind = api_failure_kind(call.method, call.request_uri, call.response_code, answered ? call.response_body : call.transport_error);

  v1::ApiFailure failure;
  failure.set_failure_id(row.failure_id);
  failure.set_run_id(row.key.run_id);
  failure.set_attempt(row.key.attempt);
  failure.set_connector_id(row.connector_id);
  failure.set_version(std::string(batch.identity.version));
  failure.set_site(row.site);
  failure.set_step_id(std::string(record.step_id));
  set_time(*failure.mutable_at(), at_ns);
  v1::ApiCall& out = *failure.mutable_call();
  out.set_method(std::string(call.method));
  out.set_request_uri(std::string(call.request_uri));
  if (call.response_code) out.set_response_code(*call.response_code);
  out.set_response_body(std::string(call.response_body));
  out.set_response_body_truncated(call.response_body_truncated);
  if (call.duration_ns && *call.duration_ns >= 0) {
    out.mutable_duration()->set_seconds(*call.duration_ns / 1'000'000'000);
    out.mutable_duration()->set_nanos(static_cast<std::int32_t>(*call.duration_ns % 1'000'000'000));
  }
  out.set_transport_error(std::string(call.transport_error));
  row.payload = failure.SerializeAsString();
  return row;
}

}  // namespace runfold::collector
