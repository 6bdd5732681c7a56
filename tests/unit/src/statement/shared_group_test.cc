// Goal: only what is one whole request, executed once and to its end, is taken for one that may share.
#include "src/statement/shared_group.h"

#include <doctest/doctest.h>

#include <span>
#include <string>

#include "wire/extended_query.h"
#include "wire/message_builder.h"

namespace {

std::optional<pgring::SharedGroup> read(const std::string& rest) {
  return pgring::read_shared_group(std::as_bytes(std::span{rest}));
}

std::string query(std::string_view text) {
  std::string out;
  wire::append_query(out, text);
  return out;
}
std::string parse(std::string_view name, std::string_view text) {
  std::string out;
  wire::append_parse(out, name, text, {});
  return out;
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
std::string execute(std::string_view rest = {"\0\0\0\0\0", 5}) {
  std::string out{"E\0\0\0", 4};
  out += static_cast<char>(4 + rest.size());
  return out.append(rest);
}
std::string sync_message() {
  std::string out;
  wire::append_sync(out);
  return out;
}

}  // namespace

TEST_CASE("shared group: a Query is one by itself") {
  const std::string message = query("select 1");
  const auto group = read(message);
  REQUIRE(group);
  CHECK(group->is_query);
  CHECK(group->text == "select 1");
  CHECK_FALSE(read(query("select 1") + query("select 2")));
  CHECK_FALSE(read(query("select 1") + sync_message()));
  std::string cut = query("select 1, 2");
  cut[cut.find(',')] = '\0';
  CHECK_FALSE(read(cut));
  std::string unended = query("select 1");
  unended.back() = 'x';
  CHECK_FALSE(read(unended));
}

TEST_CASE("shared group: a statement prepared and executed, or only executed") {
  for (const std::string& described : {std::string{}, describe('P')}) {
    const std::string unnamed =
        parse("", "select $1") + bind("") + described + execute() + sync_message();
    const auto group = read(unnamed);
    REQUIRE(group);
    CHECK_FALSE(group->is_query);
    CHECK(group->text == "select $1");
    CHECK(group->statement.empty());
    const std::string named = bind("s") + described + execute() + sync_message();
    const auto use = read(named);
    REQUIRE(use);
    CHECK(use->text.data() == nullptr);
    CHECK(use->statement == "s");
  }
  const std::string told =
      parse("", "select 1") + describe('S') + bind("") + execute() + sync_message();
  CHECK(read(told));
}

TEST_CASE("shared group: everything else is none") {
  const std::string end = execute() + sync_message();
  CHECK_FALSE(read(""));
  CHECK_FALSE(read(sync_message()));
  CHECK_FALSE(read(parse("s", "select 1") + bind("s") + end));
  CHECK_FALSE(read(parse("", "select 1") + sync_message()));
  CHECK_FALSE(read(parse("", "select 1") + describe('S') + sync_message()));
  CHECK_FALSE(read(parse("", "select 1") + bind("s") + end));
  CHECK_FALSE(read(parse("", "select 1") + describe('S', "s") + bind("") + end));
  CHECK_FALSE(read(bind("s", "portal") + end));
  CHECK_FALSE(read(bind("s") + describe('P', "portal") + end));
  CHECK_FALSE(read(bind("s") + describe('S', "s") + end));
  CHECK_FALSE(read(bind("s") + sync_message()));
  CHECK_FALSE(read(bind("s") + execute() + execute() + sync_message()));
  CHECK_FALSE(read(bind("s") + execute({"p\0\0\0\0\0", 6}) + sync_message()));
  CHECK_FALSE(read(bind("s") + execute({"\0\0\0\0\1", 5}) + sync_message()));  // a limit of one row
  CHECK_FALSE(read(bind("s") + execute({"\0\0\0\0", 4}) + sync_message()));
  CHECK_FALSE(read(bind("s") + end + query("select 1")));
  CHECK_FALSE(read(bind("s") + end + "X"));
  CHECK_FALSE(read(bind("s") + execute()));
  CHECK_FALSE(read(query(std::string(pgring::shared_group_max, ' '))));
  CHECK_FALSE(read(std::string{"Q\0\0\0\3", 5}));
  CHECK_FALSE(read(std::string{"Q\xff\xff\xff\xff", 5}));
}

TEST_CASE("shared group: what is not all here is none") {
  const std::string whole =
      parse("", "select $1") + bind("") + describe('P') + execute() + sync_message();
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(read(whole.substr(0, size)));
}
