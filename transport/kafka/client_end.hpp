// Ends a Kafka client without waiting for one that cannot be ended yet.
#pragma once

#include "transport/kafka/handle.hpp"

#include <chrono>
#include <cstddef>

namespace runfold::kafka {

/// Destroys a client, and comes back when that is done or the limit has passed.
///
/// rd_kafka_destroy() joins the client's threads. One that looks up a name cannot be interrupted: that takes as long as the
/// resolver tries (10 s and more). librdkafka 2.0.2 never ends a consumer whose topic was deleted. Then the end goes on in a thread
/// of its own, see clients_ending(), and an ordinary end of the process waits for it, 2 s at most: what runs there, OpenSSL's
/// clean-up first, takes away what the client's threads stand on. No callback of the client runs from here on; its queues must be
/// destroyed before. A consumer does not leave its group: close it first.
void end_client(ClientHandle client, std::chrono::milliseconds limit = std::chrono::milliseconds(200)) noexcept;

/// How many clients are still at their end, of those whose callers no longer wait for it.
[[nodiscard]] std::size_t clients_ending() noexcept;

/// For the end of main(): gives the code back, or leaves by _exit(), which waits for nothing, while there are clients at their end.
[[nodiscard]] int leave(int code) noexcept;

}  // namespace runfold::kafka
