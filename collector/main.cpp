// runfold-collector: reads the configuration, makes the parts in their order, runs them until told to stop.
#include "collector/main.hpp"
#include "collector/api/api.hpp"
#include "collector/config.hpp"
#include "collector/health.hpp"
#include "collector/health_routes.hpp"
#include "collector/metrics.hpp"
#include "collector/operator_log.hpp"
#include "collector/pipeline.hpp"
#include "collector/portal/portal.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "collector/store/url.hpp"
#include "collector/topics_at_start.hpp"
#include "sinks/kafka_topic.hpp"
#include "sinks/webhook.hpp"
#include "sinks/worker.hpp"
#include "transport/http/server.hpp"
#include "transport/kafka/client_end.hpp"
#include "transport/kafka/embedded_broker.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

namespace runfold::collector {

bool refuses(const Config& config) {
  for (const auto& problem : config.problems()) {
    operator_log(3, problem);
  }
  return !config.problems().empty();
}

static Keep keep(const KeepConfig& config) {
  Keep keep;
  if (config.age) keep.age_ns = std::chrono::nanoseconds(*config.age).count();
  keep.bytes = config.bytes;
  return keep;
}

PipelineOptions pipeline_options(const Config& config) {
  PipelineOptions options;
  options.kafka = config.kafka;
  options.topics = config.topics;
  options.group = config.group;
  options.commit_interval = config.commit.interval;
  options.commit_rows = config.commit.rows;
  options.commit_bytes = config.commit.bytes;
  options.liveness = config.liveness;
  options.runs_in_memory = config.limits.runs_in_memory;
  options.run_memory_bytes = config.limits.run_memory_bytes;
  options.retention = {keep(config.retention.runs), keep(config.retention.logs)};
  options.record_bytes = config.limits.record_bytes;
  options.continue_on_data_loss = config.continue_on_data_loss;
  return options;
}

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// How long requests under way may take to finish when the collector stops.
constexpr auto kHttpGrace = 2s;

constexpr std::string_view kProgram = "runfold-collector " RUNFOLD_VERSION;

// ---- The concrete stores and sinks. Nobody else names them. ----

/// What one sink is for, and how it is made. Kafka's properties are known late: an embedded broker picks its own port.
struct SinkMaker {
  Route route;
  std::function<sinks::OptionResult<std::unique_ptr<sinks::Sink>>(asio::any_io_executor, const kafka::Properties&)> make;
};

SinkMaker read_kafka_topic(const Config& config, SinkConfig& sink, Route route) {
  sinks::KafkaTopicOptions options{sink.name, {route.kinds.begin(), route.kinds.end()}, {}, config.topics};
  options.timeout = sink.options.duration("timeout", options.timeout, 1s, 5min);
  return {std::move(route), [options](asio::any_io_executor executor, const kafka::Properties& kafka) {
            auto whole = options;
            whole.kafka = kafka;
            return sinks::make_kafka_topic(std::move(executor), std::move(whole));
          }};
}

SinkMaker read_webhook(SinkConfig& sink, Route route) {
  sinks::WebhookOptions options{sink.name, {route.kinds.begin(), route.kinds.end()}};
  options.url = sink.options.secret("url").value_or("");
  options.timeout = sink.options.duration("timeout", options.timeout, 100ms, 5min);
  options.batch_timeout = sink.options.duration("batch_timeout", std::max(options.batch_timeout, options.timeout), 100ms, 1h);
  options.ca_file = sink.options.text("ca_file").value_or("");
  // Made once for nothing, to know now what is wrong with the options.
  asio::io_context scratch;
  if (const auto made = sinks::make_webhook(scratch.get_executor(), options); !made) {
    sink.options.problem(made.error().key, made.error().what);
  }
  return {std::move(route), [options](asio::any_io_executor executor, const kafka::Properties&) {
            return sinks::make_webhook(std::move(executor), options);
          }};
}

/// How the sinks are made; notes what is wrong with their options.
std::vector<SinkMaker> read_sinks(Config& config) {
  std::vector<SinkMaker> makers;
  for (SinkConfig& sink : config.sinks) {
    Route route{sink.name, {}};
    for (const auto& kind : sink.kinds) {
      route.kinds.push_back(kind == "run" ? sinks::Kind::kRun : sinks::Kind::kApiFailure);
    }
    if (sink.type == "kafka_topic") {
      makers.push_back(read_kafka_topic(config, sink, std::move(route)));
    } else if (sink.type == "webhook") {
      makers.push_back(read_webhook(sink, std::move(route)));
    } else {
      if (!sink.type.empty()) {
        sink.options.problem("type", "is \"" + sink.type + "\"; allowed is kafka_topic or webhook");
      }
      continue;  // Which keys it may have is anybody's guess.
    }
    sink.options.finish();
  }
  return makers;
}

/// Where the store is; notes what is wrong with its URL.
std::optional<StoreUrl> read_store(Config& config) {
  auto url = parse_store_url(config.store.value);
  if (!url) {
    config.notes->problems.push_back(config.store.origin + ": " + url.error().message);
    return std::nullopt;
  }
  return *url;
}

StoreResult<std::unique_ptr<Store>> open_store(const StoreUrl& url, const Setting& setting) {
  if (setting.origin == "the default") {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(url.location).parent_path(), error);
    if (error) {
      return StoreError{StoreErrc::kReadOnly, "cannot make the folder of " + url.location + ": " + error.message() + "; give --store"};
    }
  }
  return open_sqlite_store(url.location);
}

// ---- The collector from start to end. ----

int exit_code(const http::Error& error) {
  return error.code == http::Errc::kInvalid ? kBadConfiguration : kUnavailable;
}

/// Logs what failed at start; gives the exit code.
template <class Error>
int fail(const std::string& doing, const Error& error) {
  operator_log(3, doing + ": " + error.message);
  return exit_code(error);
}

/// What the exception says.
std::string what(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that says nothing";
  }
}

PipelineOptions pipeline_options(const Config& config, const std::vector<SinkMaker>& makers) {
  PipelineOptions options = pipeline_options(config);
  for (const auto& maker : makers) {
    options.routes.push_back(maker.route);
  }
  return options;
}

http::ServerLimits server_limits(const HttpConfig& config) {
  return {.header_bytes = config.header_bytes,
          .body_bytes = config.body_bytes,
          .connections = config.connections,
          .request_time = config.request_time,
          .response_time = config.response_time,
          .idle_time = config.idle_time};
}

/// The broker in this process, and the file that tells others where it is; both gone when this is.
struct EmbeddedKafka {
  std::unique_ptr<kafka::EmbeddedBroker> broker;
  ~EmbeddedKafka() {
    if (broker) {
      kafka::remove_embedded_address();
    }
  }
};

int run(const ConfigFlags& flags) {
  // config: all that is wrong is told before anything is touched.
  Config config = load_config(flags, process_environment());
  const auto makers = read_sinks(config);
  const auto store_url = read_store(config);
  if (refuses(config)) {
    return kBadConfiguration;
  }

  // Two event loops, a thread each: one for the pipeline, one (this thread's) for HTTP, sinks and signals.
  asio::io_context pipeline_loop(1);
  asio::io_context loop(1);
  asio::signal_set signals(loop, SIGTERM, SIGINT);
  Health health;

  // Kafka in this process, when asked for.
  const auto policies = kafka::topic_policies(config.topics, config.partitions, config.replication);
  EmbeddedKafka embedded;
  if (flags.embedded_broker) {
    auto started = kafka::EmbeddedBroker::start(policies);
    if (!started) {
      operator_log(3, "the embedded broker does not start: " + started.error().message);
      return kFailed;
    }
    embedded.broker = std::move(*started);
    if (const auto set = config.kafka.set("bootstrap.servers", embedded.broker->bootstrap_servers()); !set) {
      operator_log(3, set.error().message);
      return kFailed;
    }
    kafka::tune_for_embedded_broker(config.kafka);
  }

  // store
  auto store = open_store(*store_url, config.store);
  if (!store) return fail("the store (" + config.store.origin + ") does not open", store.error());
  auto writer = (*store)->writer();
  if (!writer) return fail("the store (" + config.store.origin + ") cannot be written", writer.error());
  auto reader = (*store)->run_reader();
  if (!reader) return fail("the store (" + config.store.origin + ") cannot be read", reader.error());
  if (embedded.broker) {
    // That cluster is new at each start: the offsets of the last one say nothing about it.
    if (const auto forgot = (*writer)->forget_offsets(); !forgot) return fail("the store's offsets cannot be forgotten", forgot.error());
  }

  // metrics
  Metrics metrics(config.metrics.max_connectors);
  {
    auto query = (*store)->query();
    if (!query) return fail("the store (" + config.store.origin + ") cannot be read", query.error());
    const auto running = (*query)->running_by_connector();
    if (!running) return fail("the running runs cannot be counted", running.error());
    metrics.set_running(*running);
    const std::vector<std::string> read{config.topics.events, config.topics.logs, config.topics.operations};
    std::vector<std::string> filled;
    for (const auto& maker : makers) filled.push_back(maker.route.sink);
    metrics.expect(read, filled);
  }

  // HTTP: listens before all else runs, so that /livez, /readyz and /metrics answer at once.
  std::mutex opening;
  const auto open_query = [&store, &opening] {
    const std::scoped_lock lock(opening);
    return (*store)->query();
  };
  auto queries = std::make_shared<QueryPool>(open_query, config.http.query_threads, config.http.waiting_queries);
  http::Router router;
  add_health_routes(router, health, [&metrics] { return metrics.text(); });
  add_api_routes(router, {queries, {}});
  add_portal_routes(router);
  const auto on_error = [](const std::string& what) { operator_log(3, "a request failed: " + what); };
  auto server = http::Server::listen(loop.get_executor(), config.listen.value, std::move(router), server_limits(config.http), on_error);
  if (!server) return fail("cannot serve HTTP (" + config.listen.origin + ")", server.error());
  const std::string url = "http://" + (*server)->address();
  if (embedded.broker) {
    const std::string servers = embedded.broker->bootstrap_servers();
    if (const auto written = kafka::write_embedded_address({servers, url, static_cast<int>(::getpid())}); !written) {
      operator_log(4, "the runfold command will not find this collector by itself: " + written.error().message);
    }
    operator_log(6, "embedded Kafka broker at " + servers + ", in memory and gone with this process");
  }

  // outbox workers
  std::vector<std::unique_ptr<sinks::OutboxWorker>> workers;
  for (const auto& maker : makers) {
    auto outbox = (*store)->outbox();
    if (!outbox) return fail("the outbox of sink " + maker.route.sink + " cannot be opened", outbox.error());
    auto sink = maker.make(loop.get_executor(), config.kafka);
    if (!sink) {
      operator_log(3, "sink " + maker.route.sink + ": " + sink.error().key + " " + sink.error().what);
      return kBadConfiguration;
    }
    workers.push_back(sinks::OutboxWorker::create(loop.get_executor(), std::move(*sink), std::move(*outbox), {}, metrics, operator_log));
  }

  // pipeline: runs once the topics have been looked for, so that it does not subscribe to what is about to be made.
  const auto outbox_grew = [&workers] {
    for (const auto& worker : workers) {
      worker->notify();
    }
  };
  auto options = pipeline_options(config, makers);
  // A static member: who starts again in time has its partitions back at once. The embedded broker knows none, and ends with us.
  if (const auto id = (*store)->instance_id(); id && !embedded.broker) options.kafka.set_default("group.instance.id", *id);
  const auto pipeline = Pipeline::create(pipeline_loop, std::move(options), std::move(*writer), std::move(*reader), metrics, health,
                                         operator_log, outbox_grew);
  int code = 0;
  const auto pipeline_ended = [&](const std::exception_ptr& thrown, bool well) {
    if (thrown) operator_log(2, "the pipeline broke off: " + what(thrown));
    // What is left stops once the pipeline has: it may still fill the outbox, and people may watch it stop.
    asio::post(loop, [&, failed = thrown != nullptr || !well] {
      if (failed) code = kFailed;
      for (const auto& worker : workers) {
        worker->stop();
      }
      (*server)->stop(kHttpGrace);
    });
  };
  auto pipeline_may_run = asio::make_work_guard(pipeline_loop);
  const auto start_pipeline = [&] {
    asio::co_spawn(pipeline_loop, pipeline->run(), pipeline_ended);
    pipeline_may_run.reset();
  };

  // topics: made in the background; a Kafka that is away keeps nobody waiting.
  std::unique_ptr<TopicsAtStart> topics;
  if (config.create_topics && !embedded.broker) {
    const auto create = [&](std::chrono::milliseconds limit) { return kafka::create_topics(config.kafka, policies, limit); };
    topics = std::make_unique<TopicsAtStart>(create, health, operator_log, start_pipeline, TopicsAtStart::Pace{});
  } else {
    start_pipeline();
  }

  // The first signal ends the run in order, the second at once.
  signals.async_wait([&](const boost::system::error_code& cancelled, int number) {
    if (cancelled) return;
    operator_log(6, std::string("stopping on ") + (number == SIGTERM ? "SIGTERM" : "SIGINT") + "; a second signal ends it at once");
    health.not_ready("collector", "it is stopping");
    signals.async_wait([](const boost::system::error_code& ended, int again) {
      if (!ended) ::_exit(128 + again);
    });
    pipeline->stop();
  });

  // Everything stands: run it. When the server and the last worker have ended, only the signals keep the loop.
  std::size_t running = workers.size() + 1;
  const auto ended = [&](const std::exception_ptr& thrown) {
    if (thrown) {
      operator_log(2, "a part of the collector broke off, so it stops: " + what(thrown));
      code = kFailed;
      pipeline->stop();
    }
    if (--running == 0) signals.cancel();
  };
  asio::co_spawn(loop, (*server)->run(), ended);
  for (const auto& worker : workers) {
    asio::co_spawn(loop, worker->run(), ended);
  }
  operator_log(6, std::string(kProgram) + " serves " + url + " (portal, /api/v1, /metrics)");
  std::thread pipeline_thread([&pipeline_loop] { pipeline_loop.run(); });
  loop.run();
  pipeline_thread.join();
  topics.reset();
  queries->stop();
  operator_log(code == 0 ? 6 : 3, code == 0 ? "stopped" : "stopped for the reason given above");
  return code;
}

/// Says what is wrong with the configuration, or what the collector would do with it.
int validate(const ConfigFlags& flags) {
  Config config = load_config(flags, process_environment());
  (void)read_sinks(config);
  (void)read_store(config);
  if (refuses(config)) {
    return kBadConfiguration;
  }
  std::cout << describe(config) << (flags.embedded_broker ? "kafka: in this process, in memory\n" : "");
  return 0;
}

/// Does what the command line asks for. Gives the exit code.
int run_command(int argc, char** argv) {
  try {
    const auto line = read_command_line(argc, argv);
    if (const int* code = std::get_if<int>(&line)) {
      return *code;
    }
    const auto& asked = std::get<CommandLine>(line);
    switch (asked.command) {
      case Command::kRun:
        return run(asked.flags);
      case Command::kValidate:
        return validate(asked.flags);
      case Command::kReplay:
        return run_replay(asked.flags, asked.replay);
      case Command::kVerify:
        return run_verify(asked.verify);
      case Command::kVersion:
        std::cout << kProgram << "\n";
        return 0;
    }
  } catch (const std::exception& error) {
    operator_log(2, std::string("the collector cannot go on: ") + error.what());
  }
  return 1;
}

}  // namespace
}  // namespace runfold::collector

int main(int argc, char** argv) {
  // A client that goes away is an error of its write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  // A file that reaches this process's limit is an error of that write, to be waited out like a full disk, and no reason to die.
  std::signal(SIGXFSZ, SIG_IGN);
  return runfold::kafka::leave(runfold::collector::run_command(argc, argv));
}
