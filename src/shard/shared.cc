#include "src/shard/shared.h"

#include "src/shard/shard.h"

namespace pgring {

Shared::Shared(std::uint32_t shard_count) : placement{shard_count}, working_shards{shard_count} {}

Shared::~Shared() = default;

}  // namespace pgring
