// scram.h: SCRAM-SHA-256, both ways; includes the parts.
//
//   client                                  server
//   client-first  n,,n=,r=CNONCE        ->
//                                       <-  server-first  r=CNONCE+SNONCE,s=SALT,i=ITERATIONS
//   client-final  c=biws,r=…,p=PROOF    ->
//                                       <-  server-final  v=SIGNATURE
//
//   scram_secret.h   what is stored of a password, and the keys made from it
//   scram_server.h   we are the server: a client logs in to pgring
//   scram_client.h   we are the client: pgring logs in to PostgreSQL
//   scram_message.h  the four messages, read
//
// Channel binding (SCRAM-SHA-256-PLUS) is of one kind, tls-server-end-point, whose data comes from whoever knows TLS.
// Source: RFC 5802, RFC 5929, RFC 7677; PostgreSQL docs sasl-authentication, "SASL Authentication".
#ifndef WIRE_SCRAM_H_
#define WIRE_SCRAM_H_

#include "wire/scram_client.h"
#include "wire/scram_secret.h"
#include "wire/scram_server.h"

#endif  // WIRE_SCRAM_H_
