// Secrets that pgring.toml names instead of holding them: from files, credentials and the environment.
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
    char name[] = "/tmp/pgring-secret-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
    write("users.txt", "\"app\" \"word\"\n", 0600);
  }
  ~Folder() {
    std::filesystem::remove_all(path);
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("PGRING_TEST_SECRET");
  }
  void write(const std::string& name, std::string_view text, mode_t mode) const {
    const std::string file = path + "/" + name;
    std::ofstream(file) << text;
    REQUIRE(chmod(file.c_str(), mode) == 0);
  }
  // With `password` as the password of role "app"; others may read pgring.toml, which holds none.
  [[nodiscard]] LoadResult load(const std::string& password) const {
    write("pgring.toml",
          "[auth]\nfile = \"users.txt\"\n[role.app]\npassword = " + password + "\n" +
              std::string(good_tail),
          0644);
    return load_config(path + "/pgring.toml");
  }
  void check_secret(const std::string& password, std::string_view wanted) const {
    CAPTURE(password);
    const auto loaded = load(password);
    REQUIRE(loaded);
    CHECK(loaded->config.roles.at("app").password.equals(wanted));
    CHECK(loaded->config.users.at("app").text.equals(wanted));
  }
  void check_error(const std::string& password, std::string_view wanted) const {
    CAPTURE(password);
    const auto loaded = load(password);
    REQUIRE_FALSE(loaded);
    const std::string text = print(loaded.error().errors);
    CHECK(contains(text, "pgring.toml:4:"));
    CHECK(contains(text, std::string(wanted)));
    CHECK_FALSE(contains(text, "hidden"));
  }
  std::string path;
};

}  // namespace

TEST_CASE("secret source: a file's text without its line end is the secret") {
  const Folder folder;
  folder.write("one", "hidden word", 0600);
  folder.check_secret("{ file = \"one\" }", "hidden word");
  folder.write("two", "hidden\n", 0400);
  folder.check_secret("{ file = \"" + folder.path + "/two\" }", "hidden");
  folder.write("three", "hidden\r\n", 0600);
  folder.check_secret("{ file = \"three\" }", "hidden");
}

TEST_CASE("secret source: a credential is a file in systemd's folder") {
  const Folder folder;
  folder.check_error("{ credential = \"app\" }", "CREDENTIALS_DIRECTORY is not set");
  folder.write("app", "hidden\n", 0400);
  setenv("CREDENTIALS_DIRECTORY", folder.path.c_str(), 1);
  folder.check_secret("{ credential = \"app\" }", "hidden");
  folder.check_error("{ credential = \"../app\" }", "a credential has a name, not a path");
  folder.check_error("{ credential = \"none\" }", "No such file or directory");
}

TEST_CASE("secret source: the environment may have it") {
  const Folder folder;
  folder.check_error("{ env = \"PGRING_TEST_SECRET\" }", "no variable PGRING_TEST_SECRET");
  setenv("PGRING_TEST_SECRET", "hidden", 1);
  folder.check_secret("{ env = \"PGRING_TEST_SECRET\" }", "hidden");
  setenv("PGRING_TEST_SECRET", "", 1);
  folder.check_error("{ env = \"PGRING_TEST_SECRET\" }", "is empty");
}

TEST_CASE("secret source: what others can read is refused with the chmod that mends it") {
  const Folder folder;
  folder.write("open", "hidden\n", 0604);
  folder.check_error("{ file = \"open\" }", "others can read or write it (mode 0604)");
  folder.check_error("{ file = \"open\" }", "chmod 600 " + folder.path + "/open");
}

TEST_CASE("secret source: what is no secret is an error at its key") {
  const Folder folder;
  folder.write("empty", "\n", 0600);
  folder.check_error("{ file = \"empty\" }", "is empty");
  folder.write("lines", "hidden\nsecond\n", 0600);
  folder.check_error("{ file = \"lines\" }", "has a line end or a zero byte");
  folder.write("long", std::string(70'000, 'x'), 0600);
  folder.check_error("{ file = \"long\" }", "larger than");
  folder.check_error("{ passwort = \"one\" }", "a secret cannot stand in \"passwort\"");
  folder.check_error("{ file = \"a\", env = \"B\" }", "in one place");
  folder.check_error("{}", "in one place");
  folder.check_error("{ file = 7 }", "is a string");
  folder.check_error("{ file = \"\" }", "is a string");
}
