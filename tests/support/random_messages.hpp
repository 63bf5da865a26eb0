// Random messages of the contract, valid by default, and ways to damage their bytes.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace runfold::test {

class RandomMessages {
 public:
  explicit RandomMessages(std::uint64_t seed) : engine_(seed) {}

  /// From 0 up to, not including, `end`.
  std::uint64_t below(std::uint64_t end) { return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(engine_); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  /// Text of letters, some of them beyond ASCII.
  std::string text(std::size_t most) {
    static constexpr std::string_view kLetters[] = {"a", "b", "7", "-", " ", "\n", "ß", "€", "漢", "😀", "\xef\xbf\xbd"};
    std::string text;
    for (std::uint64_t left = below(most + 1); left > 0; --left) text += kLetters[one_in(3) ? below(std::size(kLetters)) : below(4)];
    return text.size() > most ? std::string(most, 'x') : text;
  }

  /// Sets about half of the fields of a message, and of those within it.
  void fill(google::protobuf::Message& message) {
    const auto& name = message.GetDescriptor()->full_name();
    if (name == "google.protobuf.Timestamp") return fill_time(message, 9'223'372'035, false);
    if (name == "google.protobuf.Duration") return fill_time(message, 1'000'000, true);
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const auto& field = *message.GetDescriptor()->field(i);
      if (one_in(2)) continue;
      for (std::uint64_t count = field.is_repeated() ? below(5) : 1; count > 0; --count) fill(message, field);
    }
  }

  /// Flips, cuts, repeats or inserts a few bytes.
  std::string damaged(std::string bytes) {
    for (std::uint64_t times = 1 + below(3); times > 0 && !bytes.empty(); --times) {
      const std::size_t at = below(bytes.size());
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 1:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 2:
          bytes.resize(at);
          break;
        case 3:
          bytes.insert(at, bytes, at, below(20));
          break;
        case 4:
          bytes.erase(at, 1 + below(8));
          break;
        default:
          bytes.insert(at, 1, static_cast<char>(below(256)));
      }
    }
    return bytes;
  }

 private:
  void fill_time(google::protobuf::Message& time, std::uint64_t seconds, bool either_sign) {
    const auto& seconds_field = *time.GetDescriptor()->FindFieldByNumber(1);
    const auto& nanos_field = *time.GetDescriptor()->FindFieldByNumber(2);
    const int sign = either_sign && one_in(8) ? -1 : 1;
    if (!one_in(8)) time.GetReflection()->SetInt64(&time, &seconds_field, sign * static_cast<std::int64_t>(below(seconds)));
    if (!one_in(8)) time.GetReflection()->SetInt32(&time, &nanos_field, sign * static_cast<std::int32_t>(below(1'000'000'000)));
  }

  void fill(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field) {
    using Field = google::protobuf::FieldDescriptor;
    const auto& reflection = *message.GetReflection();
    const auto set = [&](auto setter, auto adder, auto value) {
      if (field.is_repeated()) {
        (reflection.*adder)(&message, &field, value);
      } else {
        (reflection.*setter)(&message, &field, value);
      }
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case Field::CPPTYPE_MESSAGE:
        return fill(field.is_repeated() ? *reflection.AddMessage(&message, &field) : *reflection.MutableMessage(&message, &field));
      case Field::CPPTYPE_STRING: {
        const bool name = field.name().ends_with("_id");
        return set(&R::SetString, &R::AddString, field.type() == Field::TYPE_BYTES ? bytes() : text(name ? 200 : 30));
      }
      case Field::CPPTYPE_ENUM:
        return set(&R::SetEnumValue, &R::AddEnumValue, static_cast<int>(below(10)));
      case Field::CPPTYPE_BOOL:
        return set(&R::SetBool, &R::AddBool, one_in(2));
      case Field::CPPTYPE_INT32:
        return set(&R::SetInt32, &R::AddInt32, static_cast<std::int32_t>(below(std::uint64_t{1} << 32)));
      case Field::CPPTYPE_INT64:
        return set(&R::SetInt64, &R::AddInt64, static_cast<std::int64_t>(number()));
      case Field::CPPTYPE_UINT32:
        return set(&R::SetUInt32, &R::AddUInt32, static_cast<std::uint32_t>(number()));
      case Field::CPPTYPE_UINT64:
        return set(&R::SetUInt64, &R::AddUInt64, number());
      default:
        return;
    }
  }
  /// Small and large ones alike, up to 2^62.
  std::uint64_t number() { return below(std::uint64_t{1} << below(63)) + (one_in(4) ? 1 : 0); }
  std::string bytes() {
    std::string bytes(below(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(below(256));
    return bytes;
  }

  std::mt19937_64 engine_;
};

}  // namespace runfold::test
