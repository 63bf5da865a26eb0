// What the client does with good, bad and silent servers.
#include "transport/http/client.hpp"

#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include <future>
#include <optional>
#include <set>
#include <thread>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using test::HttpServer;
using test::RawListener;
using test::RawSocket;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// Runs a coroutine to its end on an event loop of its own.
template <class Work>
void run(Work work) {
  asio::io_context context;
  std::exception_ptr thrown;
  auto body = [&]() -> asio::awaitable<void> { co_await work(context.get_executor()); };
  asio::co_spawn(context, body, [&](std::exception_ptr error) { thrown = error; });
  context.run();
  if (thrown) std::rethrow_exception(thrown);
}

/// A thread that plays the server's part.
class Played {
 public:
  template <class Part>
  explicit Played(Part part) : thread_(std::move(part)) {}
  ~Played() { thread_.join(); }

 private:
  std::thread thread_;
};

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

bool read_request(RawSocket& socket) {
  const std::size_t end = socket.until("\r\n\r\n");
  return end != std::string::npos && !socket.take(end).empty();
}

Router telling_router() {
  Router router;
  auto echo = [](const Request& request) -> asio::awaitable<Response> {
    std::string said = request.method + " " + request.target + "\n";
    for (const auto& [name, value] : request.fields.all()) said += name + ": " + value + "\n";
    co_return Response::text(said + "\n" + request.body);
  };
  router.add("*", "/{path...}", {"*"}, echo);
  return router;
}

TEST(Client, SendsMethodTargetFieldsAndBody) {
  HttpServer server(telling_router());
  ClientRequest request{"POST", server.url("/a%2Fb?q=1#part"), {}, "the body"};
  request.fields.add("X-One", "1");
  request.fields.add("x-one", "2");
  const Response response = send_blocking(request, 20s).value();
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.fields.get("content-type"), "text/plain; charset=utf-8");
  EXPECT_THAT(response.body, AllOf(testing::StartsWith("POST /a%2Fb?q=1\nHost: " + server.address() + "\nUser-Agent: runfold\n"),
                                   HasSubstr("X-One: 1\nx-one: 2\n"), HasSubstr("Content-Length: 8\n"), testing::EndsWith("\n\nthe body")));
  EXPECT_THAT(send_blocking({"GET", server.url("/")}, 20s).value().body, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(send_blocking({"PUT", server.url("/")}, 20s).value().body, HasSubstr("Content-Length: 0"));
  EXPECT_EQ(send_blocking({"HEAD", server.url("/")}, 20s).value().body, "");
}

TEST(Client, TurnsUserAndPasswordIntoBasicAuthorization) {
  HttpServer server(telling_router());
  EXPECT_THAT(send_blocking({"GET", "http://us%3Aer:pass@" + server.address() + "/"}, 20s).value().body,
              AllOf(HasSubstr("Authorization: Basic dXM6ZXI6cGFzcw=="), HasSubstr("Host: " + server.address() + "\n")));
  ClientRequest request{"GET", "http://user:pass@" + server.address() + "/"};
  request.fields.set("authorization", "Bearer x");
  EXPECT_THAT(send_blocking(request, 20s).value().body, AllOf(HasSubstr("authorization: Bearer x"), Not(HasSubstr("Basic"))));
}

TEST(Client, ReadsEveryFramingOfABody) {
  RawListener listener;
  const std::vector<std::pair<std::string, std::string>> responses{
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=1\r\nc\r\n0\r\nX: trailer\r\n\r\n", "abc"},
      {"HTTP/1.1 200 OK\r\n\r\nabc", "abc"},
      {"HTTP/1.0 200 OK\r\n\r\nabc", "abc"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", ""},
  };
  for (const auto& [bytes, body] : responses) {
    SCOPED_TRACE(bytes);
    Played server([&] {
      RawSocket socket = listener.accept();
      read_request(socket);
      for (const char byte : bytes) socket.send(std::string(1, byte));
    });
    const auto response = send_blocking({"GET", listener.url("/")}, 20s);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, body);
    EXPECT_EQ(response->fields.get("X"), std::nullopt) << "a trailer's field is not the response's own";
    EXPECT_EQ(response->fields.get("Link"), std::nullopt);
  }
}

TEST(Client, GivesEveryStatusAsAResponseAndFollowsNoRedirect) {
  RawListener listener;
  for (const char* status : {"302 Found", "404 Not Found", "500 Internal Server Error", "799 Strange"}) {
    Played server([&] {
      RawSocket socket = listener.accept();
      read_request(socket);
      socket.send("HTTP/1.1 " + std::string(status) + "\r\nLocation: " + listener.url("/elsewhere") + "\r\nContent-Length: 0\r\n\r\n");
    });
    EXPECT_EQ(send_blocking({"GET", listener.url("/")}, 20s).value().status, static_cast<unsigned>(std::stoi(status)));
  }
}

TEST(Client, SaysWhatBrokeAndWhere) {
  RawListener listener;
  const std::vector<std::string> broken{
      "",
      "HTTP/1.1 200",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'a'),
  };
  for (const std::string& bytes : broken) {
    SCOPED_TRACE(bytes.substr(0, 100));
    Played server([&] {
      RawSocket socket = listener.accept();
      read_request(socket);
      socket.send(bytes);
    });
    const auto response =
        send_blocking({"GET", "http://user:secret@127.0.0.1:" + std::to_string(listener.port()) + "/token?key=secret"}, 20s);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::kBroken);
    EXPECT_TRUE(response.error().retryable());
    EXPECT_THAT(response.error().message,
                AllOf(HasSubstr("127.0.0.1:" + std::to_string(listener.port())), Not(HasSubstr("secret")), Not(HasSubstr("token"))));
  }
}

TEST(Client, BoundsTheResponse) {
  RawListener listener;
  ClientOptions options;
  options.response_bytes = 10;
  const std::string frame = "HTTP/1.1 200 OK\r\n";
  for (const std::string& bytes : {frame + "Content-Length: 11\r\n\r\n", frame + "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n",
                                   frame + "\r\n12345678901"}) {
    Played server([&] {
      RawSocket socket = listener.accept();
      read_request(socket);
      socket.send(bytes);
      static_cast<void>(socket.rest());  // until the client closes
    });
    const auto response = send_blocking({"GET", listener.url("/")}, 20s, options);
    ASSERT_FALSE(response) << bytes;
    EXPECT_EQ(response.error().code, Errc::kTooLarge);
    EXPECT_FALSE(response.error().retryable());
    EXPECT_THAT(response.error().message, HasSubstr("10 bytes"));
  }
}

TEST(Client, SaysThatNobodyAnswersAtAnAddress) {
  RawListener listener;
  listener.close();
  const auto response = send_blocking({"GET", "http://user:secret@127.0.0.1:" + std::to_string(listener.port()) + "/"}, 20s);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kConnect);
  EXPECT_THAT(response.error().message, AllOf(HasSubstr("127.0.0.1:" + std::to_string(listener.port())), Not(HasSubstr("secret"))));
}

TEST(Client, SaysThatANameHasNoAddress) {
  // A label longer than 63 bytes has no address, and no name server is asked for it.
  const auto response = send_blocking({"GET", "http://" + std::string(70, 'x') + "/"}, 20s);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kResolve);
}

TEST(Client, TheDeadlineHoldsAgainstAServerThatAcceptsAndNeverAnswers) {
  RawListener listener;  // the kernel accepts
  const auto response = send_blocking({"GET", listener.url("/")}, 500ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTimedOut);
  EXPECT_THAT(response.error().message,
              AllOf(HasSubstr("127.0.0.1:" + std::to_string(listener.port())), HasSubstr("500 ms"), HasSubstr("waiting for the response")));
}

TEST(Client, TheDeadlineIsNotRenewedByEachByte) {
  RawListener listener;
  Played server([&] {
    RawSocket socket = listener.accept();
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\nX: ");
    while (!socket.is_readable(2) && socket.send("x")) {
    }
  });
  const auto response = send_blocking({"GET", listener.url("/")}, 500ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTimedOut);
  EXPECT_THAT(response.error().message, HasSubstr("receiving the response"));
}

TEST(Client, TheDeadlineHoldsWhileTheServerDoesNotReadTheBody) {
  RawListener listener;
  const auto response = send_blocking({"POST", listener.url("/"), {}, std::string(64 * 1024 * 1024, 'x')}, 500ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTimedOut);
  EXPECT_THAT(response.error().message, HasSubstr("sending the request"));
}

TEST(Client, ReadsARefusalThatComesWhileItStillSends) {
  ServerLimits limits;
  limits.body_bytes = 100;
  HttpServer server(telling_router(), limits);
  EXPECT_EQ(send_blocking({"POST", server.url("/"), {}, std::string(8 * 1024 * 1024, 'x')}, 20s).value().status, 413U);
}

TEST(Client, CanBeCancelled) {
  RawListener listener;
  asio::io_context context;
  const auto client = Client::create(context.get_executor());
  asio::cancellation_signal signal;
  std::exception_ptr thrown;
  auto work = [&]() -> asio::awaitable<void> {
    ClientRequest request{"GET", listener.url("/")};
    static_cast<void>(co_await client->send(request, 1h));
  };
  auto ended = [&](std::exception_ptr error) { thrown = error; };
  asio::co_spawn(context, work, asio::bind_cancellation_slot(signal.slot(), ended));
  context.poll();
  RawSocket accepted = listener.accept();
  while (!accepted.is_readable(0)) context.run_one();
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  ASSERT_TRUE(thrown);
  EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
  EXPECT_TRUE(read_request(accepted));
  EXPECT_TRUE(accepted.is_ended());
}

TEST(Client, ReusesAConnectionThatIsKeptAlive) {
  RawListener listener;
  Played server([&] {
    RawSocket socket = listener.accept();
    listener.close();  // there is no second one
    for (int i = 0; i < 3 && read_request(socket); ++i) socket.send(kOk);
  });
  run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
    const auto client = Client::create(executor);
    for (int i = 0; i < 3; ++i) {
      ClientRequest request{"GET", listener.url("/")};
      const auto response = co_await client->send(request, 20s);
      EXPECT_TRUE(response) << response.error().message;
    }
  });
}

TEST(Client, TakesARequestMadeInTheExpressionOfACoAwait) {
  HttpServer server(telling_router());
  run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
    const auto client = Client::create(executor);
    const auto response =
        co_await client->send({"GET", server.url("/a-path-too-long-for-the-small-string"), {}, std::string(100, 'x')}, 20s);
    EXPECT_TRUE(response);
  });
}

TEST(Client, DoesNotReuseAConnectionThatIsToBeClosed) {
  RawListener listener;
  for (const char* response :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"}) {
    SCOPED_TRACE(response);
    Played server([&] {
      for (int i = 0; i < 2; ++i) {
        RawSocket socket = listener.accept();
        EXPECT_TRUE(read_request(socket));
        socket.send(response);
        socket.shutdown_send();
        EXPECT_TRUE(socket.rest().empty());
      }
    });
    run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
      const auto client = Client::create(executor);
      for (int i = 0; i < 2; ++i) {
        ClientRequest request{"GET", listener.url("/")};
        const auto sent = co_await client->send(request, 20s);
        EXPECT_TRUE(sent) << sent.error().message;
      }
    });
  }
}

/// A server whose first connection serves one request and, when the second has come, says `last_words` and ends.
void play_dying_server(RawListener& listener, std::string_view last_words, int& requests_on_second) {
  {
    RawSocket first = listener.accept();
    EXPECT_TRUE(read_request(first));
    first.send(kOk);
    EXPECT_TRUE(read_request(first));
    first.send(last_words);
  }
  RawSocket second = listener.accept();
  while (read_request(second)) {
    ++requests_on_second;
    second.send(kOk);
  }
}

/// Sends twice, then opens a second connection for the server to see, whatever became of the second.
std::optional<Result<Response>> send_to_dying_server(const std::string& method, std::string_view last_words, int& requests_on_second) {
  RawListener listener;
  std::optional<Result<Response>> outcome;
  Played server([&] { play_dying_server(listener, last_words, requests_on_second); });
  run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
    const auto client = Client::create(executor);
    ClientRequest request{method, listener.url("/"), {}, method == "POST" ? "body" : ""};
    static_cast<void>(co_await client->send(request, 20s));
    outcome = co_await client->send(request, 20s);
  });
  const RawSocket unblock = RawSocket::connect(listener.port());
  return outcome;
}

TEST(Client, SendsAgainOnceWhenAKeptConnectionTurnsOutDead) {
  int requests = 0;
  const auto outcome = send_to_dying_server("GET", "", requests);
  ASSERT_TRUE(*outcome) << outcome->error().message;
  EXPECT_EQ(requests, 1);
}

TEST(Client, DoesNotSendAgainWhatIsNotIdempotent) {
  int requests = 0;
  const auto outcome = send_to_dying_server("POST", "", requests);
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, Errc::kBroken);
  EXPECT_EQ(requests, 0);
}

TEST(Client, DoesNotSendAgainWhenAByteCameBack) {
  int requests = 0;
  const auto outcome = send_to_dying_server("GET", "H", requests);
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(outcome->error().code, Errc::kBroken);
  EXPECT_EQ(requests, 0);
}

TEST(Client, DoesNotSendAgainOnAFreshConnection) {
  RawListener listener;
  int requests = 0;
  {
    Played server([&] {
      for (int i = 0; i < 2; ++i) {
        RawSocket socket = listener.accept();
        requests += read_request(socket) ? 1 : 0;
      }
    });
    EXPECT_EQ(send_blocking({"GET", listener.url("/")}, 20s).error().code, Errc::kBroken);
    RawSocket::connect(listener.port()).close();
  }
  EXPECT_EQ(requests, 1);
}

TEST(Client, SeesThatAKeptConnectionWasClosedBeforeItSendsAPost) {
  RawListener listener;
  std::promise<void> closed;
  Played server([&] {
    {
      RawSocket first = listener.accept();
      read_request(first);
      first.send(kOk);
    }
    closed.set_value();
    RawSocket second = listener.accept();
    read_request(second);
    second.send(kOk);
  });
  run([&](asio::any_io_executor executor) -> asio::awaitable<void> {
    const auto client = Client::create(executor);
    ClientRequest request{"POST", listener.url("/")};
    static_cast<void>(co_await client->send(request, 20s));
    closed.get_future().wait();
    const auto again = co_await client->send(request, 20s);
    EXPECT_TRUE(again) << again.error().message;
  });
}

TEST(Client, AsksTheGuardAboutEachAddressAndConnectsToNoOther) {
  HttpServer server(telling_router());
  const std::string port = std::to_string(server.port());
  std::vector<std::string> asked;
  ClientOptions options;
  options.allow_address = [&](const asio::ip::address& address) {
    asked.push_back(address.to_string());
    return !address.is_loopback();
  };
  const auto refused = send_blocking({"GET", "http://localhost:" + port + "/"}, 20s, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kForbidden);
  EXPECT_FALSE(refused.error().retryable());
  EXPECT_THAT(refused.error().message, HasSubstr("localhost:" + port));
  EXPECT_THAT(asked, testing::Contains("127.0.0.1"));
  EXPECT_EQ(std::set<std::string>(asked.begin(), asked.end()).size(), asked.size()) << "each once";

  asked.clear();
  EXPECT_EQ(send_blocking({"GET", "http://[::ffff:127.0.0.1]:" + port + "/"}, 20s, options).error().code, Errc::kForbidden);
  EXPECT_THAT(asked, testing::ElementsAre("127.0.0.1")) << "an IPv4 address in IPv6 clothes is asked about as what it is";

  options.allow_address = [](const asio::ip::address& address) { return address.is_v4(); };
  EXPECT_TRUE(send_blocking({"GET", "http://localhost:" + port + "/"}, 20s, options));
}

TEST(Client, SendsManyRequestsAtOnce) {
  HttpServer server(telling_router());
  asio::io_context context;
  const auto client = Client::create(context.get_executor());
  int right = 0;
  auto one = [&](int n) -> asio::awaitable<void> {
    for (int i = 0; i < 10; ++i) {
      const std::string body = std::to_string(n) + "/" + std::to_string(i);
      ClientRequest request{"PUT", server.url("/"), {}, body};
      const auto response = co_await client->send(request, 20s);
      right += response && response->body.ends_with("\n\n" + body) ? 1 : 0;
    }
  };
  for (int n = 0; n < 20; ++n) asio::co_spawn(context, one(n), asio::detached);
  context.run();
  EXPECT_EQ(right, 200);
}

TEST(Client, SendsNothingThatWouldEndALine) {
  RawListener listener;
  ClientRequest field{"GET", listener.url("/")};
  field.fields.set("X", "a\r\nEvil: 1");
  EXPECT_EQ(send_blocking(field, 20s).error().code, Errc::kInvalid);
  EXPECT_EQ(send_blocking({"GET / HTTP/1.1\r\n", listener.url("/")}, 20s).error().code, Errc::kInvalid);
  EXPECT_EQ(send_blocking({"GET", "ftp://h/"}, 20s).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace runfold::http
