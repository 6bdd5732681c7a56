// Goal: a Parse is spared only where all that follows it in its group is about its statement.
#include "src/statement/reusable_group.h"

#include <doctest/doctest.h>

#include <span>
#include <string>

#include "wire/extended_query.h"
#include "wire/message_builder.h"

namespace {

std::optional<pgring::ReusableGroup> read(const std::string& rest, std::string_view name = {}) {
  return pgring::read_reusable_group(std::as_bytes(std::span{rest}), name);
}

std::string bind(std::string_view statement, std::string_view portal = {}) {
  std::string out;
  wire::append_bind(out, portal, statement);
  return out;
}
std::string describe(char kind, std::string_view name = {}) {
  std::string out;
  wire::append_describe(out, {.kind = kind, .name = name});
  return out;
}
std::string close(char kind, std::string_view name = {}) {
  std::string out;
  wire::append_close(out, {.kind = kind, .name = name});
  return out;
}
std::string execute() { return std::string{"E\0\0\0\x09\0\0\0\0\0", 10}; }
std::string sync_message() {
  std::string out;
  wire::append_sync(out);
  return out;
}
std::string flush() {
  std::string out;
  wire::append_flush(out);
  return out;
}
std::string query() {
  std::string out;
  wire::append_query(out, "select 1");
  return out;
}

}  // namespace

TEST_CASE("reusable group: what drivers send behind a Parse") {
  CHECK(read(bind("") + describe('P') + execute() + sync_message())->binds == 1);
  CHECK(read(bind("") + execute() + sync_message())->binds == 1);
  CHECK(read(describe('S') + sync_message())->binds == 0);
  CHECK(read(describe('S', "a") + bind("a") + execute() + flush() + sync_message(), "a")->binds ==
        1);
  CHECK(read(bind("", "c") + execute() + close('P', "c") + bind("") + execute() + sync_message())
            ->binds == 2);
}

TEST_CASE("reusable group: another statement, another Parse, or no Sync") {
  CHECK_FALSE(read(""));
  CHECK_FALSE(read(sync_message()));
  CHECK_FALSE(read(execute() + sync_message()));
  CHECK_FALSE(read(describe('P') + sync_message()));
  CHECK_FALSE(read(flush() + bind("") + sync_message()));
  CHECK_FALSE(read(bind("other") + execute() + sync_message()));
  CHECK_FALSE(read(bind("") + execute() + sync_message(), "a"));
  CHECK_FALSE(read(bind("") + bind("other") + sync_message()));
  CHECK_FALSE(read(bind("") + describe('S', "other") + sync_message()));
  CHECK_FALSE(read(bind("") + close('S') + sync_message()));
  CHECK_FALSE(read(bind("") + execute()));
  CHECK_FALSE(read(bind("") + query() + sync_message()));
  CHECK_FALSE(read(bind("") + execute() + sync_message() + sync_message()));
  CHECK_FALSE(read(bind("") + execute() + sync_message() + bind("")));
  CHECK_FALSE(read(bind("") + execute() + std::string{"S\0\0\0\5x", 6}));
  CHECK_FALSE(read(bind("") + std::string{"H\0\0\0\5x", 6} + sync_message()));
}

TEST_CASE("reusable group: cut anywhere, or with a length that lies, it is none") {
  const std::string whole = bind("") + describe('P') + execute() + sync_message();
  REQUIRE(read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(read(whole.substr(0, size)));
  for (const char length : {'\0', '\3', '\x7f', '\xff'}) {
    for (std::size_t at = 1; at <= 4; ++at) {
      std::string wrong = whole;
      if (wrong[at] == length) continue;
      wrong[at] = length;
      CHECK_FALSE(read(wrong));
    }
  }
}

TEST_CASE("reusable group: longer than is kept") {
  std::string rest = bind("");
  while (rest.size() < pgring::reusable_group_max) rest += execute();
  CHECK_FALSE(read(rest + sync_message()));
}
