// How often what the names in texts stand for may have changed, in one database.
//
// What:   a new table, function, operator or cast may be what a text means from then on, and PostgreSQL does not
//         tell a prepared statement (it is told of changes to what it uses only). So whoever has sent a text that
//         defines something (wire::SqlTraits::defines) counts it, when it was done, and a copy that was prepared
//         before stands in for no client's Parse any more.
//         What is defined past pgring, or by a function, is not counted: ServerStatements::Copy::stands_in bounds that.
// Owner:  Placement, for as long as the process. Thread: any. Written by definitions only, so that shards read it at
//         every Parse without a cost.
#pragma once

#include <atomic>
#include <cstdint>

namespace pgring {

class alignas(64) Definitions {
 public:
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_acquire); }
  void changed() { count_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace pgring
