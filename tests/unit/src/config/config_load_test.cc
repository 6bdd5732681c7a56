#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

// A folder for the files of one test.
struct Folder {
  Folder() {
    char name[] = "/tmp/pgring-config-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, std::string_view text, mode_t mode) const {
    const std::string file = path + "/" + name;
    std::ofstream(file) << text;
    REQUIRE(chmod(file.c_str(), mode) == 0);
    return file;
  }
  std::string path;
};

const std::string with_users = "[auth]\nfile = \"users.txt\"\n" + std::string(good_tail);

}  // namespace

TEST_CASE("config load: reads the userlist beside the file; role passwords go before it") {
  const Folder folder;
  folder.write("users.txt", "\"app\" \"one\"\n\"other\" \"two\"\n", 0600);
  const std::string file =
      folder.write("pgring.toml", with_users + "[role.app]\npassword = \"mine\"\n", 0600);
  const auto loaded = load_config(file);
  REQUIRE(loaded);
  CHECK(loaded->warnings.empty());
  REQUIRE(loaded->config.users.size() == 2);
  CHECK(loaded->config.users.at("app").text.equals("mine"));
  CHECK(loaded->config.users.at("other").text.equals("two"));
}

TEST_CASE("config load: a missing file or userlist is said with the system's reason") {
  const Folder folder;
  const auto none = load_config(folder.path + "/none.toml");
  REQUIRE_FALSE(none);
  CHECK(print(none.error().errors) ==
        folder.path + "/none.toml: error: cannot read the file: No such file or directory\n");
  const auto directory = load_config(folder.path);
  REQUIRE_FALSE(directory);
  CHECK(contains(print(directory.error().errors), "Is a directory"));
  const auto no_users = load_config(folder.write("pgring.toml", with_users, 0600));
  REQUIRE_FALSE(no_users);
  CHECK(contains(print(no_users.error().errors),
                 "pgring.toml:2:8: error: auth.file: cannot read the userlist " + folder.path +
                     "/users.txt: No such file or directory"));
}

TEST_CASE("config load: trust needs no userlist, but a named one that is missing is told") {
  const Folder folder;
  const std::string method = "[auth]\nmethod = \"trust\"\n";
  const auto loaded = load_config(folder.write(
      "pgring.toml", method + "file = \"users.txt\"\n" + std::string(good_tail), 0600));
  REQUIRE(loaded);
  CHECK(contains(print(loaded->warnings), "warning: auth.file: cannot read the userlist"));
}

TEST_CASE("config load: errors of the config and of the userlist come at once, in that order") {
  const Folder folder;
  folder.write("users.txt", "broken\n", 0600);
  const auto loaded =
      load_config(folder.write("pgring.toml", with_users + "pool_size = 0\n", 0600));
  REQUIRE_FALSE(loaded);
  const std::string text = print(loaded.error().errors);
  REQUIRE(loaded.error().errors.size() == 2);
  CHECK(contains(text, "pgring.toml:6:13: error: database.app.pool_size"));
  CHECK(contains(text, "users.txt:1:1: error: expected a role name"));
  CHECK(text.find("pgring.toml:6") < text.find("users.txt:1:1"));
}

TEST_CASE("config load: files with secrets that others can read are refused, with the chmod") {
  const Folder folder;
  const std::string users = folder.write("users.txt", "\"app\" \"word\"\n", 0644);
  const std::string inline_secret = with_users + "user = \"u\"\npassword = \"p\"\n";
  const auto loaded = load_config(folder.write("pgring.toml", inline_secret, 0606));
  REQUIRE_FALSE(loaded);
  const std::string text = print(loaded.error().errors);
  CHECK(contains(text,
                 "users.txt: error: auth.file: the userlist holds secrets: others can read or "
                 "write it (mode 0644)"));
  CHECK(contains(text,
                 "pgring.toml: error: the file holds a secret: others can read or write it "
                 "(mode 0606)"));
  CHECK(contains(text, "chmod 600 " + folder.path + "/pgring.toml"));
  // A file without a secret is everybody's.
  folder.write("users.txt", "\"app\" \"word\"\n", 0600);
  CHECK(load_config(folder.write("pgring.toml", with_users, 0644)));
  // Root's file may be read by its group: that is how packages install it.
  folder.write("users.txt", "\"app\" \"word\"\n", 0640);
  CHECK(bool(load_config(folder.path + "/pgring.toml")) == (geteuid() == 0));
  folder.write("users.txt", "\"app\" \"word\"\n", 0660);
  CHECK_FALSE(load_config(folder.path + "/pgring.toml"));
}

TEST_CASE("config load: useless secrets are warned of") {
  const Folder folder;
  folder.write("users.txt", "\"old\" \"md50123456789abcdef0123456789abcdef\"\n", 0600);
  const auto loaded = load_config(folder.write("pgring.toml", with_users, 0600));
  REQUIRE(loaded);
  CHECK(contains(print(loaded->warnings),
                 "role \"old\" has an md5 secret and cannot log in by scram-sha-256"));
  folder.write("users.txt", "", 0600);
  const auto empty = load_config(folder.write("pgring.toml", with_users, 0600));
  REQUIRE(empty);
  CHECK(contains(print(empty->warnings), "no role has a secret: nobody can log in"));
}
