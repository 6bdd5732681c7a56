#include "wire/scram_message.h"

#include <algorithm>
#include <charconv>

#include "wire/base64.h"
#include "wire/limits.h"
#include "wire/sqlstate.h"

namespace wire {
namespace {

constexpr ScramError malformed(std::string_view detail) {
  return {sqlstate::protocol_violation, "malformed SCRAM message", detail};
}

constexpr ScramError unsupported(std::string_view message) {
  return {sqlstate::feature_not_supported, message, {}};
}

template <class Message>
ScramParsed<Message> failed(const ScramError& error) {
  return {error, {}};
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// RFC 5802 "printable": ASCII from '!' to '~' without the comma.
bool is_nonce(std::string_view text) {
  const auto printable = [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; };
  return !text.empty() && text.size() <= scram_nonce_size_max &&
         std::all_of(text.begin(), text.end(), printable);
}

struct Attribute {
  char name;
  std::string_view value;
};

// Reads "x=value,y=value" from the front. Each read consumes at least two bytes.
class AttributeReader {
 public:
  explicit AttributeReader(std::string_view text) : text_(text) {}

  std::optional<Attribute> read_any() {
    const std::string_view rest = text_.substr(at_);
    if (rest.size() < 2 || !is_letter(rest[0]) || rest[1] != '=') return std::nullopt;
    const std::string_view field = rest.substr(0, rest.find(','));
    begin_ = at_;
    at_ += field.size();
    ended_ = at_ == text_.size();
    if (!ended_) ++at_;
    return Attribute{field[0], field.substr(2)};
  }

  std::optional<std::string_view> read(char name) {
    const std::optional<Attribute> attribute = read_any();
    if (!attribute || attribute->name != name) return std::nullopt;
    return attribute->value;
  }

  // No comma is left open and nothing follows.
  bool at_end() const { return ended_; }
  // Where the attribute read last begins.
  std::size_t begin() const { return begin_; }

  // Optional extensions mean nothing to us. False: what is left is not a list of attributes.
  bool skip_rest() {
    while (!ended_) {
      if (!read_any()) return false;
    }
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  bool ended_ = false;
};

// The header before the attributes where the channel is bound. `rest` is left behind it.
std::optional<ScramError> read_bound_header(std::string_view& rest, ScramClientFirst& message) {
  if (rest.starts_with('n') || rest.starts_with('y')) {
    return malformed(
        "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
        "binding data.");
  }
  if (!rest.starts_with('p')) return malformed("Unexpected channel-binding flag.");
  constexpr std::string_view kind = scram_bound_header.substr(0, scram_bound_header.size() - 1);
  if (!rest.starts_with(kind))
    return ScramError{sqlstate::protocol_violation, "unsupported SCRAM channel-binding type", {}};
  message.channel_binding = scram_bound_header;
  rest.remove_prefix(kind.size());
  if (rest.starts_with('a')) {
    return unsupported("client uses authorization identity, but it is not supported");
  }
  if (!rest.starts_with(',')) return malformed("Unexpected attribute in client-first-message.");
  rest.remove_prefix(1);
  return std::nullopt;
}

// Likewise where it is not: "n,," or "y,,".
std::optional<ScramError> read_gs2_header(std::string_view& rest, ScramBinding binding,
                                          ScramClientFirst& message) {
  if (binding == ScramBinding::in_use) return read_bound_header(rest, message);
  // Somebody took our offer out of the list of mechanisms.
  if (binding == ScramBinding::unused && rest.starts_with('y')) {
    return ScramError{
        sqlstate::invalid_authorization_specification, "SCRAM channel binding negotiation error",
        "The client supports SCRAM channel binding but thinks the server does not.  However, this "
        "server does support channel binding."};
  }
  switch (rest.empty() ? '\0' : rest.front()) {
    case 'n':
      message.channel_binding = "biws";  // "n,,"
      break;
    case 'y':
      message.channel_binding = "eSws";  // "y,,"
      break;
    case 'p':
      return malformed(
          "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM "
          "message includes channel binding data.");
    default:
      return malformed("Unexpected channel-binding flag.");
  }
  rest.remove_prefix(1);
  if (!rest.starts_with(',')) return malformed("Comma expected after the channel-binding flag.");
  rest.remove_prefix(1);
  if (rest.starts_with('a')) {
    return unsupported("client uses authorization identity, but it is not supported");
  }
  if (!rest.starts_with(',')) return malformed("Unexpected attribute in client-first-message.");
  rest.remove_prefix(1);
  return std::nullopt;
}

}  // namespace

ScramParsed<ScramClientFirst> parse_scram_client_first(std::string_view text,
                                                       ScramBinding binding) {
  using Message = ScramClientFirst;
  if (text.size() > sasl_message_length_max) return failed<Message>(malformed("Too long."));
  Message message;
  std::string_view rest = text;
  const std::optional<ScramError> header_error = read_gs2_header(rest, binding, message);
  if (header_error) return failed<Message>(*header_error);
  if (rest.starts_with('m')) {
    return failed<Message>(unsupported("client requires an unsupported SCRAM extension"));
  }
  message.bare = rest;
  AttributeReader reader(rest);
  // The user name here is ignored, as in PostgreSQL: the startup packet's counts.
  if (!reader.read('n')) return failed<Message>(malformed("Attribute \"n\" expected."));
  const std::optional<std::string_view> nonce = reader.read('r');
  if (!nonce) return failed<Message>(malformed("Attribute \"r\" expected."));
  if (!is_nonce(*nonce)) {
    return failed<Message>(
        {sqlstate::protocol_violation, "non-printable characters in SCRAM nonce", {}});
  }
  if (!reader.skip_rest()) return failed<Message>(malformed("Attribute expected."));
  message.nonce = *nonce;
  return {std::nullopt, message};
}

ScramParsed<ScramClientFinal> parse_scram_client_final(std::string_view text) {
  using Message = ScramClientFinal;
  if (text.size() > sasl_message_length_max) return failed<Message>(malformed("Too long."));
  AttributeReader reader(text);
  const std::optional<std::string_view> binding = reader.read('c');
  if (!binding) return failed<Message>(malformed("Attribute \"c\" expected."));
  if (reader.at_end()) return failed<Message>(malformed("Attribute \"r\" expected."));
  const std::optional<std::string_view> nonce = reader.read('r');
  if (!nonce) return failed<Message>(malformed("Attribute \"r\" expected."));
  std::optional<Attribute> attribute;
  do {
    if (reader.at_end()) return failed<Message>(malformed("Attribute \"p\" expected."));
    attribute = reader.read_any();
    if (!attribute) return failed<Message>(malformed("Attribute expected."));
  } while (attribute->name != 'p');
  if (!reader.at_end()) {
    return failed<Message>(malformed("Garbage found at the end of client-final-message."));
  }
  const std::optional<ScramKey> proof = scram_key_from_base64(attribute->value);
  if (!proof) return failed<Message>(malformed("Malformed proof in client-final-message."));
  Message message;
  message.without_proof = text.substr(0, reader.begin() - 1);
  message.channel_binding = *binding;
  message.nonce = *nonce;
  message.proof = *proof;
  return {std::nullopt, message};
}

ScramParsed<ScramServerFirst> parse_scram_server_first(std::string_view text) {
  using Message = ScramServerFirst;
  if (text.size() > scram_server_message_size_max) return failed<Message>(malformed("Too long."));
  AttributeReader reader(text);
  const std::optional<std::string_view> nonce = reader.read('r');
  if (!nonce || !is_nonce(*nonce)) return failed<Message>(malformed("Bad nonce."));
  const std::optional<std::string_view> salt_text = reader.read('s');
  const std::optional<std::string> salt =
      salt_text ? base64_decode(*salt_text) : std::optional<std::string>{};
  if (!salt || salt->empty() || salt->size() > scram_salt_size_max) {
    return failed<Message>(malformed("Bad salt."));
  }
  const std::optional<std::string_view> iterations = reader.read('i');
  if (!iterations) return failed<Message>(malformed("Bad iteration count."));
  Message message;
  const char* end = iterations->data() + iterations->size();
  const auto [at, error] = std::from_chars(iterations->data(), end, message.iterations);
  if (error == std::errc::invalid_argument || at != end) {
    return failed<Message>(malformed("Bad iteration count."));
  }
  if (error != std::errc{} || message.iterations < 1 || message.iterations > scram_iterations_max) {
    return failed<Message>({sqlstate::protocol_violation,
                            "SCRAM iteration count of the server is out of bounds",
                            "It must be between 1 and 1000000."});
  }
  if (!reader.skip_rest()) return failed<Message>(malformed("Attribute expected."));
  message.nonce = *nonce;
  message.salt = *salt;
  return {std::nullopt, message};
}

ScramParsed<ScramServerFinal> parse_scram_server_final(std::string_view text) {
  using Message = ScramServerFinal;
  if (text.size() > scram_server_message_size_max) return failed<Message>(malformed("Too long."));
  AttributeReader reader(text);
  const std::optional<Attribute> first = reader.read_any();
  if (!first) return failed<Message>(malformed("Attribute expected."));
  Message message;
  if (first->name == 'e' && !first->value.empty()) {
    message.server_error = first->value;
    return {std::nullopt, message};
  }
  if (first->name != 'v') return failed<Message>(malformed("Attribute \"v\" expected."));
  const std::optional<ScramKey> signature = scram_key_from_base64(first->value);
  if (!signature) return failed<Message>(malformed("Malformed server signature."));
  if (!reader.skip_rest()) return failed<Message>(malformed("Attribute expected."));
  message.signature = *signature;
  return {std::nullopt, message};
}

}  // namespace wire
