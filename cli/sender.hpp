// Sends events and log records of a run: through the intake of the runfold exec around us, or to Kafka.
#pragma once

#include "cli/identity_flags.hpp"
#include "cli/kafka_flags.hpp"
#include "cli/redaction_flags.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <chrono>
#include <memory>
#include <string>

namespace runfold::cli {

struct SenderFlags {
  IdentityFlags identity;
  KafkaFlags kafka;
  RedactionFlags redaction;
  /// How long it may take until all is acknowledged.
  std::string timeout = "10s";
};
void add_sender_flags(CLI::App& command, SenderFlags& flags);

/// Takes records of runs that were started elsewhere. What it took is delivered when finish() says so, not before.
class Sender {
 public:
  virtual ~Sender() = default;

  /// `event` and `record` may wait: for room, or for the intake's answer.
  /// Errors: kNotReachable, kUsage when the other side refuses it as wrong.
  [[nodiscard]] virtual Outcome<> event(v1::SyncEvent event) = 0;
  [[nodiscard]] virtual Outcome<> log(v1::LogRecord record) = 0;
  /// Sends what is gathered. Call it when no more is to be had for now.
  [[nodiscard]] virtual Outcome<> flush() = 0;
  /// Waits until everything is acknowledged. Errors: kNotReachable says how much was not.
  [[nodiscard]] virtual Outcome<> finish() = 0;
  /// The run it speaks of where a record names none.
  [[nodiscard]] virtual const std::string& run_id() const noexcept = 0;
  /// What replaces the secrets of all that it takes.
  [[nodiscard]] virtual const redact::Redactor& redactor() const noexcept = 0;
};

/// The intake when RUNFOLD_INTAKE_URL is set and the flags name neither another run nor a Kafka; else Kafka.
/// Errors: kUsage when no run or connector is named, kConfiguration when there is no Kafka either.
[[nodiscard]] Outcome<std::unique_ptr<Sender>> make_sender(const SenderFlags& flags);

// The two of them.
[[nodiscard]] std::unique_ptr<Sender> make_intake_sender(std::string url, std::string token, std::string run_id,
                                                         std::shared_ptr<const redact::Redactor> redactor, std::chrono::milliseconds limit);
[[nodiscard]] Outcome<std::unique_ptr<Sender>> make_kafka_sender(const SenderFlags& flags, std::shared_ptr<redact::Redactor> redactor,
                                                                 std::chrono::milliseconds limit);

}  // namespace runfold::cli
