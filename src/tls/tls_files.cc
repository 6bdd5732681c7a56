#include "src/tls/tls_files.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "src/base/check.h"
#include "src/tls/tls_reason.h"

namespace pgring {
namespace {

// The bundle of all public roots is a quarter of this.
constexpr std::size_t file_size_max = std::size_t{1024} * 1024;

std::string quoted(const TlsFile& file) {
  return std::string{file.what} + " \"" + file.path + "\"";
}

Unexpected<TlsProblem> problem(TlsProblemKind kind, const TlsFile& file, std::string message,
                               std::string hint) {
  return Unexpected{TlsProblem{.kind = kind,
                               .setting = std::string{file.setting},
                               .message = std::move(message),
                               .hint = std::move(hint)}};
}

std::string error_text(int error) {
  std::array<char, 256> text{};
  return ::strerror_r(error, text.data(), text.size());
}

// A file's bytes, wiped when they go: they may be a key.
class FileBytes {
 public:
  explicit FileBytes(std::size_t capacity)
      : bytes_{std::make_unique<char[]>(capacity)}, capacity_{capacity} {}
  FileBytes(FileBytes&& other) noexcept = default;
  FileBytes& operator=(FileBytes&&) = delete;
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes() {
    if (bytes_ != nullptr) OPENSSL_cleanse(bytes_.get(), capacity_);
  }

  // False: errno says why.
  [[nodiscard]] bool read_from(int descriptor) {
    while (size_ < capacity_) {
      const ssize_t count = ::read(descriptor, bytes_.get() + size_, capacity_ - size_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      if (count == 0) break;
      size_ += static_cast<std::size_t>(count);
    }
    return true;
  }
  [[nodiscard]] std::string_view text() const { return {bytes_.get(), size_}; }
  // Reads the bytes where they are.
  [[nodiscard]] BioHandle open() const {
    BioHandle bio{BIO_new_mem_buf(bytes_.get(), static_cast<int>(size_))};
    POOLER_CHECK(bio != nullptr);
    return bio;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_;
  std::size_t size_ = 0;
};

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : descriptor_{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::optional<TlsProblem> exposed_key(const TlsFile& file, const struct stat& status,
                                      KeyOwner owner) {
  const bool of_root = status.st_uid == 0;
  const bool ours = status.st_uid == ::geteuid();
  if (owner == KeyOwner::us_or_root && !of_root && !ours) {
    return problem(TlsProblemKind::permissions, file,
                   quoted(file) + " must be owned by the user pgring runs as or by root",
                   "chown root \"" + file.path + "\"")
        .error();
  }
  // Root's files may be read by a group, such as Debian's ssl-cert. Where we are root ourselves they are no
  // system-wide ones but our own, as PostgreSQL sees it for its key; libpq does not mind.
  const bool group_may_read = of_root && (!ours || owner == KeyOwner::anyone);
  const mode_t forbidden = group_may_read ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((status.st_mode & forbidden) == 0) return std::nullopt;
  return problem(TlsProblemKind::permissions, file,
                 quoted(file) +
                     " has group or world access; it must have permissions u=rw (0600) or less, or "
                     "u=rw,g=r (0640) or less if it is root's and pgring runs as another user",
                 std::string{group_may_read ? "chmod 640 \"" : "chmod 600 \""} + file.path + "\"")
      .error();
}

Result<FileBytes, TlsProblem> read_file(const TlsFile& file, std::optional<KeyOwner> key_owner) {
  const auto failed = [&file](TlsProblemKind kind, int error) {
    return problem(kind, file, "could not read " + quoted(file) + ": " + error_text(error),
                   kind == TlsProblemKind::not_found
                       ? "correct " + std::string{file.setting} + " or put the file there"
                       : "let the user pgring runs as read the file and enter its folders");
  };
  const Descriptor descriptor{file.path};
  if (descriptor.get() < 0) {
    const int error = errno;
    const bool absent = error == ENOENT || error == ENOTDIR;
    return failed(absent ? TlsProblemKind::not_found : TlsProblemKind::unreadable, error);
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return failed(TlsProblemKind::unreadable, errno);
  if (!S_ISREG(status.st_mode)) {
    return problem(TlsProblemKind::malformed, file, quoted(file) + " is not a regular file",
                   "name a file");
  }
  if (key_owner) {
    if (auto exposed = exposed_key(file, status, *key_owner))
      return Unexpected{*std::move(exposed)};
  }
  if (static_cast<std::uint64_t>(status.st_size) > file_size_max) {
    return problem(TlsProblemKind::malformed, file, quoted(file) + " is larger than 1 MiB",
                   "name the PEM file");
  }
  // One more than it should have, so that its end is seen.
  FileBytes bytes{static_cast<std::size_t>(status.st_size) + 1};
  if (!bytes.read_from(descriptor.get())) return failed(TlsProblemKind::unreadable, errno);
  return bytes;
}

// Asked for when a key is encrypted. Nobody is there to type it.
int refuse_passphrase(char*, int, int, void* asked) {
  if (asked != nullptr) *static_cast<bool*>(asked) = true;
  return -1;
}

// Parts of one kind up to the end of the file; other kinds of PEM parts are passed over, as OpenSSL does.
template <class Handle, auto ReadPart>
Result<std::vector<Handle>, TlsProblem> read_parts(const TlsFile& file, std::string_view part) {
  const auto bytes = read_file(file, std::nullopt);
  if (!bytes) return Unexpected{bytes.error()};
  const BioHandle bio = bytes->open();
  std::vector<Handle> parts;
  ERR_clear_error();
  while (Handle one{ReadPart(bio.get(), nullptr, refuse_passphrase, nullptr)})
    parts.push_back(std::move(one));
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (at_end && !parts.empty()) {
    ERR_clear_error();
    return parts;
  }
  const std::string hint = "it must hold \"-----BEGIN " + std::string{part} + "-----\" (PEM)";
  if (at_end) {
    ERR_clear_error();
    return problem(TlsProblemKind::malformed, file,
                   "no " + std::string{file.what} + " in PEM format: \"" + file.path + "\"", hint);
  }
  return problem(TlsProblemKind::malformed, file,
                 "could not parse part " + std::to_string(parts.size() + 1) + " of " +
                     quoted(file) + ": " + take_openssl_reason(),
                 hint);
}

}  // namespace

Result<std::vector<CertificateHandle>, TlsProblem> read_certificates(const TlsFile& file) {
  return read_parts<CertificateHandle, PEM_read_bio_X509>(file, "CERTIFICATE");
}

Result<std::vector<CrlHandle>, TlsProblem> read_crls(const TlsFile& file) {
  return read_parts<CrlHandle, PEM_read_bio_X509_CRL>(file, "X509 CRL");
}

Result<KeyHandle, TlsProblem> read_key(const TlsFile& file, KeyOwner owner) {
  const auto bytes = read_file(file, owner);
  if (!bytes) return Unexpected{bytes.error()};
  ERR_clear_error();
  bool passphrase_asked = false;
  const BioHandle bio = bytes->open();
  KeyHandle key{
      bytes->text().find("-----BEGIN ") != std::string_view::npos
          ? PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &passphrase_asked)
          : d2i_PrivateKey_bio(bio.get(), nullptr)};
  if (key != nullptr) {
    ERR_clear_error();
    return key;
  }
  if (passphrase_asked) {
    ERR_clear_error();
    return problem(TlsProblemKind::passphrase, file,
                   quoted(file) + " cannot be loaded because it requires a passphrase",
                   "openssl pkey -in \"" + file.path +
                       "\" -out NEWFILE writes one without (chmod 600 NEWFILE)");
  }
  return problem(TlsProblemKind::malformed, file,
                 "could not load " + quoted(file) + ": " + take_openssl_reason(),
                 "it must hold a private key in PEM or DER format");
}

}  // namespace pgring
