#include "wire/scram_server.h"

#include <openssl/crypto.h>

#include <utility>

#include "wire/base64.h"
#include "wire/sqlstate.h"

namespace wire {

ScramServer::ScramServer(ScramSecret secret, ScramUser user, std::string nonce)
    : secret_(std::move(secret)), user_(user), server_nonce_(std::move(nonce)) {}

ScramServer::~ScramServer() { OPENSSL_cleanse(client_key_.data(), client_key_.size()); }

ScramServerReply ScramServer::fail(const ScramError& error) {
  phase_ = Phase::failed;
  return {ScramServerStep::malformed, {}, error};
}

ScramServerReply ScramServer::refuse() {
  phase_ = Phase::failed;
  return {ScramServerStep::refused,
          {},
          {sqlstate::invalid_password, "password authentication failed", {}}};
}

void ScramServer::bind(ScramBinding binding, std::string_view data) {
  binding_ = binding;
  binding_data_ = data;
}

ScramServerReply ScramServer::receive(std::string_view message) {
  switch (phase_) {
    case Phase::client_first:
      return receive_client_first(message);
    case Phase::client_final:
      return receive_client_final(message);
    case Phase::succeeded:
    case Phase::failed:
      break;
  }
  return fail({sqlstate::protocol_violation, "unexpected SCRAM message", {}});
}

ScramServerReply ScramServer::receive_client_first(std::string_view text) {
  const ScramParsed<ScramClientFirst> parsed = parse_scram_client_first(text, binding_);
  if (parsed.error) return fail(*parsed.error);
  channel_binding_ = parsed.message.channel_binding;
  if (binding_ == ScramBinding::in_use)
    channel_binding_ = base64_encode(channel_binding_ + binding_data_);
  nonce_ = parsed.message.nonce;
  nonce_.append(server_nonce_);

  std::string server_first = "r=";
  server_first.append(nonce_);
  server_first.append(",s=").append(base64_encode(secret_.salt));
  server_first.append(",i=").append(std::to_string(secret_.iterations));

  auth_message_ = parsed.message.bare;
  auth_message_.append(",").append(server_first);
  phase_ = Phase::client_final;
  return {ScramServerStep::send_continue, std::move(server_first), {}};
}

ScramServerReply ScramServer::receive_client_final(std::string_view text) {
  const ScramParsed<ScramClientFinal> parsed = parse_scram_client_final(text);
  if (parsed.error) return fail(*parsed.error);
  const ScramClientFinal& message = parsed.message;
  if (message.channel_binding != channel_binding_ && binding_ == ScramBinding::in_use) {
    // It is talking to somebody else, who passes it on.
    return fail(
        {sqlstate::invalid_authorization_specification, "SCRAM channel binding check failed", {}});
  }
  if (message.channel_binding != channel_binding_) {
    return fail({sqlstate::protocol_violation,
                 "unexpected SCRAM channel-binding attribute in client-final-message",
                 {}});
  }
  if (message.nonce != nonce_) {
    return fail({sqlstate::protocol_violation, "invalid SCRAM response", "Nonce does not match."});
  }
  auth_message_.append(",").append(message.without_proof);

  const std::optional<ScramKey> client_signature = scram_hmac(secret_.stored_key, auth_message_);
  const std::optional<ScramKey> server_signature = scram_hmac(secret_.server_key, auth_message_);
  if (!client_signature || !server_signature) return refuse();
  const ScramKey client_key = scram_xor(message.proof, *client_signature);
  const std::optional<ScramKey> stored_key = scram_hash(client_key);
  if (!stored_key || !scram_equal(*stored_key, secret_.stored_key)) return refuse();
  if (user_ == ScramUser::mock) return refuse();

  client_key_ = client_key;
  phase_ = Phase::succeeded;
  std::string server_final = "v=";
  server_final.append(base64_encode(scram_key_text(*server_signature)));
  return {ScramServerStep::succeeded, std::move(server_final), {}};
}

std::optional<ScramKeys> ScramServer::keys() const {
  if (phase_ != Phase::succeeded) return std::nullopt;
  return ScramKeys{client_key_, secret_.server_key};
}

}  // namespace wire
