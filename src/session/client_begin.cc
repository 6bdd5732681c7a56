// BEGIN without a server connection: it is answered at once and travels with what comes next, so that a client that thinks
// between the two keeps nobody waiting. For a BEGIN without options only, and in transaction mode only.
//
// What differs from a direct connection: now() and the snapshot are of the next statement (for the snapshot they always
// are). `lazy_begin = false` switches it off.
#include <string>
#include <utility>

#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"
#include "wire/message_builder.h"
#include "wire/sql_traits.h"
#include "wire/sql_transaction_end.h"

namespace pgring {

bool Client::answer_begin(std::span<const std::byte> body) {
  const PoolSettings& settings = pool_->settings();
  if (!settings.lazy_begin || settings.mode != PoolMode::transaction || begun_ != Begun::no)
    return false;
  // Longer than START TRANSACTION with a comment or two: something else.
  constexpr std::size_t longest = 64;
  if (body.size() > longest) return false;
  const std::string_view text = wire::as_text(body);
  if (!wire::sql_traits(text.substr(0, text.find('\0'))).has(wire::SqlTrait::plain_begin))
    return false;
  begun_ = Begun::yes;
  requested_ = transaction_ = shard_.now();
  ++pool_->stats().queries;
  if (statements_ != nullptr) statements_->unnamed.exists = false;
  const char first = text[text.find_first_not_of(" \t\r\n\f\v")];
  std::string answer;
  wire::append_command_complete(answer,
                                first == 's' || first == 'S' ? "START TRANSACTION" : "BEGIN");
  wire::append_ready_for_query(answer, 'T');
  send_text(answer);
  arm_timer();
  return true;
}

// The end of a transaction in which nothing was done: no server connection needs to hear of it.
bool Client::answer_end(std::span<const std::byte> body) {
  if (begun_ != Begun::yes) return false;
  constexpr std::size_t longest = 64;
  if (body.size() > longest) return false;
  const std::string_view text = wire::as_text(body);
  if (text.empty() || text.find('\0') != text.size() - 1) return false;
  const auto end = wire::read_transaction_end(text);
  using Kind = wire::SqlTransactionEnd::Kind;
  if (!end.alone || (end.kind != Kind::commit && end.kind != Kind::rollback)) return false;
  if (!end.chain) begun_ = Begun::no;
  requested_ = transaction_ = shard_.now();
  ++pool_->stats().queries;
  std::string answer;
  wire::append_command_complete(answer, end.kind == Kind::commit ? "COMMIT" : "ROLLBACK");
  wire::append_ready_for_query(answer, idle_status());
  send_text(answer);
  arm_timer();
  return true;
}

// Before the first message behind it, in the same write.
void Client::send_begin() {
  aborted_.reset();
  server_->begin_for_client();
  // Whatever it says, the transaction is to be one that has failed.
  if (std::exchange(begun_, Begun::no) == Begun::failed) server_->fail_for_client();
}

char Client::idle_status() const {
  switch (begun_) {
    case Begun::no:
      break;
    case Begun::yes:
      return 'T';
    case Begun::failed:
      return 'E';
  }
  return 'I';
}

}  // namespace pgring
