// What lies in the spool of producers that are gone.
#pragma once

#include "producer/delivery/spool.hpp"
#include "tests/support/arrived.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace runfold::test {

/// The highest number on disk, by run, source and topic, as whoever takes the spool over would find it.
inline std::map<Arrived::Row, std::uint64_t> on_disk(const std::filesystem::path& spool) {
  std::map<Arrived::Row, std::uint64_t> out;
  const kafka::TopicNames topics;
  for (const auto& path : delivery::folders_beside(spool / "none")) {
    auto folder = delivery::SpoolFolder::take(path);
    EXPECT_TRUE(folder.has_value()) << path;
    delivery::Spool dead(std::move(*folder), {.tell = [](const std::string&) {}});
    for (auto frame = dead.read_next(); frame.has_value() && frame->has_value(); frame = dead.read_next()) {
      const bool event = (*frame)->channel == delivery::Channel::kEvents;
      auto& highest =
          out[{std::string((*frame)->names.run_id), std::string((*frame)->names.source_id), event ? topics.events : topics.logs}];
      highest = std::max(highest, (*frame)->sequence + (*frame)->records - 1);
    }
  }
  return out;
}

/// How many bytes lie there, while others write them.
inline std::uintmax_t bytes_on_disk(const std::filesystem::path& spool) {
  std::uintmax_t bytes = 0;
  std::error_code gone;  // what goes meanwhile is not there
  for (std::filesystem::recursive_directory_iterator at(spool, gone), end; !gone && at != end; at.increment(gone)) {
    const std::uintmax_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace runfold::test
