// A record of the operations topic: one runfold.v1.Operation, or a null value that removes it.
#include "collector/decode_wire.hpp"

namespace runfold::collector {
namespace {

using wire::bytes_tag;
using wire::Fields;
using wire::Time;
using wire::Trouble;

bool read_operation(std::string_view key, std::string_view value, OperationView& out, Trouble& trouble) noexcept {
  if (value.empty()) return trouble.meet(DecodeErrc::kEmpty, value.data());
  Time created;
  Time updated;
  Fields fields(value, trouble);
  while (fields.next()) {
    switch (fields.tag()) {
      case bytes_tag(1):
        fields.name(out.operation_id);
        break;
      case bytes_tag(2):
        fields.label(out.status);
        break;
      case bytes_tag(3):
        fields.label(out.name);
        break;
      case bytes_tag(4):
        fields.label(out.owner_id);
        break;
      case bytes_tag(5):
        fields.name(out.connector_id);
        break;
      case bytes_tag(6):
        created.read(fields);
        break;
      case bytes_tag(7):
        updated.read(fields);
        break;
      case bytes_tag(8):
        fields.text(out.error);
        break;
      case bytes_tag(9):
        fields.label(out.version);
        break;
      default:
        break;
    }
  }
  out.bytes = value;
  out.created_at_ns = created.timestamp(trouble);
  out.updated_at_ns = updated.timestamp(trouble);
  if (!trouble.met && (out.operation_id.empty() || out.operation_id != key))
    trouble.meet(DecodeErrc::kIdentity, value.data() + value.size());
  return !trouble.met;
}

}  // namespace

DecodeResult<OperationView> decode_operation(std::string_view key, std::optional<std::string_view> value) noexcept {
  DecodeResult<OperationView> result;
  if (value) {
    Trouble trouble(*value);
    if (!read_operation(key, *value, *result, trouble)) result = trouble.error();
    return result;
  }
  if (key.empty() || key.size() > wire::kMaxNameBytes) return DecodeError{DecodeErrc::kIdentity, 0};
  if (!wire::valid_utf8(key)) return DecodeError{DecodeErrc::kValue, 0};
  result->operation_id = key;
  result->removed = true;
  return result;
}

}  // namespace runfold::collector
