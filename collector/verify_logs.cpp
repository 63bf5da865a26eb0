// Compares log records by sums of their hashes, so that neither order nor chunk borders show; looks closer where sums differ.
#include "collector/verify_logs.hpp"

#include "collector/log_chunk.hpp"
#include "collector/verify_fields.hpp"

#include <openssl/sha.h>

#include <array>
#include <cstring>
#include <unordered_map>

namespace runfold::collector {
namespace {

constexpr std::size_t kChunksAtOnce = 8;
/// Bound on what is held of two runs whose records differ.
constexpr std::size_t kMostHeld = 100'000;

struct Hash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash&) const = default;
};
struct HashOfHash {
  std::size_t operator()(const Hash& hash) const noexcept { return hash.low; }
};

Hash hash_of(const v1::LogRecord& record, std::string& bytes) {
  bytes.clear();
  record.AppendToString(&bytes);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  Hash hash;
  std::memcpy(&hash.low, digest.data(), sizeof hash.low);
  std::memcpy(&hash.high, digest.data() + sizeof hash.low, sizeof hash.high);
  return hash;
}

/// Calls `on_record` with each record of the run, until it returns false.
template <class OnRecord>
StoreResult<> for_each_record(Query& query, const RunKey& key, OnRecord&& on_record) {
  std::string bytes;
  Query::ChunkRange range;
  range.descending = false;
  range.start = 0;
  while (true) {
    const auto chunks = query.log_chunks(key, range, kChunksAtOnce);
    if (!chunks) return chunks.error();
    for (const LogChunk& chunk : *chunks) {
      const auto batch = from_chunk(chunk);
      if (!batch) return batch.error();
      for (const v1::LogRecord& record : batch->records()) {
        if (!on_record(record, hash_of(record, bytes))) return {};
      }
      range.start = chunk.chunk + 1;
    }
    if (chunks->size() < kChunksAtOnce) return {};
  }
}

/// A commutative sum: the same for the same multiset of records.
struct Sum {
  std::uint64_t records = 0;
  Hash hash;
};

StoreResult<Sum> sum_of(Query& query, const RunKey& key) {
  Sum sum;
  const auto done = for_each_record(query, key, [&](const v1::LogRecord&, const Hash& hash) {
    ++sum.records;
    sum.hash.low += hash.low;
    sum.hash.high += hash.high;
    return true;
  });
  if (!done) return done.error();
  return sum;
}

std::string text_of(const v1::LogRecord& record) {
  return shown(v1::Severity_Name(record.severity()) + " \"" + record.message() + "\"");
}

/// Names one record of each side that the other lacks.
StoreResult<> name_differences(Query& a, Query& b, const RunKey& key, LogsCompared& out) {
  struct Held {
    std::int64_t surplus = 0;
    std::string text;
  };
  std::unordered_map<Hash, Held, HashOfHash> held;
  const auto hold = [&](std::int64_t one) {
    return [&held, one](const v1::LogRecord& record, const Hash& hash) {
      Held& entry = held[hash];
      entry.surplus += one;
      if (entry.surplus == 0) {
        held.erase(hash);
      } else if (entry.text.empty()) {
        entry.text = text_of(record);
      }
      return held.size() <= kMostHeld;
    };
  };
  if (const auto done = for_each_record(a, key, hold(1)); !done) return done.error();
  if (held.size() > kMostHeld) return {};
  if (const auto done = for_each_record(b, key, hold(-1)); !done) return done.error();
  if (held.size() > kMostHeld) return {};
  for (const auto& [hash, entry] : held) {
    // Of several the first by its text, so that the answer is the same each time.
    std::string& name = entry.surplus > 0 ? out.only_in_a : out.only_in_b;
    if (name.empty() || entry.text < name) name = entry.text;
  }
  return {};
}

}  // namespace

StoreResult<LogsCompared> compare_logs(Query& a, Query& b, const RunKey& key) {
  const auto sum_a = sum_of(a, key);
  if (!sum_a) return sum_a.error();
  const auto sum_b = sum_of(b, key);
  if (!sum_b) return sum_b.error();
  LogsCompared compared{sum_a->records, sum_b->records, sum_a->records == sum_b->records && sum_a->hash == sum_b->hash, {}, {}};
  if (!compared.same) {
    if (const auto done = name_differences(a, b, key, compared); !done) return done.error();
  }
  return compared;
}

}  // namespace runfold::collector
