// Certificates made on the spot: their own authority, or signed by another one.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace runfold::test {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;
};

/// `names` as OpenSSL writes them, for example "DNS:localhost,IP:127.0.0.1". Valid for an hour from `from_s` seconds from now.
/// `authority`: null for a certificate that signs itself.
[[nodiscard]] inline Certificate make_certificate(const std::string& names, long from_s = -60, const Certificate* authority = nullptr) {
  const auto check = [](bool good) {
    if (!good) throw std::runtime_error("OpenSSL cannot make a certificate");
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  const bool signs_itself = authority == nullptr;
  check(key && made);
  X509* const certificate = made.get();
  check(X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), signs_itself ? 1 : 2) == 1);
  check(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), from_s + 3600) != nullptr);
  X509_NAME* const name = X509_get_subject_name(certificate);
  const std::string common_name = signs_itself ? "runfold test" : "runfold test, signed";
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.data()), -1, -1, 0) == 1);

  const std::unique_ptr<BIO, decltype(&BIO_free)> signer(BIO_new(BIO_s_mem()), BIO_free);
  check(signer && (signs_itself || BIO_puts(signer.get(), (authority->certificate_pem + authority->key_pem).c_str()) > 0));
  const std::unique_ptr<X509, decltype(&X509_free)> above(
      signs_itself ? nullptr : PEM_read_bio_X509(signer.get(), nullptr, nullptr, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> above_key(
      signs_itself ? nullptr : PEM_read_bio_PrivateKey(signer.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  check(signs_itself || (above && above_key));
  check(X509_set_issuer_name(certificate, signs_itself ? name : X509_get_subject_name(above.get())) == 1 &&
        X509_set_pubkey(certificate, key.get()) == 1);
  const auto extend = [&](int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), X509_EXTENSION_free);
    check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
  };
  extend(NID_basic_constraints, signs_itself ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(NID_subject_alt_name, names);
  check(X509_sign(certificate, signs_itself ? key.get() : above_key.get(), EVP_sha256()) > 0);

  const auto text = [&](auto write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    check(memory && write(memory.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
  };
  return {text([&](BIO* out) { return PEM_write_bio_X509(out, certificate); }),
          text([&](BIO* out) { return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

}  // namespace runfold::test
