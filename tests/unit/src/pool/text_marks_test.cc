#include "src/pool/text_marks.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

using pgring::TextMarks;
using Mark = TextMarks::Mark;

namespace {

constexpr ring::Instant start{std::chrono::hours{1}};

Mark judge(TextMarks& marks, std::uint64_t text, ring::Instant now = start) {
  return marks.judge(text, "select f" + std::to_string(text) + "('secret')", now);
}

void left_nothing(TextMarks& marks, std::uint64_t text) {
  marks.left_nothing(std::array<std::uint64_t, 1>{text});
}

std::size_t left_something(TextMarks& marks, std::uint64_t text) {
  return marks.left_something(std::array<std::uint64_t, 1>{text});
}

}  // namespace

TEST_CASE("text marks: a new text is unproven until an audit has found nothing after it") {
  TextMarks marks;
  CHECK(judge(marks, 1) == Mark::unproven);
  CHECK(judge(marks, 1) == Mark::unproven);
  left_nothing(marks, 1);
  CHECK(judge(marks, 1) == Mark::clean);
  CHECK(judge(marks, 2) == Mark::unproven);
}

TEST_CASE("text marks: a suspect is one until it has left nothing several times in a row") {
  TextMarks marks;
  (void)judge(marks, 1);
  left_nothing(marks, 1);
  CHECK(left_something(marks, 1) == 1);
  CHECK(left_something(marks, 1) == 0);  // known
  CHECK(marks.suspects() == 1);
  for (int i = 0; i < TextMarks::clean_runs_needed - 1; ++i) {
    left_nothing(marks, 1);
    CHECK(judge(marks, 1) == Mark::suspect);
  }
  (void)left_something(marks, 1);
  for (int i = 0; i < TextMarks::clean_runs_needed; ++i) {
    CHECK(judge(marks, 1) == Mark::suspect);
    left_nothing(marks, 1);
  }
  CHECK(judge(marks, 1) == Mark::clean);
  CHECK(marks.suspects() == 0);
}

TEST_CASE("text marks: another part's suspect is one here, whether the text is known or not") {
  TextMarks marks;
  (void)judge(marks, 1);
  left_nothing(marks, 1);
  marks.suspect(1, "");
  marks.suspect(2, "call p(7)");
  CHECK(judge(marks, 1) == Mark::suspect);
  CHECK(judge(marks, 2) == Mark::suspect);
  CHECK(marks.text_of(2) == "call p(?)");
  CHECK(marks.text_of(1) == "select f1(?)");
  CHECK(marks.text_of(3).empty());
}

TEST_CASE("text marks: where every text is a new one, few of them are audited") {
  TextMarks marks;
  std::uint32_t audits = 0;
  std::uint64_t text = 0;
  constexpr int seconds = 10;
  for (int ms = 0; ms < seconds * 1000; ++ms) {
    if (judge(marks, ++text, start + std::chrono::milliseconds{ms}) == Mark::unproven) ++audits;
  }
  CHECK(audits >= TextMarks::new_texts_per_second * (seconds - 1));
  CHECK(audits <= TextMarks::new_texts_burst + TextMarks::new_texts_per_second * seconds);
}

TEST_CASE("text marks: they are bounded, and suspects are forgotten last") {
  TextMarks marks;
  marks.suspect(7, "select f()");
  for (std::uint64_t text = 100; text < 100 + 10 * TextMarks::texts_max; ++text) {
    (void)judge(marks, text);
    left_nothing(marks, text);
  }
  CHECK(judge(marks, 7) == Mark::suspect);
  std::size_t known = 0;
  for (std::uint64_t text = 100; text < 100 + 10 * TextMarks::texts_max; ++text)
    known += marks.text_of(text).empty() ? 0 : 1;
  CHECK(known <= TextMarks::texts_max);
  CHECK(known >= TextMarks::texts_max / 2);
  // Nothing but suspects: one of them has to go.
  for (std::uint64_t text = 1; text <= 2 * TextMarks::texts_max; ++text) marks.suspect(text, "x");
  CHECK(marks.suspects() <= TextMarks::texts_max);
  std::size_t suspects = 0;
  for (std::uint64_t text = 1; text <= 2 * TextMarks::texts_max; ++text)
    suspects += marks.text_of(text).empty() ? 0 : 1;
  CHECK(suspects == marks.suspects());
}

TEST_CASE("text marks: what is known to be short has been answered twice and has left nothing") {
  using namespace std::chrono_literals;
  TextMarks marks;
  constexpr std::uint64_t text = 77;
  constexpr auto limit = 10ms;
  CHECK_FALSE(marks.serves_in(text, limit));
  (void)marks.judge(text, "select 1 from t", ring::Instant{});
  marks.served(text, 1ms, 100);
  marks.served(text, 1ms, 100);
  CHECK_FALSE(marks.serves_in(text, limit));  // what it leaves is not known
  marks.left_nothing(std::array{text});
  CHECK(marks.serves_in(text, limit));
  CHECK_FALSE(marks.serves_in(text, 1us));
  // Another, of which one answer is known.
  (void)marks.judge(78, "select 2 from t", ring::Instant{});
  marks.left_nothing(std::array{std::uint64_t{78}});
  marks.served(78, 1ms, 100);
  CHECK_FALSE(marks.serves_in(78, limit));
  // One that took long is remembered for a while.
  marks.served(text, 1s, 100);
  CHECK_FALSE(marks.serves_in(text, limit));
  for (int i = 0; i < 30; ++i) marks.served(text, 1ms, 100);
  CHECK(marks.serves_in(text, limit));
  // So is a long answer.
  marks.served(text, 1ms, std::uint64_t{1} << 40);
  CHECK_FALSE(marks.serves_in(text, limit));
  // A suspect is not known to leave nothing.
  for (int i = 0; i < 200; ++i) marks.served(text, 1ms, 100);
  CHECK(marks.serves_in(text, limit));
  marks.suspect(text, "select 1 from t");
  CHECK_FALSE(marks.serves_in(text, limit));
}
