// Small files by which processes of the same user find each other.
#pragma once

#include "transport/kafka/error.hpp"

#include <filesystem>
#include <string_view>

namespace runfold::kafka {

/// Where the file of this name stands: in $RUNFOLD_STATE_DIR, else $XDG_STATE_HOME/runfold, else ~/.local/state/runfold.
[[nodiscard]] std::filesystem::path state_file(std::string_view name);

/// Writes the file whole or not at all, and makes its folder; only its user can read it.
/// Errors: kOther names the file, and says why.
[[nodiscard]] Result<void> write_state_file(const std::filesystem::path& path, std::string_view text);

}  // namespace runfold::kafka
