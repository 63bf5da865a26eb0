// Compares messages with protobuf's own differencer and puts its findings into words.
#include "collector/verify_fields.hpp"

#include "runfold/v1/run.pb.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <vector>

namespace runfold::collector {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;

constexpr std::size_t kShownBytes = 200;

/// What names an element of a repeated field, for a person.
std::string name_of(const Message& element) {
  if (const auto* step = dynamic_cast<const v1::Step*>(&element)) return step->step_id() + ", " + std::to_string(step->attempt());
  if (const auto* topic = dynamic_cast<const v1::Completeness*>(&element)) return v1::Topic_Name(topic->topic());
  if (const auto* drop = dynamic_cast<const v1::DropCount*>(&element)) return v1::DropReason_Name(drop->reason());
  return {};
}

class Words final : public MessageDifferencer::Reporter {
 public:
  Words(const Message& a, const Message& b, const OnField& on_field) : a_(a), b_(b), on_field_(on_field) {}

  void ReportAdded(const Message&, const Message& parent, const std::vector<MessageDifferencer::SpecificField>& path) override {
    on_field_(path_of(b_, path, false), kNothing, value(parent, path.back(), false));
  }
  void ReportDeleted(const Message& parent, const Message&, const std::vector<MessageDifferencer::SpecificField>& path) override {
    on_field_(path_of(a_, path, true), value(parent, path.back(), true), kNothing);
  }
  void ReportModified(const Message& left, const Message& right, const std::vector<MessageDifferencer::SpecificField>& path) override {
    // A message that is modified has parts that are, and those are said.
    const auto* field = path.back().field;
    if (field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return;
    on_field_(path_of(a_, path, true), value(left, path.back(), true), value(right, path.back(), false));
  }

 private:
  static std::string value(const Message& parent, const MessageDifferencer::SpecificField& at, bool left) {
    if (at.field == nullptr) return "a field of a later release";
    std::string text;
    TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintFieldValueToString(parent, at.field, at.field->is_repeated() ? (left ? at.index : at.new_index) : -1, &text);
    return shown(text);
  }

  /// Walks down from the whole message, to name the elements on the way.
  static std::string path_of(const Message& whole, const std::vector<MessageDifferencer::SpecificField>& path, bool left) {
    std::string text;
    const Message* at = &whole;
    for (const auto& part : path) {
      if (part.field == nullptr) return text + ".?";
      text += (text.empty() ? "" : ".") + part.field->name();
      const bool message = part.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (part.field->is_repeated()) {
        const int index = left ? part.index : part.new_index;
        const Message* element = message ? &at->GetReflection()->GetRepeatedMessage(*at, part.field, index) : nullptr;
        const std::string name = element != nullptr ? name_of(*element) : std::string();
        text += "[" + (name.empty() ? std::to_string(index) : name) + "]";
        at = element;
      } else if (message) {
        at = &at->GetReflection()->GetMessage(*at, part.field);
      }
    }
    return text;
  }

  const Message& a_;
  const Message& b_;
  const OnField& on_field_;
};

}  // namespace

void compare_messages(const Message& a, const Message& b, const OnField& on_field) {
  MessageDifferencer differencer;
  const auto* run = v1::Run::descriptor();
  const auto* step = v1::Step::descriptor();
  differencer.TreatAsMapWithMultipleFieldsAsKey(run->FindFieldByName("steps"),
                                                {step->FindFieldByName("step_id"), step->FindFieldByName("attempt")});
  differencer.TreatAsMap(run->FindFieldByName("completeness"), v1::Completeness::descriptor()->FindFieldByName("topic"));
  differencer.TreatAsMap(v1::Completeness::descriptor()->FindFieldByName("drops"), v1::DropCount::descriptor()->FindFieldByName("reason"));
  Words words(a, b, on_field);
  differencer.ReportDifferencesTo(&words);
  (void)differencer.Compare(a, b);  // What it finds it has reported.
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShownBytes)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return text.size() > kShownBytes ? out + "..." : out;
}

}  // namespace runfold::collector
