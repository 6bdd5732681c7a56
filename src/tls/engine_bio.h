// OpenSSL's way to the bytes of a TlsEngine: reads from the range that was received, writes to the range that
// the caller gave, and what has no room there to the engine's own buffer. For src/tls only.
//
// Life:   the BIO belongs to the SSL and holds the engine's address.
// Errors: reading from an empty range is "retry"; writing never fails.
// Source: BIO_meth_new(3).
#pragma once

struct ssl_st;

namespace pgring {

class TlsEngine;

void attach_bio(TlsEngine& engine, ssl_st* ssl);

}  // namespace pgring
