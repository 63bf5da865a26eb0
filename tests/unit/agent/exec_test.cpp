// runfold exec from fork to the last acknowledgement, with Kafka in memory, refusing, and silent.
#include "producer/agent/exec.hpp"

#include "producer/agent/descriptor.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/support/fake_kafka_client.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace runfold::agent {
namespace {

using runfold::test::FakeKafka;
using runfold::test::TemporaryFolder;
using runfold::test::UnansweredAddress;
using runfold::test::wait_until;

class ExecTest : public ::testing::Test {
 protected:
  ExecTest() : out_(open("out")), err_(open("err")) {
    options_.settings.connector_id = "invoices";
    options_.settings.version = "1.2";
    options_.run.run_id = "run-1";
    options_.run.attempt = 2;
    options_.stdout_fd = out_.get();
    options_.stderr_fd = err_.get();
    EXPECT_TRUE(options_.settings.kafka.set("bootstrap.servers", "in-memory:9092").has_value());
    options_.make_client = kafka_.factory();
  }

  Descriptor open(const char* name) {
    return Descriptor(::open((folder_.path() / name).c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  }
  int run_shell(const std::string& script) { return run({"/bin/sh", "-c", script}); }
  int run(std::vector<std::string> command) {
    options_.command = std::move(command);
    const auto code = exec(options_);
    EXPECT_TRUE(code.has_value()) << (code ? "" : code.error().message);
    return code ? *code : -1;
  }
  std::string file(const char* name) const {
    std::ifstream in(folder_.path() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<v1::SyncEvent> events() {
    std::vector<v1::SyncEvent> all;
    for (const auto& record : kafka_.taken()) {
      if (record.topic != "runfold.events") continue;
      EXPECT_TRUE(all.emplace_back().ParseFromString(record.value));
    }
    return all;
  }
  std::vector<v1::LogRecord> logs(v1::LogStream stream) {
    std::vector<v1::LogRecord> all;
    for (const auto& record : kafka_.taken()) {
      if (record.topic != "runfold.logs") continue;
      v1::LogBatch batch;
      EXPECT_TRUE(batch.ParseFromString(record.value));
      std::copy_if(batch.records().begin(), batch.records().end(), std::back_inserter(all),
                   [&](const v1::LogRecord& one) { return one.stream() == stream; });
    }
    return all;
  }
  /// The run's one Completed, its last event.
  v1::Completed completed() {
    const auto all = events();
    const auto ends = std::count_if(all.begin(), all.end(), [](const v1::SyncEvent& event) { return event.has_completed(); });
    EXPECT_EQ(ends, 1);
    EXPECT_TRUE(!all.empty() && all.back().has_completed());
    return all.empty() ? v1::Completed() : all.back().completed();
  }

  TemporaryFolder folder_;
  FakeKafka kafka_;
  Descriptor out_;
  Descriptor err_;
  ExecOptions options_;
};

TEST_F(ExecTest, TellsARunFromStartToSuccess) {
  EXPECT_EQ(run_shell("echo hello"), 0);
  const auto all = events();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].started().has_os_pid());
  EXPECT_EQ(all[0].identity().run_id(), "run-1");
  EXPECT_EQ(all[0].identity().connector_id(), "invoices");
  EXPECT_EQ(all[0].identity().attempt(), 2U);
  const auto end = completed();
  EXPECT_EQ(end.result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(end.exit_code(), 0);
  EXPECT_FALSE(end.has_signal());
  EXPECT_EQ(end.totals_size(), 2);
  const auto lines = logs(v1::LOG_STREAM_STDOUT);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines.front().message(), "hello");
}

TEST_F(ExecTest, PassesTheExitCodeThrough) {
  EXPECT_EQ(run_shell("exit 3"), 3);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(completed().exit_code(), 3);
}

TEST_F(ExecTest, TellsTheSignalThatKilledTheCommand) {
  EXPECT_EQ(run_shell("kill -KILL $$"), 128 + SIGKILL);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(completed().signal(), SIGKILL);
  EXPECT_FALSE(completed().has_exit_code());
}

TEST_F(ExecTest, ACommandThatIsNotThereIsARunThatSaysSo) {
  EXPECT_EQ(run({"no-such-command-anywhere"}), 127);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(completed().exit_code(), 127);
  EXPECT_NE(completed().error().find("no-such-command-anywhere"), std::string::npos);
}

TEST_F(ExecTest, ACommandThatCannotBeRunIsARunThatSaysSo) {
  EXPECT_EQ(run({"/etc/passwd"}), 126);
  EXPECT_EQ(completed().exit_code(), 126);
}

TEST_F(ExecTest, KeepsStdoutByteForByte) {
  EXPECT_EQ(run_shell(R"(printf 'a\000b\377\nno newline')"), 0);
  EXPECT_EQ(file("out"), std::string("a\0b\xff\nno newline", 15));
  EXPECT_TRUE(logs(v1::LOG_STREAM_STDOUT).back().partial());
}

TEST_F(ExecTest, KeepsTenMegabytesOfStdout) {
  EXPECT_EQ(run_shell("i=0; while [ $i -lt 160 ]; do head -c 65536 /dev/zero | tr '\\0' 'x'; echo; i=$((i+1)); done"), 0);
  std::string expected;
  for (int i = 0; i < 160; ++i) expected += std::string(65536, 'x') + "\n";
  EXPECT_TRUE(file("out") == expected);
}

TEST_F(ExecTest, RecordsStderrWithItsLevels) {
  EXPECT_EQ(run_shell("echo '2026-05-16 14:32:11 UTC [ERROR] ERP returned 500' >&2; echo plain >&2"), 0);
  EXPECT_EQ(file("err"), "2026-05-16 14:32:11 UTC [ERROR] ERP returned 500\nplain\n");
  const auto lines = logs(v1::LOG_STREAM_STDERR);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(lines[0].message(), "ERP returned 500");
  EXPECT_EQ(lines[0].logged_at().seconds(), 1778941931);
  EXPECT_EQ(lines[1].severity(), v1::SEVERITY_INFO);
}

TEST_F(ExecTest, LeavesAStreamAloneThatIsNotToBeRecorded) {
  options_.record_stdout = false;
  EXPECT_EQ(run_shell("echo recorded >&2; [ /proc/self/fd/1 -ef " + (folder_.path() / "out").string() + " ]"), 0);
  EXPECT_TRUE(logs(v1::LOG_STREAM_STDOUT).empty());
  EXPECT_EQ(logs(v1::LOG_STREAM_STDERR).size(), 1U);
}

TEST_F(ExecTest, DoesNotWaitForAGrandchildThatKeepsTheOutput) {
  options_.output_grace = std::chrono::milliseconds(50);
  const std::string pid_file = (folder_.path() / "pid").string();
  EXPECT_EQ(run_shell("sleep 1000 & echo $! > " + pid_file + "; echo done; exit 7"), 7);
  EXPECT_EQ(file("out"), "done\n");
  const int pid = std::stoi(file("pid"));
  EXPECT_EQ(::kill(pid, 0), 0) << "the grandchild is not ours to end";
  ::kill(pid, SIGKILL);
}

TEST_F(ExecTest, GivesTheCommandItsEnvironment) {
  EXPECT_EQ(run_shell("echo $RUNFOLD_RUN_ID,$RUNFOLD_ATTEMPT,$RUNFOLD_CONNECTOR,$RUNFOLD_VERSION; echo $TRACEPARENT; "
                      "echo ${RUNFOLD_INTAKE_URL%:*},${#RUNFOLD_INTAKE_TOKEN}"),
            0);
  const std::string out = file("out");
  EXPECT_TRUE(out.starts_with("run-1,2,invoices,1.2\n00-")) << out;
  EXPECT_TRUE(out.ends_with("\nhttp://127.0.0.1,64\n")) << out;
  EXPECT_NE(out.find(events().front().trace().traceparent()), std::string::npos) << "the command's parent is the run's own span";
}

constexpr const char* kPost = R"(post() {
  printf 'POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
    "$1" "$RUNFOLD_INTAKE_TOKEN" "${#2}" "$2" >&3; cat <&3 | head -n 1; }
exec 3<>/dev/tcp/127.0.0.1/${RUNFOLD_INTAKE_URL##*:}
)";

TEST_F(ExecTest, IsFoundByACommandThatGoesThroughAnHttpProxy) {
  const std::string show = R"(echo "$no_proxy|$NO_PROXY")";
  ::unsetenv("no_proxy");
  ::unsetenv("NO_PROXY");
  EXPECT_EQ(run_shell(show), 0);
  ::setenv("no_proxy", "internal.example,10.0.0.0/8", 1);
  ::setenv("NO_PROXY", "*", 1);
  EXPECT_EQ(run_shell(show), 0);
  ::unsetenv("no_proxy");
  ::unsetenv("NO_PROXY");
  EXPECT_EQ(file("out"), "127.0.0.1|127.0.0.1\ninternal.example,10.0.0.0/8,127.0.0.1|*\n");
}

TEST_F(ExecTest, RecordsNoPasswordOfKafkasNorOfTheContainerApis) {
  EXPECT_TRUE(options_.settings.kafka.set("sasl.password", "kafkas-own-password").has_value());
  options_.container_api = "http://user:the-apis-password@127.0.0.1:1";
  EXPECT_EQ(run_shell("echo kafkas-own-password; echo login with the-apis-password >&2"), 0);
  ASSERT_EQ(logs(v1::LOG_STREAM_STDOUT).size(), 1U);
  EXPECT_EQ(logs(v1::LOG_STREAM_STDOUT)[0].message(), "[redacted]");
  ASSERT_EQ(logs(v1::LOG_STREAM_STDERR).size(), 1U);
  EXPECT_EQ(logs(v1::LOG_STREAM_STDERR)[0].message(), "login with [redacted]");
}

TEST_F(ExecTest, TakesEventsAndMergesTheDeclaredEnd) {
  const std::string script = std::string(kPost) +
                             R"(post /v1/events '[{"stepStarted":{"stepId":"read"}},{"stepCompleted":{"stepId":"read","entities":3}},
                                                  {"completed":{"result":"RUN_RESULT_FAILURE","error":"no invoices"}}]')";
  EXPECT_EQ(run({"/bin/bash", "-c", script}), 0);
  EXPECT_TRUE(file("out").starts_with("HTTP/1.1 202")) << file("out");
  const auto all = events();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[2].step_completed().entities(), 3U);
  EXPECT_EQ(all[2].identity().run_id(), "run-1");
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(completed().exit_code(), 0);
  EXPECT_EQ(completed().error(), "no invoices");
}

TEST_F(ExecTest, RecordsFailingCallsOfTheContainerApi) {
  http::Router router;
  router.add("*", "/{path...}", {"*"}, [](const http::Request&) -> boost::asio::awaitable<http::Response> {
    co_return http::Problem{404, "No such file", "There is no file 42.", {}}.to_response();
  });
  runfold::test::HttpServer api(std::move(router));
  options_.container_api = api.url("");
  const std::string script = R"(exec 3<>/dev/tcp/127.0.0.1/${CONTAINER_API_URL##*:}
    printf 'GET /files/42 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3; cat <&3 | head -n 1)";
  EXPECT_EQ(run({"/bin/bash", "-c", script}), 0);
  EXPECT_TRUE(file("out").starts_with("HTTP/1.1 404")) << file("out");
  const auto calls = logs(v1::LOG_STREAM_CONTAINER_API);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls.front().message(), "GET /files/42 answered 404");
}

TEST_F(ExecTest, RefusesAContainerApiThatIsNoUrlBeforeTheCommandRuns) {
  options_.container_api = "not a url";
  options_.command = {"/bin/sh", "-c", "echo ran"};
  const auto code = exec(options_);
  ASSERT_FALSE(code.has_value());
  EXPECT_EQ(code.error().code, Errc::kInvalid);
  EXPECT_EQ(file("out"), "");
  EXPECT_TRUE(events().empty());
}

TEST_F(ExecTest, EndsACommandThatOutstaysItsTime) {
  options_.timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(run_shell("exec sleep 1000"), 128 + SIGTERM);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_TIMEOUT);
  EXPECT_EQ(completed().signal(), SIGTERM);
}

TEST_F(ExecTest, KillsACommandThatIgnoresBeingTerminated) {
  options_.timeout = std::chrono::milliseconds(100);
  options_.kill_grace = std::chrono::milliseconds(100);
  EXPECT_EQ(run_shell("trap '' TERM; while :; do sleep 0.05; done"), 128 + SIGKILL);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_TIMEOUT);
}

TEST_F(ExecTest, EndsWhatTheCommandStartedWhenTheTimeIsUp) {
  options_.timeout = std::chrono::milliseconds(1000);
  options_.kill_grace = std::chrono::milliseconds(100);
  const std::string pid_file = (folder_.path() / "pid").string();
  EXPECT_EQ(run_shell("sh -c 'trap \"\" TERM; echo $$ > " + pid_file + "; while :; do sleep 0.05; done' & wait"), 128 + SIGTERM);
  EXPECT_EQ(completed().result(), v1::RUN_RESULT_TIMEOUT);
  EXPECT_NE(::kill(std::stoi(file("pid")), 0), 0) << "it ignored SIGTERM, and nobody may be left behind";
}

TEST_F(ExecTest, LeavesWhatTheCommandStartedItsGraceThoughTheCommandIsGone) {
  options_.timeout = std::chrono::milliseconds(1000);
  options_.kill_grace = std::chrono::minutes(1);
  const std::string cleaned = (folder_.path() / "cleaned").string();
  EXPECT_EQ(run_shell("sh -c 'trap \"sleep 0.2; echo yes > " + cleaned + "; exit\" TERM; while :; do sleep 0.02; done' & wait"),
            128 + SIGTERM);
  EXPECT_EQ(file("cleaned"), "yes\n");
}

TEST_F(ExecTest, EndsItsProcessOnceAllIsSettledIfItMay) {
  constexpr int kCameBack = 99;
  const auto code_of_process = [&] {
    const pid_t process = ::fork();
    if (process == 0) {
      run_shell("exit 3");
      ::_exit(kCameBack);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(code_of_process(), kCameBack);
  options_.ends_process = true;
  const int code = code_of_process();
  EXPECT_NE(code, kCameBack);
  EXPECT_TRUE(code == 3 || runfold::test::kSanitized) << code;  // a sanitizer may have its own idea of such an end

  // What is not settled is given up first, and said.
  kafka_.acknowledge_by_itself(false);
  options_.first_flush_timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(code_of_process(), kCameBack);
  kafka_.acknowledge_by_itself(true);
  options_.settings.spool_folder = (folder_.path() / "spool").string();
  EXPECT_EQ(code_of_process(), kCameBack) << "what the spool has is removed";
}

/// Waits in the command until an orphan of its own is not only dead, but reaped.
std::string orphan_script(const std::string& pid_file) {
  return "sh -c 'sleep 0.1 & echo $! > " + pid_file + "'; n=0; while kill -0 $(cat " + pid_file +
         ") 2>/dev/null; do n=$((n+1)); [ $n -gt 1000 ] && exit 1; sleep 0.02; done; exit 0";
}

TEST_F(ExecTest, ReapsOrphansThatBecameItsOwn) {
  options_.timeout = std::chrono::hours(1);
  EXPECT_EQ(run_shell(orphan_script((folder_.path() / "pid").string())), 0);
}

TEST_F(ExecTest, ReapsOrphansAsTheFirstProcessOfAContainer) {
  const pid_t helper = ::fork();
  if (helper == 0) {
    if (::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) ::_exit(77);
    const pid_t first = ::fork();
    if (first == 0) {
      options_.settings.kafka = {};
      options_.make_client = {};
      options_.command = {"/bin/sh", "-c", orphan_script((folder_.path() / "pid").string())};
      const auto code = ::getpid() == 1 ? exec(options_) : Result<int>(98);
      ::_exit(code ? *code : 99);
    }
    int status = 0;
    ::waitpid(first, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 97);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(helper, &status, 0), helper);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this user may not make a namespace of process ids";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// A cgroup of 512 MiB for whoever joins it; gone with this object.
class SmallCgroup {
 public:
  SmallCgroup() {
    const auto name = "runfold-test-" + std::to_string(::getpid());
    for (const std::filesystem::path mount : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      std::error_code refused;
      if (!std::filesystem::create_directory(mount / name, refused) || refused) continue;
      folder_ = mount / name;
      if (write("memory.limit_in_bytes", "536870912")) {
        write("memory.memsw.limit_in_bytes", "536870912");
        return;
      }
      if (write("memory.max", "536870912")) {
        write("memory.swap.max", "0");
        return;
      }
      ::rmdir(folder_.c_str());
      folder_.clear();
    }
  }
  ~SmallCgroup() {
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }
  SmallCgroup(const SmallCgroup&) = delete;
  SmallCgroup& operator=(const SmallCgroup&) = delete;

  [[nodiscard]] bool is_there() const { return !folder_.empty(); }
  [[nodiscard]] bool join() const { return write("cgroup.procs", std::to_string(::getpid())); }

 private:
  bool write(const char* file, const std::string& text) const {
    const Descriptor at(::open((folder_ / file).c_str(), O_WRONLY | O_CLOEXEC));
    return at && ::write(at.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  std::filesystem::path folder_;
};

TEST_F(ExecTest, SaysThatTheKernelKilledTheCommandForWantOfMemory) {
  const SmallCgroup cgroup;
  if (!cgroup.is_there()) GTEST_SKIP() << "this user may not make a cgroup with a memory limit";
  const pid_t helper = ::fork();
  if (helper == 0) {
    if (!cgroup.join()) ::_exit(98);
    // The command, and not whoever else is in the cgroup, is what the kernel is to take. tail keeps a line until it ends.
    const int code = run_shell("echo 1000 >/proc/self/oom_score_adj; exec tail /dev/zero");
    std::ofstream(folder_.path() / "error") << completed().error();
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(helper, &status, 0), helper);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGKILL);
  EXPECT_EQ(file("error"), "killed by signal 9 (SIGKILL): its cgroup reached its memory limit of 512 MiB");
}

TEST_F(ExecTest, TellsHowLongTheCommandRanAndNotHowLongItsOutputTook) {
  options_.output_grace = std::chrono::milliseconds(1500);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(run_shell("sleep 1000 & echo $! > " + (folder_.path() / "pid").string()), 0);
  const auto took = std::chrono::steady_clock::now() - began;
  ::kill(std::stoi(file("pid")), SIGKILL);
  const auto duration = std::chrono::seconds(completed().duration().seconds()) + std::chrono::nanoseconds(completed().duration().nanos());
  EXPECT_LE(duration + options_.output_grace, took);
}

TEST_F(ExecTest, RecordsTheLastWordsOfACrashAsOneError) {
  EXPECT_EQ(run_shell("printf 'Traceback (most recent call last):\\n  File \"a.py\", line 1\\nValueError: bad\\n' >&2; exit 1"), 1);
  const auto lines = logs(v1::LOG_STREAM_STDERR);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(lines[0].message(), "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: bad");
}

TEST_F(ExecTest, PassesSignalsOn) {
  std::thread sender([this] {
    // The kernel gives a process's signal to any thread that does not block it.
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    EXPECT_TRUE(wait_until([this] { return file("out") == "ready\n"; }));
    ::kill(::getpid(), SIGUSR1);
    EXPECT_TRUE(wait_until([this] { return file("out") == "ready\nusr1\n"; }));
    ::kill(::getpid(), SIGTERM);
  });
  EXPECT_EQ(run_shell("trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.02; done"), 9);
  sender.join();
  EXPECT_EQ(file("out"), "ready\nusr1\nterm\n");
  EXPECT_EQ(completed().exit_code(), 9);
}

TEST_F(ExecTest, RunsTheCommandWithNoKafkaConfigured) {
  options_.settings.kafka = {};
  options_.make_client = {};
  EXPECT_EQ(run_shell("echo out; exit 4"), 4);
  EXPECT_EQ(file("out"), "out\n");
}

TEST_F(ExecTest, LeavesTheOutputAloneWhenThereIsNowhereToRecordIt) {
  options_.settings.kafka = {};
  options_.make_client = {};
  const std::string folder = folder_.path().string();
  EXPECT_EQ(run_shell("[ /proc/self/fd/1 -ef " + folder + "/out ] && [ /proc/self/fd/2 -ef " + folder + "/err ]"), 0);
}

TEST_F(ExecTest, RefusesSettingsThatCanNeverWorkBeforeTheCommandRuns) {
  options_.make_client = {};
  options_.settings.connector_id = std::string(300, 'c');
  options_.command = {"/bin/sh", "-c", "echo ran"};
  const auto code = exec(options_);
  ASSERT_FALSE(code.has_value());
  EXPECT_EQ(code.error().code, Errc::kInvalid);
  EXPECT_EQ(file("out"), "");
}

TEST_F(ExecTest, WithASpoolItKeepsWhatARefusingKafkaDoesNotTakeAndTheNextOneSendsIt) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  options_.settings.spool_folder = (folder_.path() / "spool").string();
  options_.make_client = {};
  // It would take an hour if it waited.
  options_.flush_timeout = options_.first_flush_timeout = options_.unreachable_flush_timeout = std::chrono::hours(1);
  ASSERT_TRUE(options_.settings.kafka.set("bootstrap.servers", nobody.text()).has_value());
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_shell("echo first; exit 5"), 5);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("3 of 3 records of run run-1 are kept in " + options_.settings.spool_folder), std::string::npos) << said;
  EXPECT_EQ(said.find("did not reach"), std::string::npos) << said;

  options_.make_client = kafka_.factory();
  options_.run.run_id = "run-2";
  EXPECT_EQ(run_shell("echo second"), 0);
  std::vector<std::string> lines;
  for (const auto& line : logs(v1::LOG_STREAM_STDOUT)) lines.push_back(line.message());
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(events().size(), 4U);
  EXPECT_TRUE(std::filesystem::is_empty(options_.settings.spool_folder));
}

TEST_F(ExecTest, WithASpoolItSaysWhatKafkaRefusedOfEarlierRuns) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  options_.settings.spool_folder = (folder_.path() / "spool").string();
  options_.make_client = {};
  ASSERT_TRUE(options_.settings.kafka.set("bootstrap.servers", nobody.text()).has_value());
  EXPECT_EQ(run_shell("echo first"), 0);

  options_.make_client = kafka_.factory();
  kafka_.judge_by([](const FakeKafka::Record& record) -> std::optional<kafka::Error> {
    if (record.key == "run-1") return runfold::test::trouble(kafka::Errc::kTooLarge, "too large");
    return std::nullopt;
  });
  options_.run.run_id = "run-2";
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_shell("echo second"), 0);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("3 records that earlier ones left in " + options_.settings.spool_folder + " are lost"), std::string::npos) << said;
  EXPECT_EQ(said.find("did not reach"), std::string::npos) << said;
}

class ExecWithNoKafkaThere : public ExecTest, public ::testing::WithParamInterface<UnansweredAddress::Kind> {};

TEST_P(ExecWithNoKafkaThere, ChangesNothingForTheCommand) {
  const UnansweredAddress nobody(GetParam());
  options_.make_client = {};
  options_.first_flush_timeout = std::chrono::milliseconds(300);
  ASSERT_TRUE(options_.settings.kafka.set("bootstrap.servers", nobody.text()).has_value());
  EXPECT_EQ(run_shell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 5"), 5);
  std::string expected;
  for (int i = 0; i < 2000; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(file("out"), expected);
}

INSTANTIATE_TEST_SUITE_P(Ways, ExecWithNoKafkaThere,
                         ::testing::Values(UnansweredAddress::Kind::kRefuses, UnansweredAddress::Kind::kSilent));

TEST_F(ExecTest, ARegisteredSecretPassesThroughToOurOutputAndIsNeverRecorded) {
  // Cut by pauses into reads, and by its length into pieces of one line.
  const std::string secret = "hunter2/and \\more\\";
  ASSERT_TRUE(options_.settings.redactor->add(secret));
  const std::string in_shell = "'" + secret + "'";
  EXPECT_EQ(run_shell("s=" + in_shell +
                      R"(; printf '%s\n' "$s" "x${s}y"; printf '%s\n' "[ERROR] $s" "{\"level\":\"warn\",\"msg\":\"a\"}" >&2
                         head -c 65530 /dev/zero | tr '\0' x; printf '%s' "$s"
                         printf 'Traceback (most recent call last):\n  File "a", line 1\nError: %s\n' "$s" >&2
                         exit 3)"),
            3);
  EXPECT_NE(file("out").find(secret + "\nx" + secret + "y\n"), std::string::npos) << "byte for byte";
  EXPECT_TRUE(file("out").ends_with("x" + secret));
  EXPECT_NE(file("err").find(secret), std::string::npos);
  std::string recorded;
  for (const auto& record : kafka_.taken()) recorded += record.value;
  EXPECT_EQ(recorded.find(secret), std::string::npos);
  EXPECT_NE(recorded.find("x[redacted]y"), std::string::npos);
  const auto lines = logs(v1::LOG_STREAM_STDOUT);
  std::string joined;
  for (const auto& line : lines) joined += line.message();
  EXPECT_EQ(joined.find("hunter2"), std::string::npos) << "two pieces put together give it away";
}

TEST_F(ExecTest, TheIntakesTokenIsNeverRecorded) {
  EXPECT_EQ(run_shell("echo \"the token is $RUNFOLD_INTAKE_TOKEN.\""), 0);
  const auto lines = logs(v1::LOG_STREAM_STDOUT);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines.front().message(), "the token is [redacted].");
}

TEST_F(ExecTest, WhereTheMiddleOfStdoutIsLeftOutNoPartOfASecretRemains) {
  ASSERT_TRUE(options_.settings.redactor->add("0123456789abcdef"));
  options_.stdout_bytes = 4144;  // the tail begins within one
  // No line in it, so that head and tail are cut anywhere.
  EXPECT_EQ(run_shell("printf xyz; for i in 1 2 3 4; do head -c 16384 /dev/zero | sed 's/\\x00/0123456789abcdef/g'; done"), 0);
  const auto lines = logs(v1::LOG_STREAM_STDOUT);
  std::string joined;
  for (const auto& line : lines) joined += line.message() + "|";
  EXPECT_NE(joined.find("[redacted]"), std::string::npos);
  for (const char* part : {"123456", "9a"}) EXPECT_EQ(joined.find(part), std::string::npos) << joined;
}

TEST_F(ExecTest, DebugLinesOfACommandThatSucceedsAreNotSent) {
  EXPECT_EQ(run_shell("echo '2026-05-16 14:32:11 UTC [DEBUG] detail' >&2; echo 'plain' >&2"), 0);
  const auto lines = logs(v1::LOG_STREAM_STDERR);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].message(), "plain");
  EXPECT_NE(file("err").find("[DEBUG] detail"), std::string::npos);
  const auto totals = completed().totals(1);
  EXPECT_EQ(totals.emitted(), 1U);
  ASSERT_EQ(totals.drops_size(), 1);
  EXPECT_EQ(totals.drops(0).reason(), v1::DROP_REASON_NOT_NEEDED);
  EXPECT_EQ(file("err").find("did not reach Kafka"), std::string::npos);
}

TEST_F(ExecTest, DebugLinesOfACommandThatFailsAreSent) {
  EXPECT_EQ(run_shell("echo '2026-05-16 14:32:11 UTC [DEBUG] detail' >&2; echo 'plain' >&2; exit 1"), 1);
  const auto lines = logs(v1::LOG_STREAM_STDERR);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].message(), "plain");
  EXPECT_EQ(lines[1].message(), "detail");
  EXPECT_EQ(lines[1].logged_at().seconds(), 1'778'941'931);
}

}  // namespace
}  // namespace runfold::agent
