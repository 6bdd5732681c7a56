// bytes.h: helpers of the wire tests: texts as bytes, and random bytes from a fixed seed.
#ifndef TESTS_UNIT_WIRE_BYTES_H_
#define TESTS_UNIT_WIRE_BYTES_H_

#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "wire/byte_reader.h"

namespace wire_test {

// The body of one message: what stands behind type byte and length.
inline std::string_view body_of(std::string_view message) { return message.substr(5); }

inline std::string random_text(std::mt19937& random, std::size_t size_max,
                               std::string_view alphabet) {
  std::string text(random() % (size_max + 1), '\0');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

inline std::string random_bytes(std::mt19937& random, std::size_t size_max) {
  std::string text(random() % (size_max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random() & 0xff);
  return text;
}

}  // namespace wire_test

#endif  // TESTS_UNIT_WIRE_BYTES_H_
