#include "src/auth/hba.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/auth_files/memory_files.h"

using namespace pgring;

namespace {

Result<LoadedHba, Diagnostics> load(std::string_view text) {
  MemoryFiles files(
      FileMap{{"/etc/hba", std::string(text)}, {"/etc/names", "ann\nbob, \"all\"\n"}});
  return load_hba("/etc/hba", files);
}

LoadedHba good(std::string_view text) {
  CAPTURE(text);
  auto loaded = load(text);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : to_string(loaded.error().front())));
  return *std::move(loaded);
}

// A file of one rule, and the rule.
struct OneRule {
  LoadedHba loaded;
  const HbaRule* operator->() const { return &loaded.hba.rules().front(); }
};

OneRule only_rule(std::string_view text) {
  OneRule one{good(text)};
  REQUIRE(one.loaded.hba.rules().size() == 1);
  return one;
}

std::string error_of(std::string_view text) {
  CAPTURE(text);
  const auto loaded = load(text);
  REQUIRE_FALSE(loaded);
  REQUIRE(loaded.error().size() == 1);
  return to_string(loaded.error().front());
}

}  // namespace

TEST_CASE("hba: a line's type, address and method") {
  struct Row {
    std::string_view text;
    HbaType type;
    HbaAddress::Kind address;
    HbaMethod method;
  };
  using enum HbaAddress::Kind;
  const Row rows[] = {
      {"local all all peer", HbaType::local, all, HbaMethod::peer},
      {"local all all ident", HbaType::local, all, HbaMethod::peer},
      {"\"local\" all all \"trust\"", HbaType::local, all, HbaMethod::trust},
      {"host all all all scram-sha-256", HbaType::host, all, HbaMethod::scram_sha_256},
      {"host all all \"all\" md5", HbaType::host, host_name, HbaMethod::md5},
      {"host all all samehost password", HbaType::host, same_host, HbaMethod::password},
      {"hostssl all all samenet cert", HbaType::hostssl, same_net, HbaMethod::cert},
      {"hostnossl all all 10.0.0.0/8 reject", HbaType::hostnossl, range, HbaMethod::reject},
      {"hostgssenc all all ::/0 gss", HbaType::hostgssenc, range, HbaMethod::gss},
      {"hostnogssenc all all .example.com pam", HbaType::hostnogssenc, host_name, HbaMethod::pam},
      {"host all all db.example.com radius radiusservers=r radiussecrets=s", HbaType::host,
       host_name, HbaMethod::radius},
      {"host all all 10.0.0.1 255.255.255.255 ident", HbaType::host, range, HbaMethod::ident},
      {"host all all all sspi", HbaType::host, all, HbaMethod::sspi},
      {"host all all all bsd", HbaType::host, all, HbaMethod::bsd},
      {"host all all all oauth issuer=https://i scope=s", HbaType::host, all, HbaMethod::oauth},
      {"host all all all ldap ldapprefix=cn=", HbaType::host, all, HbaMethod::ldap},
  };
  for (const Row& row : rows) {
    const OneRule rule = only_rule(row.text);
    CHECK(rule->type == row.type);
    CHECK(rule->address.kind == row.address);
    CHECK(rule->method == row.method);
    CHECK(rule->file == "/etc/hba");
    CHECK(rule->line == 1);
  }
}

TEST_CASE("hba: addresses with prefix lengths and with masks") {
  struct Row {
    std::string_view text;
    std::string_view base;
    std::string_view mask;
  };
  const Row rows[] = {
      {"10.1.2.3/0", "10.1.2.3", "0.0.0.0"},
      {"10.1.2.3/20", "10.1.2.3", "255.255.240.0"},
      {"10.1.2.3/32", "10.1.2.3", "255.255.255.255"},
      {"10.1.2.3 255.0.255.0", "10.1.2.3", "255.0.255.0"},
      {"127.1/8", "127.0.0.1", "255.0.0.0"},
      {"fd00::1/7", "fd00::1", "fe00::"},
      {"::1/128", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"fe80::1%lo/64", "fe80::1", "ffff:ffff:ffff:ffff::"},
      {"::1 ffff::", "::1", "ffff::"},
  };
  for (const Row& row : rows) {
    const OneRule rule = only_rule("host all all " + std::string(row.text) + " trust");
    CHECK(rule->address.base.text() == row.base);
    CHECK(rule->address.mask.text() == row.mask);
  }
}

TEST_CASE("hba: bad lines say where, what and the fix") {
  struct Row {
    std::string_view text;
    std::string_view error;
  };
  const Row rows[] = {
      {"hots all all all trust", "1:1: error: \"hots\" is not a connection type"},
      {"hots all all all trust", "did you mean \"host\"?"},
      {"host,local all all all trust", "1:6: error: there is more than one connection type"},
      {"include a b", "an include line is: include FILE"},
      {"host", "1:5: error: the line ends before the database"},
      {"host all", "1:9: error: the line ends before the role"},
      {"host all all", "the line ends before the address"},
      {"local all all", "the line ends before the authentication method"},
      {"host all all 10.0.0.1", "the line ends before the netmask"},
      {"host all all 10.0.0.1 trust", "1:23: error: \"trust\" is not a netmask"},
      {"host all all 10.0.0.1 trust", "needs a prefix length: /32"},
      {"host all all 10.0.0.1 ::1 trust", "one is IPv4, the other IPv6"},
      {"host all all 10.0.0.1,10.0.0.2 trust", "1:23: error: there is more than one address"},
      {"host all all 10.0.0.1/33 trust",
       "\"10.0.0.1/33\" has no valid prefix length (expected 0 to 32)"},
      {"host all all 10.0.0.1/ trust", "no valid prefix length"},
      {"host all all 10.0.0.1/8x trust", "no valid prefix length"},
      {"host all all ::1/129 trust", "expected 0 to 128"},
      {"host all all db.example.com/8 trust",
       "neither an address with a prefix length nor a host name"},
      {"host all all \"\" trust", "the address is empty"},
      {"host all all all", "the line ends before the authentication method"},
      {"host all all all scram-sha256", "\"scram-sha256\" is not an authentication method"},
      {"host all all all scram-sha256", "did you mean \"scram-sha-256\"?"},
      {"host all all all trust,md5", "there is more than one authentication method"},
      {"host all all all peer", "the method peer is for local lines only"},
      {"host all all all cert", "the method cert is for hostssl lines only"},
      {"local all all gss", "the method gss is not for local lines"},
      {"host /( all all trust",
       "1:6: error: invalid regular expression \"(\": a parenthesis is not closed"},
      {"host all \"/[\" all trust", "1:10: error: invalid regular expression"},
      {"host all a,/*,b all trust", "1:12: error: invalid regular expression \"*\""},
      {"", "there is no rule in the file"},
      {"# host all all all trust", "there is no rule in the file"},
      {"include nothing", "1:9: error: cannot read \"/etc/nothing\""},
  };
  for (const Row& row : rows) {
    const std::string error = error_of(row.text);
    CAPTURE(error);
    CHECK(error.find("/etc/hba:") == 0);
    CHECK(error.find(row.error) != std::string::npos);
  }
}

TEST_CASE("hba: all errors come at once, and then there are no rules") {
  const auto loaded = load(
      "hots all all all trust\nlocal all all peer\nhost all /( 10.0.0.0/8 trust\nhost all all all "
      "nomd5 \n");
  REQUIRE_FALSE(loaded);
  REQUIRE(loaded.error().size() == 3);
  CHECK(loaded.error()[0].at == Position{1, 1});
  CHECK(loaded.error()[1].at == Position{3, 10});
  CHECK(loaded.error()[2].at == Position{4, 18});
}

TEST_CASE("hba: what PostgreSQL accepts and hardly anybody means is a warning") {
  struct Row {
    std::string_view text;
    std::string_view warning;
  };
  const Row rows[] = {
      {"hostgssenc all all all trust", "1:1: warning: a hostgssenc line never matches"},
      {"host all all all gss", "1:18: warning: pgring has no gss authentication"},
      {"host all all 10.0.0.256 trust", "1:14: warning: \"10.0.0.256\" is not an address"},
      {"host all all all ldap ldapprefix=x ldaptls=on", "ldaptls=on means off, as in PostgreSQL"},
      {"host all all all pam pam_use_hostname=yes", "pam_use_hostname=yes means off"},
  };
  for (const Row& row : rows) {
    const LoadedHba loaded = good(row.text);
    REQUIRE(loaded.warnings.size() == 1);
    const std::string warning = to_string(loaded.warnings.front());
    CAPTURE(warning);
    CHECK(warning.find(row.warning) != std::string::npos);
  }
  CHECK(good("host all all all trust").warnings.empty());
}

TEST_CASE("hba: options land where they belong") {
  const OneRule cert = only_rule("hostssl all all all cert map=m clientname=DN");
  CHECK(cert->options.map == "m");
  CHECK(cert->options.client_certificate == ClientCertificate::verify_full);
  CHECK(cert->options.certificate_name == CertificateName::distinguished_name);
  CHECK(only_rule("hostssl all all all md5 clientcert=verify-ca")->options.client_certificate ==
        ClientCertificate::verify_ca);
  CHECK(only_rule("hostssl all all all md5 clientcert=verify-full,clientname=CN")
            ->options.client_certificate == ClientCertificate::verify_full);

  const OneRule pam = only_rule("local all all pam pamservice=pgring pam_use_hostname=1");
  CHECK(pam->options.pam_service == "pgring");
  CHECK(pam->options.pam_uses_host_name);

  const OneRule ldap = only_rule(
      "host all all all ldap ldapserver=\"l1 l2\" ldapport=1389 ldaptls=1 ldapscheme=ldap "
      "\"ldapbinddn=cn=x, dc=y\" \"ldapbindpasswd=a b\" ldapbasedn=dc=y "
      "ldapsearchfilter=(uid=$username)");
  CHECK(ldap->options.ldap.server == "l1 l2");
  CHECK(ldap->options.ldap.port == 1389);
  CHECK(ldap->options.ldap.starts_tls);
  CHECK(ldap->options.ldap.bind_dn == "cn=x, dc=y");
  CHECK(ldap->options.ldap.bind_password.reveal() == "a b");
  CHECK(ldap->options.ldap.search_filter == "(uid=$username)");
  CHECK(ldap->options.ldap.scope == LdapScope::subtree);
}

TEST_CASE("hba: an LDAP URL says all at once") {
  const auto options = [](std::string_view url) {
    return only_rule("host all all all ldap \"ldapurl=" + std::string(url) + "\"");
  };
  const OneRule all = options("ldaps://ldap.example.com:1636/dc=a%20b,dc=c??one?(x=%26y)");
  CHECK(all->options.ldap.scheme == "ldaps");
  CHECK(all->options.ldap.server == "ldap.example.com");
  CHECK(all->options.ldap.port == 1636);
  CHECK(all->options.ldap.base_dn == "dc=a b,dc=c");
  CHECK(all->options.ldap.scope == LdapScope::one);
  CHECK(all->options.ldap.search_filter == "(x=&y)");
  CHECK(options("ldap://h/dc=c?cn,sn")->options.ldap.search_attribute == "cn");
  CHECK(options("ldap://[::1]:3/dc=c")->options.ldap.server == "::1");
  CHECK(options("ldap://h/dc=c")->options.ldap.scope == LdapScope::base);
  CHECK(options("ldap:///dc=c??sub")->options.ldap.server.empty());
  // As in PostgreSQL, any option behind the URL makes it a search of the whole tree.
  CHECK(only_rule("host all all all ldap ldapurl=ldap://h/dc=c ldaptls=1")->options.ldap.scope ==
        LdapScope::subtree);
  for (const std::string_view url : {"ldapi://h/dc=c", "h/dc=c", "ldap://h:x/dc=c",
                                     "ldap://[::1/dc=c", "ldap://h/%zz", "ldap://h/dc=c??tree"}) {
    CHECK(error_of("host all all all ldap \"ldapurl=" + std::string(url) + "\"").find("LDAP URL") !=
          std::string::npos);
  }
}

TEST_CASE("hba: wrong options are errors") {
  struct Row {
    std::string_view text;
    std::string_view error;
  };
  const Row rows[] = {
      {"local all all trust map",
       "1:21: error: the authentication option map is not of the form name=value"},
      {"local all all trust map=x",
       "the option map is for the methods ident, peer, gss, sspi, cert and oauth, not for trust"},
      {"local all all peer mab=x", "\"mab\" is not an authentication option"},
      {"local all all peer mab=x", "did you mean \"map\"?"},
      {"host all all all md5 clientcert=verify-ca", "clientcert is for hostssl lines only"},
      {"hostssl all all all md5 clientcert=1", "expected verify-ca or verify-full"},
      {"hostssl all all all cert clientcert=verify-ca", "can only be verify-full"},
      {"host all all all md5 clientname=CN", "clientname is for hostssl lines only"},
      {"hostssl all all all cert clientname=cn", "expected CN or DN"},
      {"host all all all md5 pamservice=x",
       "the option pamservice is for the method pam, not for md5"},
      {"host all all all ldap", "the method ldap needs ldapbasedn"},
      {"host all all all ldap ldapserver=h", "the method ldap needs ldapbasedn"},
      {"host all all all ldap ldapprefix=a ldapbasedn=b", "exclude each other"},
      {"host all all all ldap ldapbasedn=b ldapsearchattribute=c ldapsearchfilter=d",
       "ldapsearchattribute and ldapsearchfilter exclude each other"},
      {"host all all all ldap ldapbasedn=b ldapport=0", "\"0\" is not a port"},
      {"host all all all ldap ldapbasedn=b ldapport=65536", "is not a port"},
      {"host all all all ldap ldapbasedn=b ldapscheme=http", "expected ldap or ldaps"},
      {"host all all all radius radiusservers=a", "needs the option radiussecrets"},
      {"host all all all radius \"radiusservers=a,b,c\" \"radiussecrets=a,b\"", "one for each"},
      {"host all all all radius radiusservers=a radiussecrets=a radiusports=x", "port numbers"},
      {"host all all all oauth issuer=x", "needs the option scope"},
      {"host all all all oauth issuer=x scope=y map=z delegate_ident_mapping=1",
       "exclude each other"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto loaded = load(row.text);
    REQUIRE_FALSE(loaded);
    std::string errors;
    for (const Diagnostic& error : loaded.error()) {
      if (error.severity == Severity::error) errors += to_string(error) + '\n';
    }
    CAPTURE(errors);
    CHECK(errors.find(row.error) != std::string::npos);
  }
}

TEST_CASE("hba: no error shows a secret, not even one that is cut by a blank") {
  for (const std::string_view line :
       {"host all all all ldap ldapbasedn=x ldapbindpasswd=hush1 ldapport=no",
        "host all all all ldap ldapbasedn=x ldapbindpasswd=hu sh1",
        "host all all all ldap ldapbindpasswd=a sh1=x",
        "host all all all radius radiusservers=a \"radiussecrets=sh1,,x\"",
        "host all all all ldap ldapbindpasswd=\\\nsh1 ldapport=no"}) {
    CAPTURE(line);
    const auto loaded = load(line);
    REQUIRE_FALSE(loaded);
    for (const Diagnostic& error : loaded.error())
      CHECK(to_string(error).find("sh1") == std::string::npos);
  }
}
