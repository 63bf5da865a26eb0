// What an exception says, with what it was caused by.
#pragma once

#include <exception>
#include <string>

namespace runfold {

/// The text of an exception, and of those nested in it (std::throw_with_nested), outermost first: "cannot upload: connection
/// reset". One that says nothing is named by its type; null is what is caught when a thread is cancelled.
[[nodiscard]] std::string error_text(const std::exception_ptr& error);

}  // namespace runfold
