// One question to PostgreSQL for a role's secret, on its way.
//
// Owner:  the pool that asks, then the server connection while it is asked; handed over whole. SecretLookups knows who
//         waits for it, by its id.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ring/clock.h"
#include "src/auth/found_secret.h"
#include "src/server/secret_answer.h"
#include "wire/error_response.h"

namespace pgring {

struct SecretLookup {
  SecretLookup(std::uint64_t its_id, std::string role, std::string its_query)
      : id{its_id}, query{std::move(its_query)}, answer{std::move(role)} {}

  std::uint64_t id;
  std::string query;
  ring::Instant asked{};
  ring::Instant deadline{};  // unanswered by then, it has failed
  SecretAnswer answer;
  bool parsed = false;       // the query is one: an error from here on may be about the role
  bool tried_again = false;  // its first connection was lost
};

// Either the secret, or that there is none, or why nobody knows.
struct LookupResult {
  FoundSecretRef found;  // null: `error`
  wire::ParsedError error;
  bool is_late = false;  // its time was over: that of the login for which it was asked
};

}  // namespace pgring
