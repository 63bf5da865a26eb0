// Random identifiers that no other process and no restart will make again.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace runfold {

/// Fills with random bytes from the kernel. Throws std::system_error when it has none.
void random_bytes(std::span<std::uint8_t> out);

/// A random UUID (version 4) in lower case.
[[nodiscard]] std::string random_uuid();

/// Lower-case hexadecimal.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);

}  // namespace runfold
