// The life of a server connection of ours, from its permit to the end of its backend.
#include <algorithm>

#include "tests/simulation/budget/checks.h"
#include "tests/simulation/budget/model.h"

namespace sim::budget {

using pgring::PermitState;
using Stage = Connection::Stage;

void Model::set_permit(Connection& connection, PermitState state) {
  auto& permits = pools_[connection.pool].permits;
  --permits[static_cast<std::size_t>(connection.permit)];
  ++permits[static_cast<std::size_t>(state)];
  connection.permit = state;
}

void Model::give_permit_back(Connection& connection) {
  const PermitState from = connection.permit;
  --pools_[connection.pool].permits[static_cast<std::size_t>(from)];
  ask_budget([&](auto& actions) { budget_.returned(connection.pool, from, now_, actions); });
}

void Model::permit_comes(std::uint32_t id) {
  Connection& connection = connections_[id];
  Part& part = part_of(connection);
  if (part.paused || !budget_.is_wanted(connection.pool)) {
    connection.stage = Stage::gone;
    return give_permit_back(connection);
  }
  connection.stage = Stage::connecting;
  ++part.opening;
  after(about(setup_.network), Kind::connect, id, 0);
}

void Model::connect(std::uint32_t id) {
  Connection& connection = connections_[id];
  const PoolModel& pool = pools_[connection.pool];
  const auto refuse = [&](pgring::Failure failure) {
    after(about(setup_.network), Kind::refused, id, static_cast<std::uint32_t>(failure));
  };
  switch (postgres_.state) {
    case Postgres::State::away:
      return refuse(pgring::Failure::other);
    case Postgres::State::starting:
      return refuse(pgring::Failure::starting);
    case Postgres::State::up:
      break;
  }
  const auto pid = postgres_.begin(pool.role, pool.database, connection.pool, id);
  if (!pid) return refuse(pgring::Failure::instance_full);
  connection.pid = *pid;
  after(about(setup_.login), Kind::admit, id, 0);
}

void Model::admit(std::uint32_t id) {
  Connection& connection = connections_[id];
  if (!postgres_.is_alive(connection.pid)) return;
  const auto failure = postgres_.admit(connection.pid);
  if (connection.end_told) return;  // nobody is there any more to be told
  if (!failure) return after(about(setup_.network), Kind::logged_in, id, 0);
  connection.end_told = true;
  after(about(setup_.network), Kind::refused, id, static_cast<std::uint32_t>(*failure));
}

void Model::refused(std::uint32_t id, pgring::Failure failure) {
  Connection& connection = connections_[id];
  if (connection.stage == Stage::gone) return;
  --part_of(connection).opening;
  budget_.failed(connection.pool, failure, login_retry, now_);
  connection.stage = Stage::gone;
  give_permit_back(connection);
  seek(connection.pool, connection.part);
}

void Model::logged_in(std::uint32_t id) {
  Connection& connection = connections_[id];
  if (connection.stage != Stage::connecting) return;
  --part_of(connection).opening;
  connection.pid_known = true;
  set_permit(connection, PermitState::open);
  connection.stage = Stage::busy;
  ask_budget([&](auto& actions) { budget_.opened(connection.pool, now_, actions); });
  ask_facts(id);
}

void Model::transaction_over(std::uint32_t id) {
  Connection& connection = connections_[id];
  if (connection.stage != Stage::busy) return;
  const std::uint32_t client = connection.client;
  after(clients_[client].pause, Kind::client_again, client, 0);
  if (now_ >= facts_due_) return ask_facts(id);
  put_back(id);
}

void Model::ask_facts(std::uint32_t id) {
  facts_due_ = now_ + facts_interval;
  connections_[id].stage = Stage::asking;
  connections_[id].asked = now_;
  after(about(setup_.network), Kind::facts_asked, id, 0);
}

void Model::facts_come(std::uint32_t id) {
  Connection& connection = connections_[id];
  if (connection.stage != Stage::asking || !connection.facts) return;
  if (connection.facts->id.started_us > started_us_) {
    // Permits that never told their pid are taken for gone (Budget::return_lost).
    for (const Connection& other : connections_) {
      if (other.permit == PermitState::lost && !other.pid_known) postgres_.disown(other.pid);
    }
    started_us_ = connection.facts->id.started_us;
  }
  checks_->learned(pools_[connection.pool].server, *connection.facts, connection.asked);
  if (setup_.mistake == Mistake::others_not_counted) {
    connection.facts->others = 0;
    connection.facts->others_by_role.clear();
    connection.facts->others_by_database.clear();
  }
  ask_budget([&](auto& actions) {
    budget_.learned(pools_[connection.pool].server, *connection.facts, connection.alive,
                    connection.asked, now_, actions);
  });
  connection.facts.reset();
  put_back(id);
}

void Model::not_idle(std::uint32_t id) {
  Connection& connection = connections_[id];
  if (connection.stage != Stage::idle) return;
  std::erase(part_of(connection).idle, id);
  show_idle(connection.pool, connection.part);
}

void Model::retire(std::uint32_t id) {
  not_idle(id);
  Connection& connection = connections_[id];
  connection.stage = Stage::closing;
  if (connection.permit == PermitState::open) {
    budget_.closing(connection.pool, PermitState::open);
    set_permit(connection, PermitState::closing);
  }
  after(about(setup_.network), Kind::terminate, id, 0);
  if (setup_.mistake == Mistake::permit_back_too_early) give_permit_back(connection);
}

// The backend is gone, and the connection's other end with it.
void Model::tell_end(std::uint32_t id, StreamEnd end) {
  if (connections_[id].end_told) return;
  connections_[id].end_told = true;
  after(about(setup_.network), end == StreamEnd::seen ? Kind::ended : Kind::broke, id, 0);
}

void Model::ended(std::uint32_t id, StreamEnd end) {
  Connection& connection = connections_[id];
  switch (connection.stage) {
    case Stage::permit:
    case Stage::gone:
      return;
    case Stage::moving:
      if (connection.end_seen) break;  // it has arrived
      connection.end_seen = true;
      connection.end = end;
      return;
    case Stage::connecting:
      --part_of(connection).opening;
      budget_.failed(connection.pool, pgring::Failure::other, login_retry, now_);
      break;
    case Stage::idle:
      not_idle(id);
      break;
    case Stage::busy: {
      const std::uint32_t client = connection.client;
      after(clients_[client].pause, Kind::client_again, client, 0);
      break;
    }
    case Stage::asking:
    case Stage::closing:
      break;
  }
  const bool early =
      connection.stage == Stage::closing && setup_.mistake == Mistake::permit_back_too_early;
  connection.stage = Stage::gone;
  if (early) return seek(connection.pool, connection.part);
  if (end == StreamEnd::seen) {
    give_permit_back(connection);
  } else {
    budget_.lost(connection.pool, connection.permit, connection.pid_known ? connection.pid : 0,
                 end == StreamEnd::reset ? pgring::LostBy::reset : pgring::LostBy::silence, now_);
    set_permit(connection, PermitState::lost);
  }
  seek(connection.pool, connection.part);
}

}  // namespace sim::budget
