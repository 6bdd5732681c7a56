#include "src/log/line_writer.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "src/base/utf8.h"

using namespace pgring;
using namespace std::string_literals;
using pgring::log::Field;
using pgring::log::LineWriter;

namespace {

// 2026-11-21T09:12:04.123Z
constexpr log::Clock::time_point moment{std::chrono::milliseconds(1'795'252'324'123)};

std::string line(LogFormat format, std::string_view message, std::initializer_list<Field> fields,
                 std::size_t size = 2032) {
  std::string buffer(size, '\0');
  LineWriter writer(buffer, format);
  writer.begin(moment, LogLevel::info, message);
  for (const Field& field : fields) writer.field(field);
  buffer.resize(writer.finish());
  return buffer;
}

// A reader of our JSON: true if `text` is one flat object of valid UTF-8 without control bytes.
bool is_json_object(std::string_view text) {
  const auto quoted = [&] {
    if (!text.starts_with('"')) return false;
    text.remove_prefix(1);
    while (!text.empty() && text[0] != '"') {
      if (static_cast<unsigned char>(text[0]) < 0x20) return false;
      std::size_t length = utf8_length(text);
      if (length == 0) return false;
      if (text[0] == '\\') {
        if (text.size() < 2) return false;
        length = text[1] == 'u' ? 6 : 2;
        if (std::string_view("\"\\nrtu").find(text[1]) == std::string_view::npos) return false;
        if (text.size() < length) return false;
      }
      text.remove_prefix(length);
    }
    if (text.empty()) return false;
    text.remove_prefix(1);
    return true;
  };
  if (!text.starts_with('{')) return false;
  do {
    text.remove_prefix(1);
    if (!quoted() || !text.starts_with(':')) return false;
    text.remove_prefix(1);
    if (text.starts_with('"')) {
      if (!quoted()) return false;
    } else {
      const std::size_t end = text.find_first_of(",}");
      if (end == 0 || end == std::string_view::npos) return false;
      const std::string_view word = text.substr(0, end);
      if (word != "true" && word != "false" &&
          word.find_first_not_of("-0123456789") != std::string_view::npos) {
        return false;
      }
      text.remove_prefix(end);
    }
  } while (text.starts_with(','));
  return text == "}\n";
}

}  // namespace

TEST_CASE("log line: text has time, level, message and key=value, quoted where needed") {
  CHECK(line(LogFormat::text, "message",
             {{"key", "value"},
              {"other", "with space"},
              {"n", -5},
              {"big", UINT64_MAX},
              {"ok", true},
              {"empty", ""},
              {"eq", "a=b"},
              {"q", "say \"hi\"\\"}}) ==
        "2026-11-21T09:12:04.123Z INFO message key=value other=\"with space\" n=-5 "
        "big=18446744073709551615 ok=true empty=\"\" eq=\"a=b\" q=\"say \\\"hi\\\"\\\\\"\n");
}

TEST_CASE("log line: JSON is one object with the same fields") {
  const std::string text =
      line(LogFormat::json, "client \"x\"", {{"shard", 1}, {"database", "a\nb"}, {"ok", false}});
  CHECK(
      text ==
      "{\"time\":\"2026-11-21T09:12:04.123Z\",\"level\":\"info\",\"message\":\"client \\\"x\\\"\","
      "\"shard\":1,\"database\":\"a\\nb\",\"ok\":false}\n");
  CHECK(is_json_object(text));
}

TEST_CASE("log line: what a peer sends cannot forge a line, a field or a terminal command") {
  const std::string evil = "x\nERROR forged\r\t\x1b[2J\x7f\x00 \xC2\x9B"s;
  const std::string text = line(LogFormat::text, evil, {{"name", evil}});
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\\u001b[2J\\u007f\\u0000") != std::string::npos);
  CHECK(text.find("\\u009b") != std::string::npos);
  CHECK(is_json_object(line(LogFormat::json, evil, {{evil, evil}})));
}

TEST_CASE("log line: invalid UTF-8 becomes U+FFFD in both formats") {
  CHECK(line(LogFormat::text, "m", {{"k", "a\xff\xC3z"}}).ends_with("k=\"a\uFFFD\uFFFDz\"\n"));
  CHECK(is_json_object(line(LogFormat::json, "m", {{"k", "a\xff\xC3z\xE2\x82"}})));
}

TEST_CASE("log line: cut at any length it stays whole and says that it was cut") {
  // Method: one text of escapes and multi-byte characters, grown byte by byte past the buffer.
  constexpr std::size_t size = 256;
  for (std::size_t length = 0; length < 300; ++length) {
    std::string value;
    while (value.size() < length) value += value.size() % 3 == 0 ? "\"" : "ä";
    for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
      CAPTURE(length);
      const std::string text = line(format, "m", {{"a", value}, {"b", value}, {"c", 12345}}, size);
      CHECK(text.size() <= size);
      CHECK(text.find('\n') == text.size() - 1);
      const bool is_whole = text.find("12345") != std::string::npos;
      CHECK(is_whole != (text.find("truncated") != std::string::npos));
      if (format == LogFormat::json) CHECK(is_json_object(text));
    }
  }
  CHECK(is_json_object(line(LogFormat::json, std::string(5000, 'x'), {{"k", 1}})));
  CHECK(line(LogFormat::text, std::string(5000, ' '), {}).size() <= 2032);
}
