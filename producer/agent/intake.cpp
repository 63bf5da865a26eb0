// Serves the loopback intake of one run.
#include "producer/agent/intake.hpp"

#include "producer/agent/authorization.hpp"
#include "producer/agent/descriptor.hpp"
#include "producer/sdk/random_id.hpp"

#include <sys/random.h>

#include <cerrno>
#include <utility>

namespace runfold::agent {

Result<std::string> random_token() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return system_error("cannot get random bytes", errno);
  return hex(bytes);
}

Intake::Intake(RunSink sink, IntakeOptions options) : options_(std::move(options)) {
  const auto keep = [this](v1::SyncEvent event) {
    declared_end_ = std::move(*event.mutable_completed());
    return true;
  };
  run_ = std::make_shared<IntakeRun>(options_.run_id, std::move(sink), keep);
}

Result<std::unique_ptr<Intake>> Intake::listen(boost::asio::any_io_executor executor, RunSink sink, IntakeOptions options) {
  if (options.token.empty()) {
    auto token = random_token();
    if (!token) return token.error();
    options.token = std::move(*token);
  }
  http::ServerLimits limits;
  limits.body_bytes = options.body_bytes;
  std::unique_ptr<Intake> intake(new Intake(std::move(sink), std::move(options)));
  http::Router router;
  add_intake_routes(router, [at = intake.get()](const http::Request& request) { return at->find(request); });
  auto server = http::Server::listen(std::move(executor), "127.0.0.1:0", std::move(router), limits);
  if (!server) return Error{Errc::kSystem, "cannot open the intake: " + server.error().message};
  intake->server_ = std::move(*server);
  return intake;
}

std::string Intake::url() const {
  return "http://" + server_->address();
}

FoundRun Intake::find(const http::Request& request) const {
  if (same_token(bearer_token(request), options_.token)) return run_;
  return not_authorised("the token in RUNFOLD_INTAKE_TOKEN");
}

}  // namespace runfold::agent
