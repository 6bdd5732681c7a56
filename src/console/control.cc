#include "src/console/control.h"

#include <atomic>
#include <charconv>
#include <memory>

#include "src/console/gather.h"
#include "src/log/log.h"
#include "src/server/walsender.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring::console {
namespace {

// How often a PAUSE looks whether the last server connection has gone.
constexpr ring::Duration pause_poll = std::chrono::milliseconds{50};

void log_command(const ConsoleRequest& request, const Command& command) {
  log::info("console command", {{"shard", request.shard().index()},
                                {"command", command.tag},
                                {"argument", command.argument}});
}

// False: refused.
bool names_a_database(const ConsoleRequest& request, const Command& command) {
  if (command.argument.empty()) return true;
  if (is_console_database(command.argument)) {
    request.refuse(
        {.sqlstate = wire::sqlstate::feature_not_supported,
         .message = std::string{command.tag} + " is not for the console's own database"});
    return false;
  }
  if (find_database(request.shard().config(), command.argument) != nullptr) return true;
  request.refuse({.sqlstate = wire::sqlstate::invalid_catalog_name,
                  .message = "no such database: " + command.argument});
  return false;
}

void answer_done(const ConsoleRequest& request) {
  if (request.is_waited_for()) request.answer({});
}

// RELOAD

void reload(const ConsoleRequest& request) {
  const auto& ask = request.shard().shared().ask_reload;
  Shard& home = request.shard();
  ask([request, &home](std::string errors) {
    // On the main thread; the shards have been sent the new configuration, if it is good.
    home.post([request, errors = std::move(errors)] {
      if (!errors.empty()) {
        return request.refuse({.sqlstate = "F0000",
                               .message = "RELOAD failed, the configuration stays as it was",
                               .detail = errors});
      }
      // A shard works in order: when it comes to this it has taken the new one.
      on_all_shards(request.shard(), [](Shard&) {}, [request] { answer_done(request); });
    });
  });
}

// PAUSE, RESUME, RECONNECT

struct PauseState {
  std::atomic<bool> connected{false};
  std::atomic<bool> resumed{false};
};

void await_pause(const ConsoleRequest& request, const std::string& database);

void look_at_pause(const ConsoleRequest& request, const std::string& database,
                   const PauseState& state) {
  if (!request.is_waited_for()) return;
  if (state.resumed) {
    return request.refuse(
        {.sqlstate = wire::sqlstate::query_canceled, .message = "PAUSE was ended by RESUME"});
  }
  if (!state.connected) return request.answer({});
  request.after(pause_poll, [request, database] { await_pause(request, database); });
}

void await_pause(const ConsoleRequest& request, const std::string& database) {
  const auto state = std::make_shared<PauseState>();
  on_all_shards(
      request.shard(),
      [state, database](Shard& shard) {
        if (database.empty() ? !shard.all_paused() : !shard.is_paused(database))
          state->resumed = true;
        for (const auto& [key, pool] : shard.pools()) {
          if ((database.empty() || key.database == database) && !pool->drained())
            state->connected = true;
        }
        for (const auto& [walsender, owned] : shard.walsenders()) {
          if (database.empty() || walsender->database() == database) state->connected = true;
        }
      },
      [state, request, database] { look_at_pause(request, database, *state); });
}

void pause(const ConsoleRequest& request, const Command& command) {
  const std::string& database = command.argument;
  Shard& home = request.shard();
  if (home.all_paused()) {
    return request.refuse({.sqlstate = wire::sqlstate::object_not_in_prerequisite_state,
                           .message = "already paused"});
  }
  request.on_cancel([&home, database] {
    on_all_shards(home, [database](Shard& shard) { shard.resume(database); }, [] {});
  });
  on_all_shards(
      home, [database](Shard& shard) { shard.pause(database); },
      [request, database] { await_pause(request, database); });
}

void resume(const ConsoleRequest& request, const Command& command) {
  const std::string& database = command.argument;
  Shard& home = request.shard();
  const auto refuse = [&](std::string message) {
    request.refuse({.sqlstate = wire::sqlstate::object_not_in_prerequisite_state,
                    .message = std::move(message)});
  };
  if (home.shared().life.load() != Life::serving) return refuse("pgring is shutting down");
  if (database.empty() && !home.all_paused()) return refuse("pgring is not paused");
  if (!database.empty() && !home.is_paused(database))
    return refuse("database " + database + " is not paused");
  if (!database.empty() && home.all_paused())
    return refuse("all databases are paused: RESUME without a name ends that");
  on_all_shards(
      home, [database](Shard& shard) { shard.resume(database); },
      [request] { answer_done(request); });
}

void reconnect(const ConsoleRequest& request, const Command& command) {
  on_all_shards(
      request.shard(),
      [database = command.argument](Shard& shard) {
        for (const auto& [key, pool] : shard.pools()) {
          if (database.empty() || key.database == database) pool->close_all("RECONNECT");
        }
        shard.end_replication(database, "terminating replication connection: RECONNECT");
      },
      [request] { answer_done(request); });
}

// KILL_CLIENT

bool kill_client(Shard& shard, std::uint64_t id) {
  for (Client* client = shard.clients().front(); client != nullptr;
       client = Shard::ClientList::next(*client)) {
    if (client->id() != id) continue;
    client->fatal(wire::sqlstate::admin_shutdown,
                  "terminating connection due to administrator command", {}, {});
    return true;
  }
  return false;
}

void kill_client(const ConsoleRequest& request, const Command& command) {
  std::uint64_t id = 0;
  const std::string& text = command.argument;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) {
    return request.refuse({.sqlstate = wire::sqlstate::invalid_parameter_value,
                           .message = "KILL_CLIENT needs a client's id, a number",
                           .hint = "It is in the last column of SHOW CLIENTS."});
  }
  const auto found = std::make_shared<std::atomic<bool>>(false);
  on_all_shards(
      request.shard(),
      [found, id](Shard& shard) {
        if (kill_client(shard, id)) *found = true;
      },
      [found, request] {
        if (*found) return answer_done(request);
        request.refuse(
            {.sqlstate = wire::sqlstate::undefined_object, .message = "client not found"});
      });
}

Life life_after(Verb verb) {
  if (verb == Verb::shutdown_wait_for_clients) return Life::draining;
  return verb == Verb::shutdown_wait_for_servers ? Life::finishing : Life::stopping;
}

}  // namespace

void control(const ConsoleRequest& request, const Command& command) {
  const auto on_database = [&](void (*act)(const ConsoleRequest&, const Command&)) {
    if (names_a_database(request, command)) act(request, command);
  };
  log_command(request, command);
  switch (command.verb) {
    case Verb::reload:
      return reload(request);
    case Verb::pause:
      return on_database(pause);
    case Verb::resume:
      return on_database(resume);
    case Verb::reconnect:
      return on_database(reconnect);
    case Verb::kill_client:
      return kill_client(request, command);
    case Verb::shutdown:
    case Verb::shutdown_wait_for_servers:
    case Verb::shutdown_wait_for_clients:
      request.answer({});
      return request.shard().shared().ask_life(life_after(command.verb));
    case Verb::show:
    case Verb::set:
    case Verb::acknowledge:
    case Verb::deallocate:
    case Verb::deallocate_all:
      break;
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring::console
