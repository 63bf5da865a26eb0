// A Kafka client in memory that does as a test says: acknowledges, holds back, refuses, breaks.
#pragma once

#include "transport/kafka/producer.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::test {

/// An error as a client would give it. Not inlined: g++ 12 sees overruns in short strings that are moved about.
[[gnu::noinline]] inline kafka::Error trouble(kafka::Errc code, const char* message) {
  return {.code = code, .message = message};
}

/// What all clients of one test talk to; what becomes of a record is told to the client that it came from. Thread: any.
class FakeKafka {
 public:
  struct Record {
    std::string topic;
    std::string key;
    std::string value;
    std::map<std::string, std::string> headers;
    std::int64_t timestamp_ms = 0;
    std::uint64_t token = 0;
    int client = 0;  ///< which client it was handed to, from 1
  };
  /// Decides about one record: an error that produce() returns, or nothing.
  using Judge = std::function<std::optional<kafka::Error>(const Record&)>;

  /// Makes clients for a producer or an Outbox.
  auto factory() {
    return [this](kafka::Producer::OnDelivery on_delivery,
                  kafka::Producer::OnError on_error) -> kafka::Result<std::unique_ptr<kafka::Producer>> {
      const std::scoped_lock lock(mutex_);
      if (no_client_) return *no_client_;
      connected_.try_emplace(++clients_);
      return std::unique_ptr<kafka::Producer>(new Client(*this, clients_, std::move(on_delivery), std::move(on_error)));
    };
  }

  /// With true (as it begins) each record is acknowledged at the next poll.
  void acknowledge_by_itself(bool yes) {
    with([&] { acknowledge_ = yes; });
  }
  /// How many records a client holds before it says kQueueFull.
  void set_room(std::size_t records) {
    with([&] { room_ = records; });
  }
  void judge_by(Judge judge) {
    with([&] { judge_ = std::move(judge); });
  }
  /// The factory fails with this.
  void refuse_clients(std::optional<kafka::Error> error) {
    with([&] { no_client_ = std::move(error); });
  }

  /// Settles the oldest record in flight, or all: acknowledged, or failed with `error`.
  void settle_one(std::optional<kafka::Error> error = {}) {
    with([&] { settle(1, error); });
  }
  void settle_all(std::optional<kafka::Error> error = {}) {
    with([&] { settle(in_flight_.size(), error); });
  }
  /// The newest client is broken: says so at the next poll, fails its records, takes no more. The next one is well.
  void break_client() {
    with([&] {
      broken_client_ = clients_;
      connected_.at(clients_).errors.push_back(runfold::test::trouble(kafka::Errc::kFatal, "the client is broken"));
      settle(in_flight_.size(), runfold::test::trouble(kafka::Errc::kOther, "purged"));
    });
  }
  /// What clients say of missing topics. Records for them are taken all the same, and acknowledged if they are.
  void set_missing_topics(std::vector<std::string> topics) {
    with([&] { missing_topics_ = std::move(topics); });
  }
  /// All clients say so at their next poll.
  void report_trouble(const kafka::Error& error) {
    with([&] {
      for (auto& [number, client] : connected_) client.errors.push_back(error);
    });
  }

  /// Everything that produce() took, over all clients, in that order.
  [[nodiscard]] std::vector<Record> taken() {
    return with([&] { return taken_; });
  }
  [[nodiscard]] std::vector<Record> acknowledged() {
    return with([&] { return acknowledged_; });
  }
  [[nodiscard]] std::size_t in_flight() {
    return with([&] { return in_flight_.size(); });
  }
  [[nodiscard]] int clients() {
    return with([&] { return clients_; });
  }

 private:
  class Client final : public kafka::Producer {
   public:
    Client(FakeKafka& kafka, int number, OnDelivery on_delivery, OnError on_error)
        : kafka_(kafka), number_(number), on_delivery_(std::move(on_delivery)), on_error_(std::move(on_error)) {}
    ~Client() override {
      const std::scoped_lock lock(kafka_.mutex_);
      std::erase_if(kafka_.in_flight_, [this](const Record& record) { return record.client == number_; });
      kafka_.connected_.erase(number_);
    }

    kafka::Result<void> produce(const kafka::OutRecord& out, std::uint64_t token) noexcept override {
      Record record{.topic = std::string(out.topic),
                    .key = std::string(out.key.value_or("")),
                    .value = std::string(out.value.value_or("")),
                    .headers = {},
                    .timestamp_ms = out.timestamp_ms,
                    .token = token,
                    .client = number_};
      for (const auto& header : out.headers) record.headers.emplace(header.name, header.value.value_or(""));
      const std::scoped_lock lock(kafka_.mutex_);
      if (kafka_.broken_client_ == number_) return runfold::test::trouble(kafka::Errc::kFatal, "the client is broken");
      auto& self = kafka_.connected_.at(number_);
      if (self.held >= kafka_.room_) return runfold::test::trouble(kafka::Errc::kQueueFull, "no room");
      if (kafka_.judge_) {
        if (auto error = kafka_.judge_(record)) return *error;
      }
      kafka_.taken_.push_back(record);
      kafka_.in_flight_.push_back(std::move(record));
      ++self.held;
      if (kafka_.acknowledge_) kafka_.settle(1, {});
      kafka_.ring();
      return {};
    }

    int poll(std::chrono::milliseconds) override {
      std::deque<std::pair<std::uint64_t, std::optional<kafka::Error>>> due;
      std::vector<kafka::Error> errors;
      {
        const std::scoped_lock lock(kafka_.mutex_);
        auto& self = kafka_.connected_.at(number_);
        due.swap(self.due);
        errors.swap(self.errors);
        self.held -= due.size();
      }
      for (const auto& error : errors) on_error_(error);
      for (const auto& [token, error] : due) on_delivery_({.token = token, .partition = 0, .offset = 0, .error = error});
      return static_cast<int>(due.size() + errors.size());
    }
    void wake_on(int event_fd) noexcept override {
      const std::scoped_lock lock(kafka_.mutex_);
      kafka_.connected_.at(number_).event_fd = event_fd;
    }
    std::uint64_t flush(std::chrono::milliseconds) override {
      poll(std::chrono::milliseconds(0));
      return kafka_.in_flight();
    }
    kafka::DeliveryCounts counts() const noexcept override { return {}; }
    std::vector<std::string> missing_topics(std::chrono::milliseconds) override {
      const std::scoped_lock lock(kafka_.mutex_);
      return kafka_.missing_topics_;
    }

   private:
    FakeKafka& kafka_;
    const int number_;
    OnDelivery on_delivery_;
    OnError on_error_;
  };

  /// What there is of a client here while it lives.
  struct Connected {
    std::deque<std::pair<std::uint64_t, std::optional<kafka::Error>>> due;  ///< tokens that its next poll tells of
    std::vector<kafka::Error> errors;
    std::size_t held = 0;  ///< records it has not told of
    int event_fd = -1;
  };

  template <class Do>
  std::invoke_result_t<Do&> with(Do&& action) {
    const std::scoped_lock lock(mutex_);
    struct Ring {
      FakeKafka& kafka;
      ~Ring() { kafka.ring(); }
    } ring_after{*this};
    return action();
  }
  void ring() {
    for (const auto& [number, client] : connected_) {
      if (client.event_fd >= 0 && (!client.due.empty() || !client.errors.empty())) static_cast<void>(::eventfd_write(client.event_fd, 1));
    }
  }
  void settle(std::size_t records, const std::optional<kafka::Error>& error) {
    for (; records > 0 && !in_flight_.empty(); --records) {
      connected_.at(in_flight_.front().client).due.emplace_back(in_flight_.front().token, error);
      if (!error) acknowledged_.push_back(std::move(in_flight_.front()));
      in_flight_.pop_front();
    }
  }

  std::mutex mutex_;
  bool acknowledge_ = true;
  std::size_t room_ = 1'000'000;
  Judge judge_;
  std::optional<kafka::Error> no_client_;
  std::vector<std::string> missing_topics_;
  int clients_ = 0;
  int broken_client_ = 0;
  std::map<int, Connected> connected_;  ///< by number
  std::vector<Record> taken_;
  std::vector<Record> acknowledged_;
  std::deque<Record> in_flight_;
};

}  // namespace runfold::test
