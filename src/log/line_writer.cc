#include "src/log/line_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "src/base/check.h"
#include "src/base/utf8.h"

namespace pgring::log {
namespace {

constexpr std::string_view json_cut = ",\"truncated\":true";
constexpr std::string_view text_cut = " truncated=true";
// The closing quote of a cut text, the mark, the brace and the line end.
constexpr std::size_t tail_size = 1 + json_cut.size() + 2;
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view hex = "0123456789abcdef";

std::string_view text_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warning:
      return "WARNING";
    case LogLevel::error:
      return "ERROR";
  }
  POOLER_UNREACHABLE();
}

std::string_view json_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  POOLER_UNREACHABLE();
}

// Text that splits unambiguously at blanks and the first = may stand without quotes.
bool is_bare(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

struct Escaped {
  std::array<char, 6> bytes;
  std::size_t size;
};

// A control character as JSON (and our text format) writes it.
Escaped escape_control(unsigned code) {
  switch (code) {
    case '\n':
      return {{'\\', 'n'}, 2};
    case '\r':
      return {{'\\', 'r'}, 2};
    case '\t':
      return {{'\\', 't'}, 2};
    default:
      return {{'\\', 'u', '0', '0', hex[(code >> 4) & 15], hex[code & 15]}, 6};
  }
}

// U+0080 to U+009F: terminals act on them as on ESC sequences.
bool is_c1_control(std::string_view character) {
  return character.size() == 2 && character[0] == '\xC2' &&
         static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

LineWriter::LineWriter(std::span<char> buffer, LogFormat format)
    : buffer_(buffer), format_(format), limit_(buffer.size() - tail_size) {
  POOLER_CHECK(buffer.size() >= 256);
}

bool LineWriter::put(std::string_view text) {
  if (truncated_ || text.size() > limit_ - size_) {
    truncated_ = true;
    return false;
  }
  std::copy(text.begin(), text.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += text.size();
  return true;
}

bool LineWriter::put_integer(auto number) {
  std::array<char, 24> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  POOLER_CHECK(error == std::errc{});
  return put({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

bool LineWriter::put_escaped(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    const auto first = static_cast<unsigned char>(character[0]);
    text.remove_prefix(character.size());
    bool fits = true;
    if (length == 0) {
      fits = put(replacement);
    } else if (first == '"' || first == '\\') {
      const std::array<char, 2> escaped{'\\', character[0]};
      fits = put({escaped.data(), escaped.size()});
    } else if (first < 0x20 || first == 0x7F || is_c1_control(character)) {
      const unsigned code = length == 2 ? static_cast<unsigned char>(character[1]) : first;
      const Escaped escaped = escape_control(code);
      fits = put({escaped.bytes.data(), escaped.size});
    } else {
      fits = put(character);
    }
    if (!fits) return false;
  }
  return true;
}

// A quoted text. Cut inside, it is closed with the room kept for that.
void LineWriter::put_text(std::string_view text) {
  if (!put("\"")) return;
  if (put_escaped(text) && put("\"")) return;
  buffer_[size_++] = '"';
}

bool LineWriter::put_value(const Field::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return put_integer(*number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return put_integer(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return put(*flag ? "true" : "false");
  const auto* text = std::get_if<std::string_view>(&value);
  POOLER_CHECK(text != nullptr);
  // A bare value that does not fit whole is quoted, because only a quoted one can be cut.
  const bool stands_bare =
      format_ == LogFormat::text && is_bare(*text) && text->size() <= limit_ - size_;
  if (stands_bare) return put(*text);
  if (limit_ - size_ < 1) return put("\"");
  put_text(*text);
  return true;
}

void LineWriter::put_time(Clock::time_point now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(now - day));
  std::array<char, 24> text{};
  std::size_t at = 0;
  const auto digits = [&](unsigned long number, unsigned width, char after) {
    for (unsigned i = width; i > 0; --i, number /= 10) {
      text[at + i - 1] = static_cast<char>('0' + number % 10);
    }
    at += width;
    text[at++] = after;
  };
  digits(static_cast<unsigned long>(static_cast<int>(date.year())), 4, '-');
  digits(static_cast<unsigned>(date.month()), 2, '-');
  digits(static_cast<unsigned>(date.day()), 2, 'T');
  digits(static_cast<unsigned long>(time.hours().count()), 2, ':');
  digits(static_cast<unsigned long>(time.minutes().count()), 2, ':');
  digits(static_cast<unsigned long>(time.seconds().count()), 2, '.');
  digits(static_cast<unsigned long>(time.subseconds().count()), 3, 'Z');
  put({text.data(), at});
}

void LineWriter::begin(Clock::time_point now, LogLevel level, std::string_view message) {
  if (format_ == LogFormat::json) {
    put("{\"time\":\"");
    put_time(now);
    put("\",\"level\":\"");
    put(json_name(level));
    put("\",\"message\":");
    put_text(message);
    return;
  }
  put_time(now);
  put(" ");
  put(text_name(level));
  put(" ");
  put_escaped(message);
}

void LineWriter::field(const Field& field) {
  if (truncated_) return;
  const std::size_t before = size_;
  bool fits = false;
  if (format_ == LogFormat::json) {
    fits = put(",\"") && put_escaped(field.key()) && put("\":");
  } else {
    fits = put(" ") && put_escaped(field.key()) && put("=");
  }
  if (fits && put_value(field.value())) return;
  size_ = before;  // half a field would be no JSON; truncated_ stays and says it
}

std::size_t LineWriter::finish() {
  const auto append = [this](std::string_view text) {
    POOLER_CHECK(text.size() <= buffer_.size() - size_);
    std::copy(text.begin(), text.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  };
  if (truncated_) append(format_ == LogFormat::json ? json_cut : text_cut);
  append(format_ == LogFormat::json ? "}\n" : "\n");
  return size_;
}

}  // namespace pgring::log
