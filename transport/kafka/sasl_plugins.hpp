// Keeps librdkafka from loading what nobody needs.
#pragma once

#include "transport/kafka/properties.hpp"

namespace runfold::kafka {

/// With a process's first client librdkafka loads every plugin of Cyrus SASL that is installed, nine libraries and what these need:
/// 1.5 ms of a process that may live for ten. They serve Kerberos alone; unless these properties ask for SASL, they are left
/// out. An SASL_PATH that is set says where they are and is left as it is.
/// Thread: sets an environment variable, so no other may run; and what is started later inherits it.
void leave_out_sasl_plugins(const Properties& properties);

}  // namespace runfold::kafka
