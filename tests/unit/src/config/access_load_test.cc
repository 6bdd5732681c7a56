// hba_file and ident_file of pgring.toml: what is in them is good or an error with its file and line.
// Method: files on disk, as `pgring check` and a reload read them.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/pgring-access-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, std::string_view text) const {
    const std::string file = path + "/" + name;
    std::ofstream(file) << text;
    REQUIRE(chmod(file.c_str(), 0600) == 0);
    return file;
  }
  // The errors and warnings of an hba file with these lines; empty where there are none.
  [[nodiscard]] std::string problems(std::string_view hba, std::string_view ident = {}) const {
    write("users.txt", "\"app\" \"secret\"\n");
    write("hba.conf", hba);
    write("ident.conf", ident);
    const auto loaded = load_config(write(
        "pgring.toml",
        "[auth]\nfile = \"users.txt\"\nhba_file = \"hba.conf\"\nident_file = \"ident.conf\"\n" +
            std::string(good_tail)));
    if (loaded) return print(loaded->warnings);
    return print(loaded.error().errors) + print(loaded.error().warnings);
  }
  std::string path;
};

}  // namespace

TEST_CASE("access: an hba file beside pgring.toml gives the rules, an ident file the maps") {
  const Folder folder;
  CHECK(folder
            .problems("local all all peer map=os\nhost all all samenet scram-sha-256\n",
                      "os root app\n")
            .empty());
  const auto loaded = load_config(folder.path + "/pgring.toml");
  REQUIRE(loaded);
  const Access& access = loaded->config.access;
  REQUIRE(access.hba);
  REQUIRE(access.hba->rules().size() == 2);
  CHECK(access.hba->rules()[0].method == HbaMethod::peer);
  CHECK(access.ident.has_map("os"));
  CHECK_FALSE(access.interfaces.empty());  // the loopback at least
}

TEST_CASE("access: bad lines are errors with file and line, all of them, not skipped") {
  const Folder folder;
  const std::string text = folder.problems(
      "local all all trust\nhost all all 10.0.0.0/33 md5\nhost all all all sesame\n",
      "os /[ app\n");
  CHECK(contains(text, folder.path + "/hba.conf:2:"));
  CHECK(contains(text, folder.path + "/hba.conf:3:"));
  CHECK(contains(text, "\"sesame\" is not an authentication method"));
  CHECK(contains(text, folder.path + "/ident.conf:1:"));
}

TEST_CASE("access: a file that is not there is an error") {
  const Folder folder;
  folder.write("users.txt", "\"app\" \"secret\"\n");
  const auto loaded = load_config(folder.write(
      "pgring.toml",
      "[auth]\nfile = \"users.txt\"\nhba_file = \"none.conf\"\n" + std::string(good_tail)));
  REQUIRE_FALSE(loaded);
  CHECK(contains(print(loaded.error().errors), folder.path + "/none.conf"));
  CHECK(contains(print(loaded.error().errors), "No such file or directory"));
}

TEST_CASE("access: what pgring cannot do yet is refused where it is asked for") {
  const Folder folder;
  const auto refused = [&](const std::string& line, const std::string& why) {
    CAPTURE(line);
    const std::string text = folder.problems("local all all trust\n" + line + "\n");
    CHECK(contains(text, folder.path + "/hba.conf:2: error: "));
    CHECK(contains(text, why));
  };
  refused("host all all all ldap ldapserver=x ldapprefix=\"cn=\"", "no ldap authentication");
  refused("host all all all pam", "no pam authentication");
  refused("hostssl all all all cert", "cannot use TLS");
  refused("hostssl all all all scram-sha-256", "cannot use TLS");
  refused("host all +team all md5", "who is in the role \"team\"");
  refused("host samerole all all md5", "samerole");
  refused("host all all db.example.com md5", "\"db.example.com\"");
  const std::string text = folder.problems("local all all peer map=os\n", "os root +team\n");
  CHECK(contains(text, folder.path + "/ident.conf:1: error: who is in the role \"team\""));
}

TEST_CASE(
    "access: methods that are PostgreSQL's alone are warned of, for its own file is accepted") {
  const Folder folder;
  const std::string text = folder.problems("host all all all gss\n");
  CHECK(contains(text, "hba.conf:1:"));
  CHECK(contains(text, "warning: pgring has no gss authentication"));
  CHECK(load_config(folder.path + "/pgring.toml"));
}

TEST_CASE("access: a method beside an hba file, and maps without one, are warned of") {
  const Folder folder;
  folder.write("users.txt", "\"app\" \"secret\"\n");
  folder.write("hba.conf", "host all all all md5\n");
  folder.write("ident.conf", "os root app\n");
  const std::string users = "[auth]\nfile = \"users.txt\"\n";
  const auto both = load_config(
      folder.write("pgring.toml",
                   users + "method = \"md5\"\nhba_file = \"hba.conf\"\n" + std::string(good_tail)));
  REQUIRE(both);
  CHECK(contains(print(both->warnings), "warning: auth.method: it is not used"));
  const auto maps = load_config(folder.write(
      "pgring.toml", users + "ident_file = \"ident.conf\"\n" + std::string(good_tail)));
  REQUIRE(maps);
  CHECK(contains(print(maps->warnings), "warning: auth.ident_file: its maps are for"));
}

TEST_CASE("access: a userlist is needed only where a rule asks for a secret") {
  const Folder folder;
  folder.write("hba.conf", "local all all peer\nhost all all all trust\n");
  const std::string text =
      "[auth]\nfile = \"none.txt\"\nhba_file = \"hba.conf\"\n" + std::string(good_tail);
  CHECK(load_config(folder.write("pgring.toml", text)));
  folder.write("hba.conf", "local all all peer\nhost all all all password\n");
  const auto loaded = load_config(folder.write("pgring.toml", text));
  REQUIRE_FALSE(loaded);
  CHECK(contains(print(loaded.error().errors), "cannot read the userlist"));
}
