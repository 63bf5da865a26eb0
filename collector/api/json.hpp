// Rows as the JSON of the API. What is unknown has no key.
#pragma once

#include "collector/store/store.hpp"
#include "runfold/v1/log.pb.h"

#include <boost/json/object.hpp>

#include <string>

namespace runfold::collector {

enum class Steps { kWith, kWithout };

/// Errors: kCorrupt when the stored snapshot cannot be read.
[[nodiscard]] StoreResult<boost::json::object> to_json(const StoredRun& run, Steps steps);
[[nodiscard]] StoreResult<boost::json::object> to_json(const ApiFailureRow& failure);
[[nodiscard]] boost::json::object to_json(const ApiFailureGroupRow& group);
/// Precondition: the operation was not removed.
[[nodiscard]] StoreResult<boost::json::object> to_json(const OperationRow& operation);
[[nodiscard]] boost::json::object to_json(const v1::LogRecord& record);

/// The record as one line of the fixed format, with its newline: "2026-05-16 14:32:11 UTC [INFO] message".
/// A newline inside the message is written as "\n" (backslash, n).
[[nodiscard]] std::string to_line(const v1::LogRecord& record);

/// What an output record stood for: its raw bytes, or its message, and the newline unless there was none.
void append_output(const v1::LogRecord& record, std::string& bytes);

}  // namespace runfold::collector
