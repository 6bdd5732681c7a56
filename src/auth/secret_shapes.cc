#include "src/auth/secret_shapes.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace pgring {

SecretShape shape_of(const StoredSecret& secret) {
  SecretShape shape{secret.kind, 0};
  if (secret.kind != SecretKind::scram_sha_256) return shape;
  std::string_view text = secret.text.reveal();
  text.remove_prefix(text.find('$') + 1);
  // Its kind says that the number is one; what follows it is not looked at.
  (void)std::from_chars(text.data(), text.data() + text.size(), shape.iterations);
  return shape;
}

SecretShapes::SecretShapes(const UserList& users) {
  for (const auto& [name, secret] : users) {
    if (secret.kind == SecretKind::none) continue;
    const SecretShape shape = shape_of(secret);
    const auto at = std::find_if(parts_.begin(), parts_.end(),
                                 [&](const Part& part) { return part.shape == shape; });
    if (at != parts_.end()) {
      ++at->end;
    } else {
      parts_.push_back({shape, 1});
    }
  }
  std::uint64_t before = 0;
  for (Part& part : parts_) before = part.end += before;
}

SecretShape SecretShapes::pick(std::uint64_t number) const {
  if (parts_.empty()) return {};
  const std::uint64_t place = number % parts_.back().end;
  return std::find_if(parts_.begin(), parts_.end(),
                      [&](const Part& part) { return place < part.end; })
      ->shape;
}

}  // namespace pgring
