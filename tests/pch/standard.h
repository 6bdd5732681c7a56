// Precompiled for the doctest programs: what nearly every test includes anyway. Not doctest, which main.cc
// includes in its own way.
#ifndef PGRING_TESTS_PCH_STANDARD_H_
#define PGRING_TESTS_PCH_STANDARD_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#endif  // PGRING_TESTS_PCH_STANDARD_H_
