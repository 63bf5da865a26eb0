// A client that abuses the intake of runfold exec, or of runfold agent, in every way, and what it must be answered.
#pragma once

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::test {

/// A Python program that finds the intake in its environment. Prints one JSON object: the answers by what was asked, and what was not a
/// problem document among the refusals.
inline constexpr const char* kIntakeAbuse = R"(
import http.client, json, os, resource, socket, sys, urllib.parse
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
url = urllib.parse.urlparse(os.environ["RUNFOLD_INTAKE_URL"])
own = os.environ["RUNFOLD_INTAKE_TOKEN"]
plain = []
def post(path, body, token=own, kind="application/json"):
    client = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    client.request("POST", path, body, {"Authorization": "Bearer " + token, "Content-Type": kind})
    answer = client.getresponse()
    text = answer.read()
    client.close()
    if answer.status >= 400 and (answer.getheader("Content-Type") != "application/problem+json" or not json.loads(text)["detail"]): plain.append(path)
    return answer.status
def status_of(connection):
    connection.settimeout(60)
    try: return int(connection.recv(100).split(b" ")[1])
    except (OSError, IndexError): return None  # it had to give way
good = json.dumps({"level": "info", "message": "in the crowd"})
begun = "POST /v1/job/log HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nAuthorization: Bearer " + own + "\r\n\r\n"
crowd = []
for i in range(3000):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((url.hostname, url.port))
    crowd.append(one)
for one in crowd[-100:]:  # slow: the rest of their requests does not come
    one.setblocking(True)
    try: one.sendall(begun.encode() + b"{")
    except OSError: pass  # it had to give way
answers = {"among thousands": [post("/v1/job/log", good)]}
bodies = {
    "unknown level": '{"level": "loud", "message": "bad"}', "no message": '{"level": "info"}', "message of another type": '{"level": "info", "message": 7}',
    "no JSON": "level=info bad", "cut": '{"level": "info", "mess', "no UTF-8": b'{"level": "info", "message": "bad \xc3\x28"}', "empty": "",
    "nested without end": "[" * 100000, "half of an array": '[{"level": "info", "message": "bad"}, {"level": "loud", "message": "bad"}]',
}
for name, body in bodies.items():
    answers[name] = [post("/v1/job/log", body), post("/v1/events", body)]
answers["no event"] = [post("/v1/events", b"\xff" * 1000, kind="application/protobuf")]
answers["wrong token"] = [post("/v1/job/log", good, token) for token in ("", "x", own[:-1], own + "0", "0" * 64)]
large = json.dumps({"level": "info", "message": "bad" * 3500000})
answers["ten megabytes"] = [post(path, large) for path in ("/v1/job/log", "/v1/events") * 2]
answers["too slow"] = [status for status in map(status_of, crowd[-100:]) if status]
for one in crowd: one.close()
greedy = []
for i in range(250):  # each holds what may be held of one body, and does not go on
    one = socket.create_connection((url.hostname, url.port))
    greedy.append(one)
    try: one.sendall(begun.encode() + b" " * 900000)
    except OSError: pass  # refused
answers["among greedy ones"] = [post("/v1/job/log", json.dumps({"level": "info", "message": "small"}))]
for one in greedy: one.close()
answers["after all that"] = [post("/v1/job/log", json.dumps({"level": "error", "message": "still here"})), post("/v1/events", '{"step_started": {"step_id": "s"}}')]
print(json.dumps({"answers": answers, "plain": plain}))
sys.exit(9)
)";

/// The messages that it sends as they should be, in their order.
inline const std::vector<std::string> kGoodAmongTheBad{"in the crowd", "small", "still here"};

/// `printed` by it: what is right is taken whatever else goes on, all else is refused as what it is, by a problem document.
inline void expect_each_answered_as_it_deserves(const std::string& printed) {
  const auto told = boost::json::parse(printed).as_object();
  EXPECT_TRUE(told.at("plain").as_array().empty()) << told.at("plain");
  const auto& answers = told.at("answers").as_object();
  EXPECT_EQ(answers.size(), 16U);
  const std::set<std::string_view> taken{"among thousands", "among greedy ones", "after all that"};
  const std::map<std::string_view, int> refused{{"wrong token", 401}, {"too slow", 408}, {"ten megabytes", 413}};
  for (const auto& [what, statuses] : answers) {
    const int expected = taken.contains(what) ? 202 : refused.contains(what) ? refused.at(what) : 400;
    EXPECT_FALSE(statuses.as_array().empty()) << what;
    for (const auto& status : statuses.as_array()) EXPECT_EQ(status.as_int64(), expected) << what;
  }
}

}  // namespace runfold::test
