// Cyrus SASL looks for its plugins where SASL_PATH says.
#include "transport/kafka/sasl_plugins.hpp"

#include <cstdlib>
#include <string>

namespace runfold::kafka {

void leave_out_sasl_plugins(const Properties& properties) {
  const std::string protocol = properties.get("security.protocol").value_or("");
  if (protocol.starts_with("sasl") || protocol.starts_with("SASL")) return;
  ::setenv("SASL_PATH", "/nonexistent", 0);
}

}  // namespace runfold::kafka
