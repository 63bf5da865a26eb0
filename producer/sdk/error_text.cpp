// Looking into exceptions of any type.
#include "producer/sdk/error_text.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace runfold {
namespace {

/// Exceptions nested in each other that are told of: nobody reads further, and a chain may be endless.
constexpr int kMaxNested = 16;

// Thread: in a handler of the exception.
std::string type_of_current() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "an exception of another language";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return std::string("an exception of type ") + (readable ? readable.get() : type->name());
}

std::string or_type(std::string_view text) {
  return text.empty() ? type_of_current() : std::string(text);
}

// The text of `error` alone; `error` becomes what is nested in it.
std::string take_outermost(std::exception_ptr& error) {
  try {
    std::rethrow_exception(std::exchange(error, nullptr));
  } catch (const std::exception& caught) {
    if (const auto* nested = dynamic_cast<const std::nested_exception*>(&caught)) error = nested->nested_ptr();
    return or_type(caught.what());
  } catch (const std::string& text) {
    return or_type(text);
  } catch (const char* text) {
    return or_type(text == nullptr ? "" : text);
  } catch (const std::nested_exception& caught) {
    error = caught.nested_ptr();
    return type_of_current();
  } catch (...) {
    return type_of_current();
  }
}

}  // namespace

std::string error_text(const std::exception_ptr& error) {
  if (!error) return "its thread was cancelled";
  std::exception_ptr rest = error;
  std::string out = take_outermost(rest);
  for (int i = 1; rest && i < kMaxNested; ++i) out += ": " + take_outermost(rest);
  return out;
}

}  // namespace runfold
