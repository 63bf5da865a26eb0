// runfold exec, a C++ connector, and a Kafka with TLS, name and password: properties pass through, what is wrong is said, not shown.
#include "runfold/v1/event.pb.h"
#include "tests/broker/producer/topic_scan.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/certificate.hpp"
#include "tests/support/program.hpp"
#include "tests/support/restartable_broker.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold {
namespace {

using test::Arrived;
using test::Certificate;
using test::kRunfold;
using test::Program;
using test::SecretFinder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A broker that serves nothing but SASL PLAIN over TLS, with a certificate that an authority of its own has signed.
struct SecuredBroker {
  static std::string written(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
    return path.string();
  }
  std::string server_properties() const {
    const Certificate own = test::make_certificate("IP:127.0.0.1", -60, &authority);
    return "listener.security.protocol.map=BROKER:SASL_SSL,CONTROLLER:PLAINTEXT\n"
           "sasl.enabled.mechanisms=PLAIN\n"
           "sasl.mechanism.inter.broker.protocol=PLAIN\n"
           "listener.name.broker.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
           "username=\"broker\" password=\"" +
           password + "\" user_broker=\"" + password + "\" user_connectors=\"" + password + "\";\n" +
           "ssl.keystore.type=PEM\nssl.keystore.location=" + written(folder.path() / "own.pem", own.key_pem + own.certificate_pem) +
           "\nssl.truststore.type=PEM\nssl.truststore.location=" + authority_file + "\n";
  }

  const test::TemporaryFolder folder;
  const std::string password = test::new_secret("Kafka's password");
  const Certificate authority = test::make_certificate("DNS:authority");
  const std::string authority_file = written(folder.path() / "authority.pem", authority.certificate_pem);
  const test::RestartableBroker broker{server_properties()};
};

class SecuredKafka : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { kafka_ = std::make_unique<SecuredBroker>(); }
  static void TearDownTestSuite() { kafka_.reset(); }

  /// A file for --kafka-config, as a user writes it.
  std::string client_file(const std::string& password, const std::string& authority_file) const {
    return SecuredBroker::written(folder_.path() / "kafka.properties",
                                  "# how to get in\nbootstrap.servers=" + kafka_->broker.address() +
                                      "\nsecurity.protocol=SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username=connectors\nsasl.password=" +
                                      password + "\nssl.ca.location=" + authority_file + "\n");
  }
  std::string good_file() const { return client_file(kafka_->password, kafka_->authority_file); }
  void create_topics() const {
    Program create({kRunfold, "topics", "create", "--kafka-config", good_file(), "--replication", "1"});
    ASSERT_EQ(create.wait().value().exit_code, 0) << create.err();
    EXPECT_THAT(create.out(), HasSubstr("runfold.events"));
  }
  /// A command that shows what it and everybody else can see of exec, and ends with 7.
  std::vector<std::string> exec(const std::string& run_id, const std::string& file, std::vector<std::string> flags) const {
    std::vector<std::string> out{kRunfold, "exec", "--connector", "secured", "--run-id", run_id, "--kafka-config", file};
    out.insert(out.end(), flags.begin(), flags.end());
    for (const char* word : {"--", "/bin/sh", "-c", "env; tr '\\0' ' ' </proc/$PPID/cmdline; echo; echo out; echo to stderr >&2; exit 7"}) {
      out.emplace_back(word);
    }
    return out;
  }
  static kafka::Properties properties_in(const std::string& file) {
    kafka::Properties out;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with('#')) out.set_pair(line).value();
    }
    return out;
  }
  /// The command was as it is without Kafka, and exec came back though it may flush for an hour: Kafka has never answered.
  void expect_unharmed(Program& program) const {
    const auto end = program.wait();
    ASSERT_TRUE(end.has_value()) << "it waits for Kafka: " << program.err();
    EXPECT_EQ(end->exit_code, 7) << program.err();
    EXPECT_TRUE(program.out().ends_with("\nout\n")) << program.out();
    EXPECT_EQ(test::lines_with(program.err(), "to stderr"), 1) << program.err();
    EXPECT_THAT(SecretFinder(test::remembered_secrets()).names_in(program.out() + program.err()), IsEmpty());
  }
  /// Nothing of it is in the wrong place, `why` is said once, and so is what becomes of the records, with a spool and without.
  void expect_told(const std::string& file, const std::string& why) const {
    const std::string unsent = test::unique_name("unsent");
    Program program(exec(unsent, file, {"--flush-timeout", "1h"}));
    expect_unharmed(program);
    EXPECT_EQ(test::lines_with(program.err(), why), 1) << program.err();
    EXPECT_THAT(program.err(), HasSubstr(" records of run " + unsent + " did not reach Kafka at " + kafka_->broker.address()));

    const auto spool = folder_.path() / "spool";
    const std::string kept = test::unique_name("kept");
    Program spooling(exec(kept, file, {"--flush-timeout", "1h", "--spool", spool.string()}));
    expect_unharmed(spooling);
    EXPECT_EQ(test::lines_with(spooling.err(), why), 1) << spooling.err();
    EXPECT_THAT(spooling.err(), HasSubstr(" records of run " + kept + " are kept in " + spool.string()));
    EXPECT_THAT(SecretFinder(test::remembered_secrets()).names_in_files(spool), IsEmpty());

    for (std::vector<std::string> command : {std::vector<std::string>{kRunfold, "topics", "create", "--replication", "1"},
                                             {kRunfold, "log", "--connector", "secured", "--run-id", unsent, "--timeout", "2s", "text"}}) {
      command.insert(command.end(), {"--kafka-config", file});
      Program asking(command);
      EXPECT_NE(asking.wait().value().exit_code, 0);
      EXPECT_THAT(asking.err(), HasSubstr(why));
      EXPECT_THAT(SecretFinder(test::remembered_secrets()).names_in(asking.out() + asking.err()), IsEmpty());
    }

    // What the spool kept arrives once the properties are right.
    create_topics();
    Program mended(exec(test::unique_name("mended"), good_file(), {"--flush-timeout", "60s", "--spool", spool.string()}));
    expect_unharmed(mended);
    EXPECT_TRUE(std::filesystem::is_empty(spool));
    Arrived arrived(properties_in(good_file()));
    ASSERT_NE(arrived.completed(kept), nullptr);
    EXPECT_EQ(arrived.completed(kept)->exit_code(), 7);
    EXPECT_EQ(arrived.completed(unsent), nullptr);
  }

  static inline std::unique_ptr<SecuredBroker> kafka_;
  const test::TemporaryFolder folder_;
};

TEST_F(SecuredKafka, ARunArrivesWithTheNameAndPasswordOfAFileAndNobodySeesThem) {
  create_topics();
  const std::string run_id = test::unique_name("secured");
  Program program(exec(run_id, good_file(), {"--flush-timeout", "60s"}));
  expect_unharmed(program);
  EXPECT_EQ(program.err(), "to stderr\n");

  const kafka::Properties properties = properties_in(good_file());
  Arrived arrived(properties);
  ASSERT_NE(arrived.completed(run_id), nullptr);
  EXPECT_EQ(arrived.completed(run_id)->exit_code(), 7);
  EXPECT_EQ(arrived.completed(run_id)->totals(1).last_sequence(), arrived.lines(run_id).size());
  EXPECT_THAT(arrived.lines(run_id), ::testing::IsSupersetOf({"out", "to stderr"}));
  test::expect_no_secret_in_any_topic(properties, 3);
}

TEST_F(SecuredKafka, AConnectorsEnvironmentNamesTheFileAndItNeedsNoCodeToGetIn) {
  create_topics();
  const std::string run_id = test::unique_name("connector");
  const std::string status = SecuredBroker::written(folder_.path() / "status", "Package: base\nVersion: 1\n");
  Program program({RUNFOLD_BINARY_DIR "/dpkg-catalogue", folder_.path() / "catalogue", status}, {{"RUNFOLD_KAFKA_CONFIG", good_file()},
                                                                                                 {"RUNFOLD_BOOTSTRAP_SERVERS", ""},
                                                                                                 {"RUNFOLD_CONNECTOR", "secured"},
                                                                                                 {"RUNFOLD_RUN_ID", run_id}});
  EXPECT_EQ(program.wait().value().exit_code, 0) << program.err();
  EXPECT_THAT(SecretFinder(test::remembered_secrets()).names_in(program.out() + program.err()), IsEmpty());
  const Arrived arrived(properties_in(good_file()));
  ASSERT_NE(arrived.completed(run_id), nullptr) << program.err();
  EXPECT_EQ(arrived.completed(run_id)->result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(SecuredKafka, AWrongPasswordIsToldAndTheCommandIsUnharmed) {
  expect_told(client_file(test::new_secret("a wrong password for Kafka"), kafka_->authority_file),
              "Kafka at " + kafka_->broker.address() +
                  " refuses this client: SASL authentication error: Authentication failed: Invalid username or password; check "
                  "sasl.mechanisms, sasl.username and sasl.password");
}

TEST_F(SecuredKafka, AnAuthorityThatDidNotSignItsCertificateIsToldAndTheCommandIsUnharmed) {
  const std::string other = SecuredBroker::written(folder_.path() / "other.pem", test::make_certificate("DNS:authority").certificate_pem);
  expect_told(client_file(kafka_->password, other),
              "no Kafka broker answers at " + kafka_->broker.address() +
                  " (its certificate cannot be verified: did an authority of ssl.ca.location sign it, and for this host name?)");
}

}  // namespace
}  // namespace runfold
