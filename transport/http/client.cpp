// Sends requests within one deadline each, over connections kept for the next.
#include "transport/http/client.hpp"

#include "transport/http/deadline.hpp"
#include "transport/http/dial.hpp"
#include "transport/http/exchange.hpp"
#include "transport/http/link.hpp"
#include "transport/http/syntax.hpp"
#include "transport/http/tls.hpp"
#include "transport/http/url.hpp"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kIdlePerHost = 8;
constexpr std::size_t kIdleHosts = 64;
constexpr std::chrono::seconds kIdleTime{30};

class ClientImpl final : public Client {
 public:
  ClientImpl(asio::any_io_executor executor, ClientOptions options) : executor_(std::move(executor)), options_(std::move(options)) {}

  asio::awaitable<Result<Response>> send(ClientRequest request, milliseconds limit) override {
    const auto url = parse_url(request.url);
    if (!url) co_return url.error();
    const auto head = request_head(request, *url, options_);
    if (!head) co_return head.error();
    asio::ssl::context* tls = nullptr;
    if (url->tls) {
      const auto context = tls_context();
      if (!context) co_return context.error();
      tls = *context;
    }

    Attempt attempt;
    attempt.until = steady_clock::now() + limit;
    Deadline deadline(executor_, [&attempt] { attempt.abort(); });
    deadline.set(limit);
    auto exchanged = co_await attempt_send(request, *head, *url, tls, attempt);
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
    if (!exchanged && attempt.aborted) {
      co_return Error{Errc::kTimedOut, url->host_port() + " gave no whole response within " + std::to_string(limit.count()) +
                                           " ms (it passed while " + attempt.doing + ")."};
    }
    if (!exchanged) co_return exchanged.error();
    if (exchanged->reusable) put_aside(key(*url), std::move(attempt.link));
    co_return std::move(exchanged->response);
  }

  [[nodiscard]] bool is_looking_up() const noexcept { return *lookups_ > 0; }

 private:
  asio::awaitable<Result<Exchanged>> attempt_send(const ClientRequest& request, const std::string& head, const Url& url,
                                                  asio::ssl::context* tls, Attempt& attempt) {
    attempt.link = take_idle(key(url));
    if (attempt.link) {
      auto exchanged = co_await exchange(request, head, url, options_, attempt);
      const bool found_dead = !exchanged && exchanged.error().code == Errc::kBroken && !attempt.response_begun && !attempt.aborted;
      if (!found_dead || !is_idempotent(request.method)) co_return exchanged;
    }
    const auto dialled = co_await dial(executor_, url, options_, tls, lookups_, attempt);
    if (!dialled) co_return dialled.error();
    co_return co_await exchange(request, head, url, options_, attempt);
  }

  static std::string key(const Url& url) { return (url.tls ? "https://" : "http://") + url.host_port(); }

  std::unique_ptr<Link> take_idle(const std::string& host) {
    const auto found = idle_.find(host);
    if (found == idle_.end()) return nullptr;
    std::unique_ptr<Link> link;
    auto& links = found->second;
    while (!link && !links.empty()) {
      link = std::move(links.back());  // the youngest is the likeliest to live
      links.pop_back();
      if (steady_clock::now() - link->idle_since > kIdleTime || !link->is_quiet()) link.reset();
    }
    if (links.empty()) idle_.erase(found);
    return link;
  }

  void put_aside(const std::string& host, std::unique_ptr<Link> link) {
    const auto now = steady_clock::now();
    for (auto& [name, links] : idle_) {
      while (!links.empty() && now - links.front()->idle_since > kIdleTime) links.pop_front();
    }
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
    if (!idle_.contains(host) && idle_.size() >= kIdleHosts) return;
    auto& links = idle_[host];
    if (links.size() >= kIdlePerHost) links.pop_front();
    link->idle_since = now;
    links.push_back(std::move(link));
  }

  Result<asio::ssl::context*> tls_context() {
    if (!tls_) {
      auto made = client_tls(options_.ca_file);
      if (!made) return made.error();
      tls_ = std::move(*made);
    }
    return tls_.get();
  }

  asio::any_io_executor executor_;
  ClientOptions options_;
  std::shared_ptr<asio::ssl::context> tls_;
  std::map<std::string, std::deque<std::unique_ptr<Link>>> idle_;
  std::shared_ptr<int> lookups_ = std::make_shared<int>(0);
};

/// An event loop and its client, for one request.
struct Once {
  explicit Once(ClientOptions options) : client(context.get_executor(), std::move(options)) {}
  asio::io_context context{1};
  ClientImpl client;
};

}  // namespace

std::unique_ptr<Client> Client::create(asio::any_io_executor executor, ClientOptions options) {
  return std::make_unique<ClientImpl>(std::move(executor), std::move(options));
}

Result<Response> send_blocking(ClientRequest request, milliseconds limit, ClientOptions options) {
  auto once = std::make_unique<Once>(std::move(options));
  std::optional<Result<Response>> outcome;
  std::exception_ptr thrown;
  auto work = [&]() -> asio::awaitable<void> { outcome = co_await once->client.send(std::move(request), limit); };
  auto ended = [&](std::exception_ptr error) {
    thrown = error;
    once->context.stop();
  };
  asio::co_spawn(once->context, work, ended);
  once->context.run();
  if (once->client.is_looking_up()) {
    // Ending the event loop would wait for a look-up that ignores the deadline. It is kept until the process ends.
    static std::mutex mutex;
    static auto* const abandoned = new std::vector<std::unique_ptr<Once>>;
    const std::scoped_lock lock(mutex);
    abandoned->push_back(std::move(once));
  }
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*outcome);
}

}  // namespace runfold::http
