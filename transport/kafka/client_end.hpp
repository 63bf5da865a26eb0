// Ends a Kafka client without waiting for a name server that does not answer.
#pragma once

#include "transport/kafka/handle.hpp"

namespace runfold::kafka {

/// Destroys a producing client, and comes back when that is done or after 200 ms.
///
/// rd_kafka_destroy() joins the client's threads, and one that looks up a name cannot be interrupted: that takes as long as
/// the resolver tries (10 s and more). Then the end goes on in a thread of its own; see clients_ending(). No callback of the
/// client runs from here on; its queues must be destroyed before.
void end_client(ClientHandle client) noexcept;

/// How many clients are still at their end. A process that has nothing else to do leaves by _exit() while there are any: its
/// ordinary end would take away what their threads stand on.
[[nodiscard]] int clients_ending() noexcept;

}  // namespace runfold::kafka
