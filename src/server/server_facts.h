// What a server connection needs while it asks the instance for its facts and not otherwise.
#pragma once

#include <utility>

#include "src/budget/facts.h"
#include "src/budget/facts_desk.h"

namespace pgring {

struct FactsAsked {
  explicit FactsAsked(FactsDesk::Claim claimed)
      : claim{std::move(claimed)}, reader{claim.names()} {}
  FactsDesk::Claim claim;
  FactsReader reader;
};

}  // namespace pgring
