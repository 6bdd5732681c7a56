// What is known of the texts that clients of a pool run: whether one may leave state in its session that it does not show.
//
// What:   a text is known by its fingerprint (wire/sql_fingerprint.h). One that has not been seen is *new*: an audit
//         right after its transaction is to say what it leaves. One that ran before an audit which found state that
//         nobody's text had shown is a *suspect*: audited each time, until it has left nothing several times in a
//         row. All others are *clean*: they are looked into with others, some time later.
// Owner:  a part of a pool; its shard's thread. Bounded; what has no room is forgotten, and new when it comes again.
// Units:  the clock is the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/clock.h"

namespace pgring {

class TextMarks {
 public:
  enum class Mark : std::uint8_t { clean, unproven, suspect };

  // So many times in a row it has left nothing: no suspect any more.
  static constexpr std::uint8_t clean_runs_needed = 3;
  // New texts are audited at most so often: where every text is another, audits would be all that is done.
  static constexpr std::uint32_t new_texts_burst = 64;
  static constexpr std::uint32_t new_texts_per_second = 20;
  static constexpr std::size_t texts_max = 2048;
  // Of a text, without its literals, so much is kept, in bytes.
  static constexpr std::size_t text_size_max = 120;
  // So often it has to have been answered before anything is known of that. And little is, in bytes:
  static constexpr std::uint8_t served_needed = 2;
  static constexpr std::uint32_t little = 16 * 1024;

  // Hot path: a text is about to run. `text` is read only if it is new.
  [[nodiscard]] Mark judge(std::uint64_t fingerprint, std::string_view text, ring::Instant now);

  // An audit found nothing after these texts, each of which was judged before it ran.
  void left_nothing(std::span<const std::uint64_t> fingerprints);
  // An audit found something that is none of theirs who ran them to show. How many of them are suspects only now.
  std::size_t left_something(std::span<const std::uint64_t> fingerprints);
  // A statement of this text was answered: how long that took from when PostgreSQL could begin with it, and how much came.
  void served(std::uint64_t fingerprint, ring::Duration time, std::uint64_t bytes);
  // Whether its statements are known to take no longer than `time` and to return little, and to leave nothing behind.
  [[nodiscard]] bool serves_in(std::uint64_t fingerprint, ring::Duration time) const;
  // Found out elsewhere, by another part of the pool.
  void suspect(std::uint64_t fingerprint, std::string_view text);

  // The beginning of a text, without its literals; empty: it is not known any more.
  [[nodiscard]] std::string_view text_of(std::uint64_t fingerprint) const;
  [[nodiscard]] std::size_t suspects() const { return suspects_; }

 private:
  static constexpr std::size_t ways = 4;
  struct Text {
    bool proven = false;
    bool suspect = false;
    std::uint8_t clean_runs = 0;
    std::uint8_t served = 0;
    std::uint32_t bytes = 0;  // mean
    ring::Duration time{};    // likewise
    std::string text;
  };
  // Texts whose fingerprints end in the same bits; 0: a free place.
  using Set = std::array<std::uint64_t, ways>;

  [[nodiscard]] std::size_t find(std::uint64_t fingerprint) const;
  std::size_t put(std::uint64_t fingerprint, std::string_view text);
  void grow();
  [[nodiscard]] bool may_audit_new(ring::Instant now);
  void make_suspect(Text& text);

  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<Set> sets_;    // a power of two of them
  std::vector<Text> texts_;  // of sets_[i / ways][i % ways]
  std::size_t suspects_ = 0;
  std::size_t victim_ = 0;
  // A bucket of audits for new texts.
  std::uint32_t audits_left_ = new_texts_burst;
  ring::Instant filled_at_{};
};

}  // namespace pgring
