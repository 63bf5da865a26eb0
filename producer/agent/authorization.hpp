// Who may: the bearer token of a request.
#pragma once

#include "transport/http/message.hpp"

#include <string>
#include <string_view>

namespace runfold::agent {

/// The token in "Authorization: Bearer TOKEN"; empty: there is none.
[[nodiscard]] std::string_view bearer_token(const http::Request& request) noexcept;

/// Compares without telling by the time it takes how much of it was right. An empty one is never right.
[[nodiscard]] bool same_token(std::string_view given, std::string_view right) noexcept;

/// The 401 that says which token to send: "the token in RUNFOLD_INTAKE_TOKEN".
[[nodiscard]] http::Response not_authorised(std::string_view which);

}  // namespace runfold::agent
