// What SCRAM checks roles against whose password is stored as it is.
//
// What:   a secret is made once for a password, by a worker (4096 rounds are over a millisecond), and kept:
//         for all shards, over reloads, until the role's password is another. Its salt stays the same.
// Owner:  Shared; any thread, at logins only. Bounded by the roles that have such a
//         password, in the userlist or by auth.query: only those are asked for.
// Errors: make() false: too many tasks wait. A secret that OpenSSL would not make is not there afterwards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/stored_secret.h"
#include "src/shard/workers.h"
#include "wire/scram_secret.h"

namespace pgring {

class ScramSecrets {
 public:
  using Done = std::move_only_function<void()>;
  using Made = std::shared_ptr<const wire::ScramSecret>;

  // Nullptr: not made yet, or of another password.
  [[nodiscard]] Made find(std::string_view role, std::string_view password) const;

  // Calls `done` on a worker when find() has an answer. Asked again for the same meanwhile, it is made once.
  // `process_secret` is what the salt is made of, and outlives the workers.
  [[nodiscard]] bool make(Workers& workers, const std::string& role, std::string_view password,
                          const std::string& process_secret, Done done);

  // After a reload: forgets roles that have another secret now, or none.
  void keep_only(const UserList& users);

 private:
  struct Entry {
    Secret password;
    Made made;
    bool is_being_made = false;
    std::vector<Done> waiting;
  };
  void made(const std::string& role, std::string_view password, Made secret);

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace pgring
