// Whether a server's certificate is that of the host we meant, as libpq decides for verify-full.
//
// What:   compares the host as configured with the certificate's alternative names, and with its common name
//         where it has no alternative name of the host's kind. A leading "*." stands for one label.
// Differs: a wildcard never matches an IP address (RFC 6125; libpq compares it as text).
// Errors: a name with a NUL byte in it fails the check (CVE-2009-4034).
// Source: libpq-ssl, "Client Verification of Server Certificates"; src/interfaces/libpq/fe-secure-common.c.
#pragma once

#include <string>
#include <string_view>

struct x509_st;

namespace pgring {

// Empty: it is. Else why not, in libpq's words.
[[nodiscard]] std::string host_mismatch(const x509_st* certificate, std::string_view host);

// As SSL_set_tlsext_host_name may be given it: RFC 6066 has no IP addresses there. libpq's rule.
[[nodiscard]] bool is_server_name(std::string_view host);

}  // namespace pgring
