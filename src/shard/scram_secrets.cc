#include "src/shard/scram_secrets.h"

#include <utility>

#include "wire/limits.h"

namespace pgring {
namespace {

ScramSecrets::Made make_secret(const std::string& role, std::string_view password,
                               const std::string& process_secret) {
  // The salt of a role that does not exist is made the same way, so the two cannot be told apart.
  const auto mock = wire::scram_mock_secret(role, process_secret, wire::scram_iterations_default);
  if (!mock) return nullptr;
  auto secret = wire::scram_secret_from_password(password, mock->salt, mock->iterations);
  if (!secret) return nullptr;
  return std::make_shared<const wire::ScramSecret>(std::move(*secret));
}

}  // namespace

ScramSecrets::Made ScramSecrets::find(std::string_view role, std::string_view password) const {
  const std::scoped_lock lock{mutex_};
  const auto at = entries_.find(role);
  if (at == entries_.end() || !at->second.password.equals(password)) return nullptr;
  return at->second.made;
}

bool ScramSecrets::make(Workers& workers, const std::string& role, std::string_view password,
                        const std::string& process_secret, Done done) {
  const std::scoped_lock lock{mutex_};
  Entry& entry = entries_[role];
  if (!entry.password.equals(password)) {
    entry.password = Secret{password};
    entry.made = nullptr;
    entry.is_being_made = false;
  }
  if (!entry.is_being_made) {
    const bool taken = workers.post([this, role, copy = Secret{password}, &process_secret] {
      made(role, copy.reveal(), make_secret(role, copy.reveal(), process_secret));
    });
    if (!taken) return false;
    entry.is_being_made = true;
  }
  entry.waiting.push_back(std::move(done));
  return true;
}

void ScramSecrets::made(const std::string& role, std::string_view password, Made secret) {
  std::vector<Done> waiting;
  {
    const std::scoped_lock lock{mutex_};
    Entry& entry = entries_[role];
    // Else the password has changed meanwhile, and another worker is at it or the role is gone.
    if (entry.password.equals(password)) {
      entry.made = std::move(secret);
      entry.is_being_made = false;
    }
    if (!entry.is_being_made) waiting.swap(entry.waiting);
  }
  for (auto& done : waiting) done();
}

void ScramSecrets::keep_only(const UserList& users) {
  const std::scoped_lock lock{mutex_};
  std::erase_if(entries_, [&](const auto& item) {
    const auto& [role, entry] = item;
    if (entry.is_being_made || !entry.waiting.empty()) return false;
    const auto user = users.find(role);
    return user == users.end() || user->second.kind != SecretKind::plain ||
           !(user->second.text == entry.password);
  });
}

}  // namespace pgring
