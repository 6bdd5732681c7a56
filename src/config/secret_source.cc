#include "src/config/secret_source.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "src/auth/stored_secret.h"
#include "src/config/config_load.h"
#include "src/config/secret_file.h"

namespace pgring {
namespace {

// The end of line that editors and `echo` put at the end is none of the secret.
std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

class Resolver {
 public:
  Resolver(ConfigSource& source, std::string_view config_path)
      : source_(source), config_path_(config_path) {}

  void resolve(const SecretReference& reference) {
    switch (reference.kind) {
      case SecretReference::Kind::file:
        return from_file(reference, path_beside(config_path_, reference.name));
      case SecretReference::Kind::credential:
        return from_credential(reference);
      case SecretReference::Kind::env:
        return from_environment(reference);
    }
  }

 private:
  void from_file(const SecretReference& reference, const std::string& path) {
    auto file = read_secret_file(path, secret_size_max + 2);
    if (!file) {
      return source_.error(
          reference.key, fmt::format("cannot read the secret from {}: {}", path, file.error()), {});
    }
    if (auto wrong = wrong_mode(*file, path)) {
      return source_.error(reference.key,
                           fmt::format("the secret's file {}: {}", path, wrong->message),
                           std::move(wrong->chmod));
    }
    put(reference, path, without_line_end(file->text));
  }

  void from_credential(const SecretReference& reference) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr || *folder == '\0') {
      return source_.error(
          reference.key, "there are no credentials: CREDENTIALS_DIRECTORY is not set",
          fmt::format("write LoadCredential={}:/path in the unit", printable(reference.name)));
    }
    if (reference.name.find('/') != std::string::npos) {
      return source_.error(reference.key, "a credential has a name, not a path", {});
    }
    from_file(reference, std::string(folder) + "/" + reference.name);
  }

  void from_environment(const SecretReference& reference) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
    const char* value = std::getenv(reference.name.c_str());
    if (value == nullptr) {
      return source_.error(
          reference.key,
          fmt::format("the environment has no variable {}", printable(reference.name)), {});
    }
    put(reference, reference.name, value);
  }

  void put(const SecretReference& reference, const std::string& from, std::string_view text) {
    if (text.empty()) {
      return source_.error(reference.key, fmt::format("the secret in {} is empty", from), {});
    }
    if (text.size() > secret_size_max) {
      return source_.error(reference.key,
                           fmt::format("the secret in {} is {} bytes long (at most {})", from,
                                       text.size(), secret_size_max),
                           {});
    }
    if (text.find_first_of(std::string_view{"\0\n", 2}) != std::string_view::npos) {
      return source_.error(reference.key,
                           fmt::format("the secret in {} has a line end or a zero byte", from),
                           "the file holds the secret and nothing else");
    }
    *reference.target = Secret(text);
  }

  ConfigSource& source_;
  std::string_view config_path_;
};

}  // namespace

void resolve_secrets(ConfigSource& source, std::string_view config_path) {
  Resolver resolver(source, config_path);
  for (const SecretReference& reference : source.secrets) resolver.resolve(reference);
}

}  // namespace pgring
