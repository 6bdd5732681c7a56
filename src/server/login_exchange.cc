#include "src/server/login_exchange.h"

#include <atomic>
#include <utility>

#include "wire/backend_key_data.h"
#include "wire/byte_reader.h"
#include "wire/framer.h"
#include "wire/md5.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/negotiate_protocol_version.h"
#include "wire/parameter_status.h"
#include "wire/sqlstate.h"
#include "wire/startup.h"

namespace pgring {
namespace {

namespace backend = wire::backend;

// A server that sends more than this before it is ready is not one.
constexpr std::size_t login_input_max = std::size_t{1024} * 1024;

StoredSecret clone(const StoredSecret& secret) { return {secret.text.clone(), secret.kind}; }

}  // namespace

std::optional<StoredSecret> stored_login_secret(const Config& config, std::string_view database,
                                                std::string_view role) {
  const DatabaseConfig* const entry = find_database(config, database);
  if (entry != nullptr && !entry->password.empty()) {
    // The database's own password is for its forced role.
    const auto kind = classify_secret(entry->password.reveal());
    return StoredSecret{entry->password.clone(), kind ? *kind : SecretKind::plain};
  }
  const auto user = config.users.find(role);
  if (user == config.users.end()) return std::nullopt;
  return clone(user->second);
}

LoginExchange::Outcome LoginExchange::fail(std::string_view sqlstate, std::string message,
                                           std::string hint) {
  error_ = {.severity = "FATAL",
            .sqlstate = std::string{sqlstate},
            .message = std::move(message),
            .hint = std::move(hint)};
  return Outcome::failed;
}

void LoginExchange::begin(std::span<const wire::NameValue> parameters, std::string& out) {
  minor_ = only_protocol_3_0_->load(std::memory_order_relaxed) ? 0 : wire::protocol_minor_supported;
  wire::append_startup(out, parameters, wire::protocol_version_3_0 | minor_);
}

LoginExchange::Outcome LoginExchange::receive(std::span<const std::byte> bytes,
                                              const LoginSecrets& secrets, std::string& answer) {
  input_ += wire::as_text(bytes);
  if (input_.size() > login_input_max)
    return fail(wire::sqlstate::protocol_violation, "the server sent too much during login");
  for (;;) {
    wire::Framer framer;
    wire::Framer::Part part;
    std::uint32_t position = 0;
    const auto outcome = framer.next(std::as_bytes(std::span{input_}), position, part);
    if (outcome == wire::Framer::Outcome::malformed) {
      return fail(wire::sqlstate::protocol_violation,
                  "the server does not speak PostgreSQL's protocol");
    }
    if (outcome == wire::Framer::Outcome::need_more || !part.ends) return Outcome::unfinished;
    const std::string body =
        input_.substr(wire::Framer::header_size, part.size - wire::Framer::header_size);
    input_.erase(0, part.size);
    const auto result = message(part.type, std::as_bytes(std::span{body}), secrets, answer);
    if (result != Outcome::unfinished) return result;
  }
}

LoginExchange::Outcome LoginExchange::message(char type, std::span<const std::byte> body,
                                              const LoginSecrets& secrets, std::string& answer) {
  switch (type) {
    case backend::Authentication:
      return authenticate(body, secrets, answer);
    case backend::ParameterStatus:
      if (const auto parameter = wire::parse_parameter_status(body))
        put_parameter(parameters_, parameter->name, parameter->value);
      return Outcome::unfinished;
    case backend::BackendKeyData: {
      // Of any length, whatever the version: it is the server that must know it again.
      const auto key = wire::parse_backend_key_data(body);
      if (!key) break;
      backend_pid_ = key->pid;
      cancel_secret_ = wire::as_text(key->secret);
      return Outcome::unfinished;
    }
    case backend::NegotiateProtocolVersion:
      return negotiated(body);
    case backend::NoticeResponse:
      return Outcome::unfinished;
    case backend::ErrorResponse:
      return refused(wire::parse_error_response(body));
    case backend::ReadyForQuery:
      if (!authenticated_ || body.size() != 1 || static_cast<char>(body[0]) != 'I') break;
      return Outcome::ready;
    default:
      break;
  }
  return fail(wire::sqlstate::protocol_violation,
              std::string{"unexpected message '"} + type + "' from the server during login");
}

// The server has an older protocol than was asked for: PostgreSQL before 18 has 3.0. Nothing but the cancel
// key's length hangs on it, and that is taken as it comes; so is 3.1, which was never used.
LoginExchange::Outcome LoginExchange::negotiated(std::span<const std::byte> body) {
  const auto answer = wire::parse_negotiate_protocol_version(body);
  const bool sound = answer && answer->minor < minor_ && answer->options == 0 && !authenticated_ &&
                     !std::exchange(negotiated_, true);
  if (sound) return Outcome::unfinished;
  return fail(
      wire::sqlstate::protocol_violation,
      "the server's NegotiateProtocolVersion is no answer to protocol 3." + std::to_string(minor_));
}

void LoginExchange::begin_again() {
  negotiated_ = false;
  input_.clear();
  error_ = {};
}

bool LoginExchange::refused_at_once() const {
  return !taken_ && error_.sqlstate == wire::sqlstate::invalid_authorization_specification;
}

LoginExchange::Outcome LoginExchange::refused(std::optional<wire::ParsedError> error) {
  if (!error)
    return fail(wire::sqlstate::protocol_violation, "the server refused the login unreadably");
  error_ = std::move(*error);
  // Not every server negotiates, as PostgreSQL has done since 9.3: this one is asked for 3.0 from now on, and
  // soon, as one that is not ready yet.
  if (minor_ > 0 && !taken_ && !authenticated_ &&
      error_.sqlstate == wire::sqlstate::feature_not_supported) {
    only_protocol_3_0_->store(true, std::memory_order_relaxed);
    error_.sqlstate = wire::sqlstate::cannot_connect_now;
    error_.detail = "pgring asks this server for protocol 3.0 from now on.";
  }
  return Outcome::failed;
}

LoginExchange::Outcome LoginExchange::authenticate(std::span<const std::byte> body,
                                                   const LoginSecrets& secrets,
                                                   std::string& answer) {
  const auto request = wire::parse_authentication(body);
  if (!request) {
    return fail(wire::sqlstate::protocol_violation,
                "malformed authentication request from the server");
  }
  taken_ = true;
  switch (request->kind) {
    case wire::AuthenticationKind::Ok:
      if (scram_ != nullptr && !scram_->succeeded()) break;
      authenticated_ = true;
      scram_.reset();
      return Outcome::unfinished;
    case wire::AuthenticationKind::CleartextPassword:
      return answer_password({}, secrets, answer);
    case wire::AuthenticationKind::MD5Password:
      return answer_password(request->salt, secrets, answer);
    case wire::AuthenticationKind::SASL:
    case wire::AuthenticationKind::SASLContinue:
    case wire::AuthenticationKind::SASLFinal:
      return answer_sasl(*request, secrets, answer);
    case wire::AuthenticationKind::KerberosV5:
    case wire::AuthenticationKind::GSS:
    case wire::AuthenticationKind::GSSContinue:
    case wire::AuthenticationKind::SSPI:
    case wire::AuthenticationKind::unknown:
      break;
  }
  return fail(wire::sqlstate::feature_not_supported,
              "the server asks for an authentication method pgring does not have (request " +
                  std::to_string(request->number) + ")",
              "Let pg_hba.conf ask for scram-sha-256, md5 or trust for connections from pgring.");
}

LoginExchange::Outcome LoginExchange::no_password(std::string_view method) {
  return fail(
      wire::sqlstate::invalid_authorization_specification,
      "no secret is stored with which role \"" + role_ + "\" could log in to the server (" +
          std::string{method} + ")",
      "Store its password in auth.file or role.NAME.password; of auth.role in auth.password.");
}

LoginExchange::Outcome LoginExchange::answer_password(
    std::optional<std::span<const std::byte, 4>> salt, const LoginSecrets& secrets,
    std::string& answer) {
  const auto& secret = secrets.stored;
  const bool plain = secret && secret->kind == SecretKind::plain;
  std::optional<std::string> text;
  if (!salt) {
    if (!plain) return no_password("password");
    text = std::string{secret->text.reveal()};
  } else {
    std::optional<std::string> hashed;
    if (plain) hashed = wire::md5_secret(secret->text.reveal(), role_);
    if (secret && secret->kind == SecretKind::md5) hashed = std::string{secret->text.reveal()};
    if (!hashed) return no_password("md5");
    text = wire::md5_response(*hashed, *salt);
  }
  if (!text) return no_password("md5");
  wire::append_password_message(answer, *text);
  return Outcome::unfinished;
}

LoginExchange::Outcome LoginExchange::answer_sasl(const wire::Authentication& request,
                                                  const LoginSecrets& secrets,
                                                  std::string& answer) {
  if (request.kind == wire::AuthenticationKind::SASL) {
    const bool plus = !binding_.empty() && request.offers(wire::scram_plus_mechanism);
    if ((!plus && !request.offers(wire::scram_mechanism)) || scram_ != nullptr) {
      return fail(wire::sqlstate::feature_not_supported,
                  "the server offers no SASL mechanism pgring has");
    }
    auto nonce = wire::make_scram_nonce();
    const auto& secret = secrets.stored;
    if (secret && secret->kind == SecretKind::plain && nonce) {
      scram_ = std::make_unique<wire::ScramClient>(secret->text.reveal(), std::move(*nonce));
    } else if (secrets.keys && nonce) {
      scram_ = std::make_unique<wire::ScramClient>(*secrets.keys, std::move(*nonce));
    } else {
      return no_password("scram-sha-256");
    }
    if (!binding_.empty()) {
      scram_->bind(plus ? wire::ScramBinding::in_use : wire::ScramBinding::unused,
                   wire::as_text(binding_.bytes()));
    }
    wire::append_sasl_initial_response(
        answer, plus ? wire::scram_plus_mechanism : wire::scram_mechanism, scram_->first_message());
    return Outcome::unfinished;
  }
  if (scram_ == nullptr)
    return fail(wire::sqlstate::protocol_violation, "SASL message from the server out of order");
  const bool last = request.kind == wire::AuthenticationKind::SASLFinal;
  const auto reply =
      last ? scram_->receive_final(request.data) : scram_->receive_first(request.data);
  if (reply.error) {
    return fail(reply.error->sqlstate,
                "SCRAM with the server failed: " + std::string{reply.error->message},
                std::string{reply.error->detail});
  }
  if (!last) wire::append_sasl_response(answer, reply.data);
  return Outcome::unfinished;
}

}  // namespace pgring
