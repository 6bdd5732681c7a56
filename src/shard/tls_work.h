// What the encrypted connections of a shard have in common: whose turn it is, and memory.
//
// Owner:  the Shard; its thread only. Outlives the connections.
// Memory: ciphertext and what is decrypted out of its place lie in blocks that connections share.
#pragma once

#include "ring/slice_room.h"
#include "src/base/intrusive_list.h"
#include "src/shard/connection.h"
#include "src/tls/tls_engine.h"

namespace pgring {

struct TlsWork {
  // Four of the largest records: how much of one a connection may hold for a small record is a matter of luck.
  static constexpr std::uint32_t block_size = 4 * (TlsEngine::record_room + 4096);

  void forget(TlsSession& session) {
    all.erase(session);
    if (session.seal_hook.linked()) to_seal.erase(session);
    if (session.handshake_hook.linked()) handshaking.erase(session);
  }

  IntrusiveList<TlsSession, &TlsSession::all_hook> all;
  IntrusiveList<TlsSession, &TlsSession::seal_hook> to_seal;
  IntrusiveList<TlsSession, &TlsSession::handshake_hook> handshaking;  // with something received
  ring::SliceRoom cipher{block_size};
  ring::SliceRoom plain{block_size};
  std::vector<ring::Slice> pieces;  // of one buffer received; empty between two
  TlsScratch scratch{};
};

}  // namespace pgring
