// A server connection asks auth.query for a role's secret: Parse, Bind, Describe, Execute and Sync of the unnamed statement,
// with the role's name as a parameter in text format. Its answer is swallowed; nothing of it comes from a client but that name.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/check.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/shard/shard.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// One is the answer; that there are more is one, too.
constexpr std::uint32_t rows_max = 2;

// All of its role's own settings give way to these: what the query means hangs on nothing else.
constexpr std::array<wire::NameValue, 3> fixed_parameters{
    {{"search_path", "pg_catalog"},
     // The name's bytes as they are, as PostgreSQL takes them at a login of its own.
     {"client_encoding", "SQL_ASCII"},
     {"application_name", "pgring auth.query"}}};

void append_question(std::string& out, std::string_view query, std::string_view role) {
  wire::append_parse(out, {}, query, {});
  wire::MessageBuilder builder{std::move(out)};
  builder.begin(wire::frontend::Bind);
  builder.put_cstring({});
  builder.put_cstring({});
  builder.put_u16(0);  // all parameters as text
  builder.put_u16(1);
  builder.put_u32(static_cast<std::uint32_t>(role.size()));
  builder.put_bytes(role);
  builder.put_u16(0);  // all columns as text
  POOLER_CHECK(builder.end());
  out = builder.take();
  wire::append_describe(out, {'P', {}});
  builder = wire::MessageBuilder{std::move(out)};
  builder.begin(wire::frontend::Execute);
  builder.put_cstring({});
  builder.put_u32(rows_max);
  POOLER_CHECK(builder.end());
  out = builder.take();
  wire::append_sync(out);
}

// What a query may say of a role it does not like: too long a name, bytes that are no text, a RAISE. To tell that to whoever
// asks for a login would tell which roles there are.
bool is_about_the_role(const SecretLookup& lookup, const wire::ParsedError& error) {
  const std::string_view state = error.sqlstate;
  return lookup.parsed &&
         (state.starts_with("21") || state.starts_with("22") || state.starts_with("P0"));
}

}  // namespace

std::span<const wire::NameValue> lookup_parameters() { return fixed_parameters; }

void Server::look_up(std::unique_ptr<SecretLookup> lookup) {
  pool_.not_idle(*this);
  used_ = shard_.now();
  fresh_ = false;
  lookup_ = std::move(lookup);
  lookup_->answer.restart();
  lookup_->parsed = false;
  shard_.loop().timers().set(timer_, lookup_->deadline);
  own_ = Own::lookup;
  own_failed_ = false;
  own_error_ = {};
  unnamed_ = 0;
  for (const Request request :
       {Request::parse, Request::bind, Request::describe_portal, Request::execute, Request::sync})
    queue_.push({.request = request, .reply = Reply::swallow});
  std::string question;
  append_question(question, lookup_->query, lookup_->answer.role());
  send_text(question);
}

void Server::lookup_message(char type, std::span<const std::byte> body) {
  if (type == wire::backend::ParseComplete) lookup_->parsed = true;
  if (type == wire::backend::RowDescription) lookup_->answer.row_description(body);
  if (type == wire::backend::DataRow) lookup_->answer.data_row(body);
}

void Server::lookup_finished() {
  auto lookup = std::exchange(lookup_, nullptr);
  ring::TimerWheel::cancel(timer_);
  LookupResult result;
  if (!own_failed_) {
    auto answer = lookup->answer.finish();
    if (answer) {
      result.found = std::make_shared<const FoundSecret>(std::move(*answer));
    } else {
      result.error = {.sqlstate = std::string{wire::sqlstate::system_error},
                      .message = std::move(answer.error())};
    }
  } else if (is_about_the_role(*lookup, own_error_)) {
    result.found = std::make_shared<const FoundSecret>(
        FoundSecret{.secret = {}, .why_none = "auth.query failed for it: " + own_error_.message});
  } else {
    result.error = std::exchange(own_error_, {});
  }
  pool_.looked_up(std::move(lookup), std::move(result));
  if (status_ != 'I') return discard("auth.query left a transaction open");
  release_due_ = true;
}

void Server::lookup_late() {
  lookup_->tried_again = true;
  own_failed_ = true;
  own_error_ = {.sqlstate = std::string{wire::sqlstate::query_canceled},
                .message = "PostgreSQL did not answer auth.query in time (timeouts.client_login)"};
  discard("PostgreSQL does not answer auth.query");
}

// The connection is about to close.
void Server::lookup_abandoned() {
  auto lookup = std::exchange(lookup_, nullptr);
  ring::TimerWheel::cancel(timer_);
  wire::ParsedError error = std::exchange(own_error_, {});
  if (!own_failed_) {
    error = {.sqlstate = std::string{wire::sqlstate::connection_failure},
             .message = "the server connection that asked auth.query has ended"};
  }
  pool_.lookup_lost(std::move(lookup), std::move(error));
}

}  // namespace pgring
