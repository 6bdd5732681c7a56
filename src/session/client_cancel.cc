// A request that is cancelled before it has a server connection: its client waits for one, or for a replay.
//
// The request is answered as PostgreSQL would that had begun it: ERROR 57014, then ReadyForQuery. A Query is
// one message and ends with itself. Of the extended protocol everything up to the Sync is dropped, also what
// is still to come; messages that are behind it in the pipeline were not meant, and go on.
// Source: protocol-flow, "Canceling Requests in Progress", "Extended Query" (errors skip to Sync).
#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/shard.h"
#include "wire/limits.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring {

namespace frontend = wire::frontend;

std::uint32_t Client::cancel_secret_size() const {
  return long_cancel_key_ ? wire::cancel_secret_size_3_2 : wire::cancel_secret_size_min;
}

void Client::cancel_waiting() {
  if (phase_ != Phase::waiting || !waiting_hook.linked()) return;
  pool_->leave(*this);
  phase_ = Phase::idle;
  requested_ = shard_.now();
  cancel_held();
}

void Client::cancel_held() {
  if (phase_ != Phase::idle) return;  // it was only waited for until it is idle, and is closed now
  fail_request({.severity = "ERROR",
                .sqlstate = wire::sqlstate::query_canceled,
                .message = "canceling statement due to user request",
                .detail = {},
                .hint = {}});
}

// A message of the cancelled request, or the one that shows what it is.
Client::Verdict Client::drop_cancelled(char type) {
  if (dropping_ == Dropping::request) {
    // A Sync waits for a server connection only if it is malformed; PostgreSQL answers it by itself too.
    const bool alone =
        type == frontend::Query || type == frontend::FunctionCall || type == frontend::Sync;
    dropping_ = alone ? Dropping::one_message : Dropping::to_sync;
  }
  return Verdict::drop;
}

// A message that went to no server has ended. Nothing is open anywhere: where one is due the answer is certain.
void Client::dropped(char type) {
  if (type != frontend::Sync && dropping_ != Dropping::one_message) return;
  dropping_ = Dropping::nothing;
  std::string ready;
  wire::append_ready_for_query(ready, idle_status());
  send_text(ready);
}

}  // namespace pgring
