#include "src/pool/text_marks.h"

#include <algorithm>
#include <utility>

#include "wire/sql_fingerprint.h"

namespace pgring {
namespace {

constexpr std::size_t sets_at_first = 8;

}  // namespace

std::size_t TextMarks::find(std::uint64_t fingerprint) const {
  if (sets_.empty()) return none;
  const std::size_t index = fingerprint & (sets_.size() - 1);
  const Set& set = sets_[index];
  for (std::size_t way = 0; way < ways; ++way) {
    if (set[way] == fingerprint) return index * ways + way;
  }
  return none;
}

TextMarks::Mark TextMarks::judge(std::uint64_t fingerprint, std::string_view text,
                                 ring::Instant now) {
  std::size_t at = find(fingerprint);
  if (at == none) at = put(fingerprint, text);
  const Text& known = texts_[at];
  if (known.suspect) return Mark::suspect;
  if (known.proven) return Mark::clean;
  return may_audit_new(now) ? Mark::unproven : Mark::clean;
}

bool TextMarks::may_audit_new(ring::Instant now) {
  constexpr ring::Duration for_one = ring::Duration{std::chrono::seconds{1}} / new_texts_per_second;
  if (const auto more = (now - filled_at_) / for_one; more > 0) {
    const auto sum = more + static_cast<std::int64_t>(audits_left_);
    audits_left_ = static_cast<std::uint32_t>(std::min<std::int64_t>(sum, new_texts_burst));
    filled_at_ = now;
  }
  if (audits_left_ == 0) return false;
  --audits_left_;
  return true;
}

std::size_t TextMarks::put(std::uint64_t fingerprint, std::string_view text) {
  if (sets_.empty()) grow();
  for (;;) {
    const std::size_t index = fingerprint & (sets_.size() - 1);
    Set& set = sets_[index];
    auto free = std::ranges::find(set, std::uint64_t{0});
    if (free == set.end()) {
      if (sets_.size() * ways < texts_max) {
        grow();
        continue;
      }
      // A suspect stays, if it can.
      std::size_t way = ++victim_ % ways;
      for (std::size_t i = 0; i < ways && texts_[index * ways + way].suspect; ++i)
        way = (way + 1) % ways;
      free = set.begin() + static_cast<std::ptrdiff_t>(way);
      if (texts_[index * ways + way].suspect) --suspects_;
    }
    *free = fingerprint;
    const std::size_t at = index * ways + static_cast<std::size_t>(free - set.begin());
    texts_[at] = {.text = wire::without_literals(text, text_size_max)};
    return at;
  }
}

// Twice as many sets: what was in one goes to two, so that each has room.
void TextMarks::grow() {
  const auto sets =
      std::exchange(sets_, std::vector<Set>(std::max(sets_at_first, sets_.size() * 2)));
  auto texts = std::exchange(texts_, std::vector<Text>(sets_.size() * ways));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::uint64_t fingerprint = sets[i / ways][i % ways];
    if (fingerprint == 0) continue;
    const std::size_t index = fingerprint & (sets_.size() - 1);
    const auto free = std::ranges::find(sets_[index], std::uint64_t{0});
    *free = fingerprint;
    texts_[index * ways + static_cast<std::size_t>(free - sets_[index].begin())] =
        std::move(texts[i]);
  }
}

void TextMarks::left_nothing(std::span<const std::uint64_t> fingerprints) {
  for (const std::uint64_t fingerprint : fingerprints) {
    const std::size_t at = find(fingerprint);
    if (at == none) continue;
    Text& text = texts_[at];
    text.proven = true;
    if (!text.suspect || ++text.clean_runs < clean_runs_needed) continue;
    text.suspect = false;
    --suspects_;
  }
}

void TextMarks::served(std::uint64_t fingerprint, ring::Duration time, std::uint64_t bytes) {
  const std::size_t at = find(fingerprint);
  if (at == none) return;
  Text& text = texts_[at];
  const auto size = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, UINT32_MAX));
  if (text.served == 0) {
    text.time = time;
    text.bytes = static_cast<std::uint32_t>(size);
  } else {
    text.time += (time - text.time) / 8;
    text.bytes = static_cast<std::uint32_t>(text.bytes + (size - text.bytes) / 8);
  }
  if (text.served < served_needed) ++text.served;
}

bool TextMarks::serves_in(std::uint64_t fingerprint, ring::Duration time) const {
  const std::size_t at = find(fingerprint);
  if (at == none) return false;
  const Text& text = texts_[at];
  return text.proven && !text.suspect && text.served == served_needed && text.time <= time &&
         text.bytes <= little;
}

void TextMarks::make_suspect(Text& text) {
  text.clean_runs = 0;
  if (text.suspect) return;
  text.suspect = true;
  ++suspects_;
}

std::size_t TextMarks::left_something(std::span<const std::uint64_t> fingerprints) {
  const std::size_t before = suspects_;
  for (const std::uint64_t fingerprint : fingerprints) {
    if (const std::size_t at = find(fingerprint); at != none) make_suspect(texts_[at]);
  }
  return suspects_ - before;
}

void TextMarks::suspect(std::uint64_t fingerprint, std::string_view text) {
  const std::size_t at = find(fingerprint);
  make_suspect(texts_[at == none ? put(fingerprint, text) : at]);
}

std::string_view TextMarks::text_of(std::uint64_t fingerprint) const {
  const std::size_t at = find(fingerprint);
  return at == none ? std::string_view{} : texts_[at].text;
}

}  // namespace pgring
