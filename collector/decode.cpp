// What decoding errors are called, for labels and for people.
#include "collector/decode.hpp"

namespace runfold::collector {

std::string_view reason(DecodeErrc code) noexcept {
  switch (code) {
    case DecodeErrc::kEmpty:
      return "empty";
    case DecodeErrc::kTruncated:
      return "truncated";
    case DecodeErrc::kMalformed:
      return "malformed";
    case DecodeErrc::kIdentity:
      return "identity";
    case DecodeErrc::kNoEvent:
      return "no_event";
    case DecodeErrc::kValue:
      return "value";
    case DecodeErrc::kLimit:
      return "limit";
  }
  return "malformed";
}

namespace {

std::string_view sentence(DecodeErrc code) noexcept {
  switch (code) {
    case DecodeErrc::kEmpty:
      return "the record has no value";
    case DecodeErrc::kTruncated:
      return "a field runs past the end of the value";
    case DecodeErrc::kMalformed:
      return "this is not protobuf: a tag, number, wire type or group that cannot be";
    case DecodeErrc::kIdentity:
      return "run_id, step_id or operation_id is missing or is not the key, or a name is longer than 200 bytes";
    case DecodeErrc::kNoEvent:
      return "the event is of no kind that this release knows";
    case DecodeErrc::kValue:
      return "a field is out of range: text that is not UTF-8, a time before 1970 or after 2262, a sequence number above 2^62";
    case DecodeErrc::kLimit:
      return "more than 10000 records in a batch, more than 1000 fields in a message, or an operation's label longer than 1024 bytes";
  }
  return "it cannot be read";
}

}  // namespace

std::string describe(const DecodeError& error) {
  std::string text(reason(error.code));
  text.append(": ").append(sentence(error.code)).append(" (at byte ").append(std::to_string(error.at_byte)).append(")");
  return text;
}

}  // namespace runfold::collector
