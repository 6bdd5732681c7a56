#include "src/tls/tls_context.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {
namespace {

TlsProblem problem_of(TlsSide side, const TlsOptions& options) {
  const auto loaded = TlsContext::load(side, options, now());
  REQUIRE(!loaded);
  CHECK(ERR_peek_error() == 0);  // nothing is left for the next connection to trip over
  CHECK(!loaded.error().hint.empty());
  return loaded.error();
}

void check_problem(const TlsProblem& problem, TlsProblemKind kind, std::string_view setting,
                   const std::string& message) {
  CHECK(problem.kind == kind);
  CHECK(problem.setting == setting);
  CHECK(problem.message == message);
}

TEST_CASE("tls context: settings that do not go together say which and the fix") {
  const Authority authority;
  const auto clients = TlsSide::to_clients;
  const auto servers = TlsSide::to_servers;
  const auto setting = TlsProblemKind::setting;
  check_problem(problem_of(clients, {}), setting, "cert_file",
                "TLS towards clients needs a certificate");
  TlsOptions options = authority.for_clients();
  options.key_file.clear();
  check_problem(problem_of(clients, options), setting, "key_file",
                "cert_file is set and key_file is not");
  check_problem(problem_of(servers, {.key_file = "/k"}), setting, "cert_file",
                "key_file is set and cert_file is not");
  for (const TlsMode mode : {TlsMode::verify_ca, TlsMode::verify_full}) {
    check_problem(problem_of(servers, {.mode = mode}), setting, "ca_file",
                  "there is no root certificate to verify with");
    options = authority.for_clients();
    options.mode = mode;
    check_problem(problem_of(clients, options), setting, "ca_file",
                  "there is no root certificate to verify with");
  }
  options = authority.for_clients();
  options.ca_file = "system";
  check_problem(problem_of(clients, options), setting, "ca_file",
                "the system's roots do not vouch for clients");
  check_problem(problem_of(servers, {.mode = TlsMode::verify_ca, .ca_file = "system"}), setting,
                "ca_file", "a mode weaker than verify-full is of no use with the system's roots");
  check_problem(problem_of(servers, {.crl_file = "/crl"}), setting, "crl_file",
                "crl_file is set and ca_file is not");
  check_problem(
      problem_of(servers, {.min_version = TlsVersion::tls1_3, .max_version = TlsVersion::tls1_2}),
      setting, "min_version", "min_version is higher than max_version");
  CHECK(problem_of(servers, {.ciphers = "NO-SUCH"}).message ==
        "no valid cipher in \"NO-SUCH\": no cipher match");
  // Nobody is who they say without a certificate.
  CHECK(problem_of(servers, {.ciphers = "aNULL:@SECLEVEL=0"}).setting == "ciphers");
  CHECK(problem_of(servers, {.ciphers = "eNULL:@SECLEVEL=0"}).setting == "ciphers");
  CHECK(problem_of(servers, {.tls13_ciphers = "TLS_NO_SUCH"}).setting == "tls13_ciphers");
  CHECK(problem_of(servers, {.groups = "X25519:nonsense"}).setting == "groups");
}

std::string unreadable(const std::string& what, const std::string& path, const char* why) {
  return "could not read " + what + " \"" + path + "\": " + why;
}

TEST_CASE("tls context: files that are not there, not readable or not what they should be") {
  const Authority authority;
  const TestFolder& folder = authority.folder();
  const std::string absent = folder.path("absent");
  const std::string garbage = folder.write("garbage", "garbage\n");
  const std::string cut =
      folder.write("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const auto of = [&](std::string TlsOptions::* setting, const std::string& path) {
    TlsOptions options = authority.for_clients();
    options.ca_file = authority.ca_file();
    options.*setting = path;
    return problem_of(TlsSide::to_clients, options);
  };
  const std::string garbage_inside = garbage + "/x";
  struct Row {
    std::string TlsOptions::* setting;
    const char* name;
    const char* what;
  };
  static constexpr Row rows[] = {
      {&TlsOptions::cert_file, "cert_file", "certificate file"},
      {&TlsOptions::key_file, "key_file", "private key file"},
      {&TlsOptions::ca_file, "ca_file", "root certificate file"},
      {&TlsOptions::crl_file, "crl_file", "certificate revocation list file"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    const std::string what = row.what;
    check_problem(of(row.setting, absent), TlsProblemKind::not_found, row.name,
                  unreadable(what, absent, "No such file or directory"));
    check_problem(of(row.setting, garbage_inside), TlsProblemKind::not_found, row.name,
                  unreadable(what, garbage_inside, "Not a directory"));
    check_problem(of(row.setting, "/dev/null"), TlsProblemKind::malformed, row.name,
                  what + " \"/dev/null\" is not a regular file");
    CHECK(of(row.setting, garbage).kind == TlsProblemKind::malformed);
    CHECK(of(row.setting, cut).kind == TlsProblemKind::malformed);
    CHECK(of(row.setting, folder.write("empty", "")).kind == TlsProblemKind::malformed);
    CHECK(of(row.setting, folder.write("large", std::string(2000000, ' '))).message ==
          what + " \"" + folder.path("large") + "\" is larger than 1 MiB");
  }
  CHECK(of(&TlsOptions::cert_file, garbage).message ==
        "no certificate file in PEM format: \"" + garbage + "\"");
  CHECK(of(&TlsOptions::ca_file, cut)
            .message.starts_with("could not parse part 1 of root certificate file \"" + cut +
                                 "\": "));
}

TEST_CASE("tls context: a key that others can read is refused as PostgreSQL refuses it") {
  const Authority authority;
  const TlsOptions options = authority.for_clients();
  for (const unsigned mode : {0640U, 0660U, 0604U, 0602U, 0644U, 0610U, 0777U}) {
    CAPTURE(mode);
    REQUIRE(::chmod(options.key_file.c_str(), mode) == 0);
    const TlsProblem problem = problem_of(TlsSide::to_clients, options);
    CHECK(problem.kind == TlsProblemKind::permissions);
    CHECK(problem.hint == "chmod 600 \"" + options.key_file + "\"");
  }
  for (const unsigned mode : {0600U, 0400U, 0700U}) {
    REQUIRE(::chmod(options.key_file.c_str(), mode) == 0);
    CHECK(TlsContext::load(TlsSide::to_clients, options, now()));
  }
  // A key for servers follows libpq, which lets a group read what is root's.
  REQUIRE(::chmod(options.key_file.c_str(), 0644) == 0);
  CHECK(problem_of(TlsSide::to_servers, options).kind == TlsProblemKind::permissions);
  REQUIRE(::chmod(options.key_file.c_str(), 0640) == 0);
  CHECK(TlsContext::load(TlsSide::to_servers, options, now()).has_value() == (::geteuid() == 0));
}

TEST_CASE("tls context: a key of somebody else's is refused towards clients" *
          doctest::skip(::geteuid() != 0)) {
  const Authority authority;
  const TlsOptions options = authority.for_clients();
  REQUIRE(::chown(options.key_file.c_str(), 12345, 0) == 0);
  const TlsProblem problem = problem_of(TlsSide::to_clients, options);
  CHECK(problem.kind == TlsProblemKind::permissions);
  CHECK(problem.message == "private key file \"" + options.key_file +
                               "\" must be owned by the user pgring runs as or by root");
  CHECK(TlsContext::load(TlsSide::to_servers, options, now()));
}

TEST_CASE("tls context: keys in PEM and DER; one with a passphrase says how to take it away") {
  const Authority authority;
  const Identity identity = issue({.common_names = {"db"}}, &authority.ca());
  TlsOptions options;
  authority.use(options, identity);
  options.key_file = authority.folder().write("der.key", key_der(identity));
  CHECK(TlsContext::load(TlsSide::to_clients, options, now()));
  options.key_file = authority.folder().write("locked.key", key_pem(identity, "secret"));
  const TlsProblem problem = problem_of(TlsSide::to_clients, options);
  CHECK(problem.kind == TlsProblemKind::passphrase);
  CHECK(problem.message == "private key file \"" + options.key_file +
                               "\" cannot be loaded because it requires a passphrase");
  CHECK(problem.hint.starts_with("openssl pkey -in "));
}

TEST_CASE("tls context: a key that is not the certificate's") {
  const Authority authority;
  for (const KeyKind other : {KeyKind::ec, KeyKind::rsa}) {
    TlsOptions options = authority.for_clients();
    options.key_file = authority.folder().write("other.key", key_pem(issue({.key = other})));
    check_problem(problem_of(TlsSide::to_clients, options), TlsProblemKind::mismatch, "key_file",
                  "certificate file \"" + options.cert_file +
                      "\" does not match private key file \"" + options.key_file + "\"");
  }
}

TEST_CASE("tls context: what expires or has expired loads with a warning") {
  const Authority authority;
  const auto warnings = [&](long begins_s, long ends_s) {
    TlsOptions options;
    authority.use(options, issue({.common_names = {"db"}, .begins_s = begins_s, .ends_s = ends_s},
                                 &authority.ca()));
    return context(TlsSide::to_clients, options)->warnings();
  };
  constexpr long day = 24L * 3600;
  CHECK(warnings(-day, 31 * day).empty());
  REQUIRE(warnings(-day, 29 * day).size() == 1);
  CHECK(warnings(-day, 29 * day).front().kind == TlsProblemKind::expires_soon);
  CHECK(warnings(day, 90 * day).front().kind == TlsProblemKind::not_yet_valid);
  const TlsProblem expired = warnings(-2 * day, -day).front();
  CHECK(expired.kind == TlsProblemKind::expired);
  CHECK(expired.setting == "cert_file");
  CHECK(expired.message.find("the certificate \"CN=db\" of \"/tmp/") == 0);
  CHECK(expired.message.find(" expired at 20") != std::string::npos);

  TlsOptions trusting{.mode = TlsMode::verify_ca};
  trusting.ca_file = authority.folder().write(
      "old-ca.pem",
      pem(issue({.common_names = {"old"}, .ca = true, .ends_s = -day})) + pem(authority.ca()));
  const auto of_ca = context(TlsSide::to_servers, trusting)->warnings();
  REQUIRE(of_ca.size() == 1);
  CHECK(of_ca.front().setting == "ca_file");
}

TEST_CASE("tls context: SHOW TLS has our certificate, its chain, whom we trust, and the ciphers") {
  const Authority authority;
  const Identity middle = issue({.common_names = {"middle CA"}, .ca = true}, &authority.ca());
  TlsOptions options{.mode = TlsMode::verify_ca};
  authority.use(options, issue({.common_names = {"db"}}, &middle), pem(middle));
  options.ca_file = authority.ca_file();
  const auto loaded = context(TlsSide::to_clients, options);
  const auto& certificates = loaded->certificates();
  REQUIRE(certificates.size() == 3);
  CHECK(certificates[0].use == CertificateUse::own);
  CHECK(certificates[0].subject == "CN=db");
  CHECK(certificates[0].issuer == "CN=middle CA");
  CHECK(certificates[1].use == CertificateUse::chain);
  CHECK(certificates[1].subject == "CN=middle CA");
  CHECK(certificates[2].use == CertificateUse::trusted);
  CHECK(certificates[2].file == authority.ca_file());
  CHECK(certificates[0].not_after > now());
  CHECK(loaded->options() == options);

  // By default only authenticated encryption with forward secrecy; within the versions that are on.
  CHECK(loaded->cipher_names().starts_with("TLS_AES_256_GCM_SHA384:"));
  CHECK(loaded->cipher_names().find(":ECDHE-ECDSA-AES256-GCM-SHA384") != std::string::npos);
  CHECK(loaded->cipher_names().find("CBC") == std::string::npos);
  CHECK(loaded->cipher_names().find(":AES") == std::string::npos);
  options.max_version = TlsVersion::tls1_2;
  options.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  CHECK(context(TlsSide::to_clients, options)->cipher_names() == "ECDHE-RSA-AES128-GCM-SHA256");
  options.min_version = options.max_version = TlsVersion::tls1_3;
  options.tls13_ciphers = "TLS_CHACHA20_POLY1305_SHA256";
  CHECK(context(TlsSide::to_clients, options)->cipher_names() == "TLS_CHACHA20_POLY1305_SHA256");
}

}  // namespace
}  // namespace pgring::test
