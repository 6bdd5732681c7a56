// Reads the name=value options behind a method of an hba file. Used by hba_parser.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "src/auth/auth_file.h"
#include "src/auth/hba.h"

namespace pgring {

class HbaOptionReader {
 public:
  // REQUIRES: the rule's type and method are set. All three outlive the reader.
  HbaOptionReader(AuthDocument& document, HbaRule& rule, const AuthToken& method)
      : document_(document), rule_(rule), method_(method) {}

  // Errors and warnings go to the document.
  void read(std::span<const AuthField> fields);

 private:
  void read_one(const AuthToken& token);
  void check_combinations();
  void check_ldap();
  void check_radius();
  void error(std::string message, std::string hint = {});
  [[nodiscard]] bool read_switch(std::string_view name, std::string_view value);

  void read_map(std::string_view value);
  void read_client_certificate(std::string_view value);
  void read_certificate_name(std::string_view value);
  void read_ldap_url(std::string_view value);
  void read_ldap_scheme(std::string_view value);
  void read_ldap_port(std::string_view value);
  void read_list(std::string_view name, std::string_view value);
  bool read_plain(std::string_view name, std::string_view value);
  bool read_ldap_text(std::string_view name, std::string_view value);
  [[nodiscard]] bool belongs(std::string_view name);

  AuthDocument& document_;
  HbaRule& rule_;
  const AuthToken& method_;
  const AuthToken* at_ = nullptr;  // the option being read
  bool is_wrong_ = false;          // an error has been told
  bool has_secret_ = false;        // a secret may be cut in pieces: no more text is shown
  bool has_issuer_ = false;
  bool has_scope_ = false;
  bool skips_map_ = false;
  std::size_t radius_servers_ = 0;
  std::size_t radius_secrets_ = 0;
  std::size_t radius_ports_ = 0;
  std::size_t radius_identifiers_ = 0;
};

}  // namespace pgring
