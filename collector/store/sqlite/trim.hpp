// Removes what the store is not to keep any more, a small step at a time.
#pragma once

#include "collector/store/retention.hpp"
#include "collector/store/sqlite/connection.hpp"

namespace runfold::collector::sqlite {

/// One step of Writer::trim(). Precondition: no transaction is open.
[[nodiscard]] StoreResult<Trimmed> trim_store(Connection& connection, const Retention& keep, const TrimStep& step, TimeNs now);

}  // namespace runfold::collector::sqlite
