// The capture's thread: read, pass on, record.
#include "producer/agent/capture.hpp"

#include "producer/redact/piece.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

/// An unfinished line, or trace, that has been quiet this long is recorded as far as it goes.
constexpr int kQuietMs = 1000;
/// Of stdout: whoever writes and whoever reads then wait less for each other. Four times what a pipe holds by itself, and not more:
/// all pipes of a user together have a bound of 64 MiB, beyond which each new one is tiny.
constexpr int kPipeBytes = 256 * 1024;
constexpr std::size_t kReadBytes = 128 * 1024;

LineSplitter::WholeUntil whole_until(std::shared_ptr<const redact::Redactor> redactor) {
  if (!redactor) return {};
  return [redactor = std::move(redactor)](std::string_view text) { return redact::piece_until(*redactor, text); };
}

HeadAndTail::CutOff cut_off(std::shared_ptr<const redact::Redactor> redactor) {
  if (!redactor) return {};
  return [redactor = std::move(redactor)](std::string_view text) { return redactor->cut_off(text); };
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::start(Descriptor from, CaptureOptions options, OnRecord on_record, OnEnd on_end) {
  auto wake = make_wake();
  if (!wake) return wake.error();
  std::unique_ptr<Capture> capture(
      new Capture(std::move(from), std::move(*wake), std::move(options), std::move(on_record), std::move(on_end)));
  try {
    capture->thread_ = std::thread([self = capture.get()] { self->run(); });
  } catch (const std::system_error& error) {
    return system_error("cannot start a thread for the command's output", error.code().value());
  }
  return capture;
}

Capture::Capture(Descriptor from, Descriptor wake, CaptureOptions options, OnRecord on_record, OnEnd on_end)
    : from_(std::move(from)),
      wake_(std::move(wake)),
      options_(std::move(options)),
      on_end_(std::move(on_end)),
      records_(options_.stream, options_.line_bytes, std::move(on_record), options_.redactor),
      splitter_(
          options_.line_bytes, [this](const OutputLine& line) { records_.add(line, arrived_); }, whole_until(options_.redactor)) {
  if (!options_.limits) return;
  static_cast<void>(::fcntl(from_.get(), F_SETPIPE_SZ, kPipeBytes));  // refused, it holds what it holds
  ends_.emplace(
      *options_.limits, [this](std::string_view bytes) { splitter_.feed(bytes); }, [this](const HeadAndTail::Gap& gap) { record_gap(gap); },
      cut_off(options_.redactor));
}

Capture::~Capture() {
  if (thread_.joinable()) thread_.join();
}

void Capture::drain_and_end() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

void Capture::run() {
  pass_on_until_end();
  if (ends_) ends_->finish();
  splitter_.end();
  records_.flush();
  from_.close();
  ended_.store(true, std::memory_order_release);
  on_end_();
}

void Capture::pass_on_until_end() {
  std::vector<char> buffer(kReadBytes);
  bool draining = false;
  // While draining, what others still write does not count: no more than the pipe can hold.
  std::size_t left_to_drain = static_cast<std::size_t>(std::max(::fcntl(from_.get(), F_GETPIPE_SZ), 64 * 1024));
  for (;;) {
    std::array<pollfd, 2> watched{{{from_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    const int timeout_ms = draining ? 0 : splitter_.holds_something() || records_.holds_something() ? kQuietMs : -1;
    const int ready = ::poll(watched.data(), draining ? 1 : 2, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return;
    if (ready == 0) {
      if (draining) return;
      splitter_.flush();
      records_.flush();
      continue;
    }
    if (watched[1].revents != 0) draining = true;
    if (watched[0].revents == 0) continue;

    const ssize_t n = ::read(from_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    const bool passed_on = write_on(bytes);
    record(bytes);
    if (!passed_on) return;
    if (draining) {
      if (bytes.size() >= left_to_drain) return;
      left_to_drain -= bytes.size();
    }
  }
}

void Capture::record(std::string_view bytes) {
  arrived_ = std::chrono::system_clock::now();
  if (ends_) {
    ends_->feed(bytes);
  } else {
    splitter_.feed(bytes);
  }
}

void Capture::record_gap(const HeadAndTail::Gap& gap) {
  const std::size_t dropped = splitter_.cut();
  records_.left_out({.bytes = gap.bytes + dropped, .lines = gap.lines}, arrived_);
}

bool Capture::write_on(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(options_.to, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    // Whoever gave us the stream had set it to not block; the waiting is ours then.
    if (errno != EAGAIN) return false;
    pollfd writable{options_.to, POLLOUT, 0};
    ::poll(&writable, 1, -1);
  }
  return true;
}

}  // namespace runfold::agent
