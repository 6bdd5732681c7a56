#include "wire/scram_client.h"

#include <openssl/crypto.h>

#include <utility>

#include "wire/base64.h"
#include "wire/sqlstate.h"

namespace wire {
namespace {

constexpr ScramError unexpected_message = {
    sqlstate::protocol_violation, "unexpected SCRAM message of the server", {}};
constexpr ScramError crypto_failed = {
    sqlstate::internal_error, "OpenSSL could not compute SCRAM-SHA-256", {}};

}  // namespace

ScramClient::ScramClient(std::string_view password, std::string nonce)
    : password_(password), client_nonce_(std::move(nonce)) {}

ScramClient::ScramClient(const ScramKeys& keys, std::string nonce)
    : keys_(keys), client_nonce_(std::move(nonce)) {}

ScramClient::~ScramClient() {
  OPENSSL_cleanse(password_.data(), password_.size());
  if (keys_) OPENSSL_cleanse(keys_->client_key.data(), keys_->client_key.size());
}

ScramClientReply ScramClient::fail(const ScramError& error) {
  phase_ = Phase::failed;
  return {error, {}};
}

// The user name is empty: PostgreSQL takes it from the startup packet.
std::string ScramClient::first_message_bare() const { return "n=,r=" + client_nonce_; }

std::string ScramClient::first_message() const {
  return std::string{binding_header_} + first_message_bare();
}

void ScramClient::bind(ScramBinding binding, std::string_view data) {
  switch (binding) {
    case ScramBinding::none:
      return;
    case ScramBinding::unused:
      binding_header_ = "y,,";
      return;
    case ScramBinding::in_use:
      binding_header_ = scram_bound_header;
      binding_data_ = data;
      return;
  }
}

ScramClientReply ScramClient::receive_first(std::string_view message) {
  if (phase_ != Phase::server_first) return fail(unexpected_message);
  const ScramParsed<ScramServerFirst> parsed = parse_scram_server_first(message);
  if (parsed.error) return fail(*parsed.error);
  const ScramServerFirst& first = parsed.message;
  // It must add something of its own, or an old exchange could be played again.
  if (!first.nonce.starts_with(client_nonce_) || first.nonce.size() == client_nonce_.size()) {
    return fail({sqlstate::protocol_violation, "invalid SCRAM response (nonce mismatch)", {}});
  }
  if (!keys_) keys_ = scram_keys_from_password(password_, first.salt, first.iterations);
  if (!keys_) return fail(crypto_failed);

  std::string final_message =
      "c=" + base64_encode(std::string{binding_header_} + binding_data_) + ",r=";
  final_message.append(first.nonce);
  std::string auth_message = first_message_bare();
  auth_message.append(",").append(message).append(",").append(final_message);

  const std::optional<ScramKey> stored_key = scram_hash(keys_->client_key);
  if (!stored_key) return fail(crypto_failed);
  const std::optional<ScramKey> client_signature = scram_hmac(*stored_key, auth_message);
  const std::optional<ScramKey> server_signature = scram_hmac(keys_->server_key, auth_message);
  if (!client_signature || !server_signature) return fail(crypto_failed);

  const ScramKey proof = scram_xor(keys_->client_key, *client_signature);
  final_message.append(",p=").append(base64_encode(scram_key_text(proof)));
  server_signature_ = *server_signature;
  phase_ = Phase::server_final;
  return {std::nullopt, std::move(final_message)};
}

ScramClientReply ScramClient::receive_final(std::string_view message) {
  if (phase_ != Phase::server_final) return fail(unexpected_message);
  const ScramParsed<ScramServerFinal> parsed = parse_scram_server_final(message);
  if (parsed.error) return fail(*parsed.error);
  if (!parsed.message.server_error.empty()) {
    return fail({sqlstate::invalid_password, "the server refused the SCRAM exchange", {}});
  }
  if (!scram_equal(parsed.message.signature, server_signature_)) {
    return fail({sqlstate::invalid_password, "incorrect server signature", {}});
  }
  phase_ = Phase::succeeded;
  return {std::nullopt, {}};
}

}  // namespace wire
