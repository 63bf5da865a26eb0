// Passes one output stream of the child on, byte for byte, and records it line by line.
#pragma once

#include "producer/agent/descriptor.hpp"
#include "producer/agent/error.hpp"
#include "producer/agent/head_and_tail.hpp"
#include "producer/agent/lines.hpp"
#include "producer/redact/redactor.hpp"
#include "runfold/v1/log.pb.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

namespace runfold::agent {

struct CaptureOptions {
  v1::LogStream stream = v1::LOG_STREAM_STDOUT;
  /// Where the bytes go on to. Not owned.
  int to = 1;
  /// A longer line is recorded in pieces, a longer stack trace in several records.
  std::size_t line_bytes = 64 * 1024;
  /// How much of the stream is recorded, its first and its last bytes; absent: all of it.
  std::optional<HeadAndTail::Limits> limits = {};
  /// Says where a line may be cut so that no secret is. Null: anywhere.
  std::shared_ptr<const redact::Redactor> redactor = {};
};

/// A thread that reads a pipe and writes what it read to our own stream before anything else is done with it.
///
/// It blocks where a plain pipe would: a reader of ours that does not read holds the child up, and one that has gone
/// closes the child's pipe (SIGPIPE there). Recording never holds it up. Memory: one read buffer, one line, one
/// stack trace, and the last bytes of a stream that is recorded in part.
class Capture {
 public:
  /// Called on the capture's thread. Must not wait. The record is valid during the call.
  using OnRecord = OutputRecords::OnRecord;
  /// Called on the capture's thread, once, when the stream is at its end.
  using OnEnd = std::function<void()>;

  [[nodiscard]] static Result<std::unique_ptr<Capture>> start(Descriptor from, CaptureOptions options, OnRecord on_record, OnEnd on_end);
  /// Joins: the stream has ended or drain_and_end() was called, and our reader has taken everything.
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /// Passes on what is in the pipe now and ends, though somebody may still hold its other end open.
  void drain_and_end() noexcept;

  /// Lets go of a thread that blocks in a write; only the end of the process ends it, and this object must stay until then.
  void leave() { thread_.detach(); }

  [[nodiscard]] bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }

 private:
  Capture(Descriptor from, Descriptor wake, CaptureOptions options, OnRecord on_record, OnEnd on_end);
  void run();
  void pass_on_until_end();
  void record(std::string_view bytes);
  void record_gap(const HeadAndTail::Gap& gap);
  [[nodiscard]] bool write_on(std::string_view bytes);

  Descriptor from_;
  Descriptor wake_;
  CaptureOptions options_;
  OnEnd on_end_;
  OutputRecords records_;
  LineSplitter splitter_;
  std::optional<HeadAndTail> ends_;
  /// When what is recorded was read.
  std::chrono::system_clock::time_point arrived_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace runfold::agent
