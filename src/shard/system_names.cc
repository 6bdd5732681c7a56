#include "src/shard/system_names.h"

#include <pwd.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace pgring {
namespace {

constexpr ring::Duration kept_known = std::chrono::seconds{60};
constexpr ring::Duration kept_unknown = std::chrono::seconds{1};
constexpr std::size_t record_size_max = std::size_t{1} << 20;

}  // namespace

std::optional<std::string> system_name(uid_t id) {
  std::vector<char> buffer(1024);
  for (;;) {
    passwd record{};
    passwd* found = nullptr;
    const int error = ::getpwuid_r(id, &record, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    if (error == ERANGE && buffer.size() < record_size_max) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (error != 0 || found == nullptr) return std::nullopt;
    return std::string{found->pw_name};
  }
}

std::optional<SystemNames::Answer> SystemNames::find(uid_t id, ring::Instant now) const {
  const std::scoped_lock lock{mutex_};
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.until <= now) return std::nullopt;
  return at->second;
}

bool SystemNames::ask(Workers& workers, uid_t id, ring::Instant now,
                      std::move_only_function<void()> done) {
  return workers.post([this, id, now, done = std::move(done)]() mutable {
    Answer answer{system_name(id), {}};
    answer.until = now + (answer.name ? kept_known : kept_unknown);
    {
      const std::scoped_lock lock{mutex_};
      if (entries_.size() >= entries_max && !entries_.contains(id)) entries_.clear();
      entries_[id] = std::move(answer);
    }
    done();
  });
}

}  // namespace pgring
