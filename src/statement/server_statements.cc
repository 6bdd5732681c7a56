#include "src/statement/server_statements.h"

#include <utility>

#include "src/base/check.h"

namespace pgring {

ServerStatements::Copy* ServerStatements::find(std::uint64_t id) {
  if (!copies_.empty() && copies_.front().statement->id() == id) return &copies_.front();
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &*at->second;
}

ServerStatements::Copy* ServerStatements::use(const Statement& statement) {
  if (!copies_.empty() && copies_.front().statement.get() == &statement)
    return copies_.front().usable() ? &copies_.front() : nullptr;
  const auto at = by_id_.find(statement.id());
  if (at == by_id_.end()) return nullptr;
  copies_.splice(copies_.begin(), copies_, at->second);
  return at->second->usable() ? &*at->second : nullptr;
}

ServerStatements::Copy& ServerStatements::put(StatementRef statement) {
  const std::uint64_t id = statement->id();
  if (const auto at = by_id_.find(id); at != by_id_.end()) {
    copies_.splice(copies_.begin(), copies_, at->second);
    Copy& copy = copies_.front();
    copy.version.reset();
    copy.epoch = copy.statement->epoch();
    copy.doubtful = false;
    copy.binds = 0;
    return copy;
  }
  const std::uint32_t epoch = statement->epoch();
  copies_.push_front({.statement = std::move(statement), .version = {}, .epoch = epoch});
  by_id_.emplace(id, copies_.begin());
  return copies_.front();
}

void ServerStatements::doubt(std::uint64_t id) {
  if (Copy* const copy = find(id)) copy->doubtful = true;
}

void ServerStatements::doubt_all() {
  for (Copy& copy : copies_) copy.doubtful = true;
}

void ServerStatements::drop_doubtful() {
  for (auto copy = copies_.begin(); copy != copies_.end();) {
    if (copy->doubtful) by_id_.erase(copy->statement->id());
    copy = copy->doubtful ? copies_.erase(copy) : std::next(copy);
  }
}

StatementRef ServerStatements::evict() {
  POOLER_CHECK(!copies_.empty());
  StatementRef statement = std::move(copies_.back().statement);
  by_id_.erase(statement->id());
  copies_.pop_back();
  return statement;
}

void ServerStatements::put_doubtful(StatementRef statement) {
  if (find(statement->id()) != nullptr) return;
  const std::uint64_t id = statement->id();
  copies_.push_back({.statement = std::move(statement), .version = {}, .doubtful = true});
  by_id_.emplace(id, std::prev(copies_.end()));
}

void ServerStatements::clear() {
  by_id_.clear();
  copies_.clear();
}

}  // namespace pgring
