// Files in memory, for what reads hba and ident files.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/auth/auth_file.h"
#include "src/auth/membership.h"

namespace pgring {

using FileMap = std::map<std::string, std::string>;

class MemoryFiles final : public AuthFiles {
 public:
  explicit MemoryFiles(FileMap files) : files_(std::move(files)) {}

  [[nodiscard]] Result<std::string, Failure> read(const std::string& path,
                                                  std::size_t size_max) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return Unexpected(Failure{true, "No such file or directory"});
    if (found->second.size() > size_max) return Unexpected(Failure{false, "it is too large"});
    return found->second;
  }

  [[nodiscard]] Result<std::vector<std::string>, Failure> list(const std::string& folder) override {
    std::vector<std::string> names;
    for (const auto& [path, content] : files_) {
      const std::size_t slash = path.rfind('/');
      if (path.substr(0, slash) == folder) names.push_back(path.substr(slash + 1));
    }
    if (names.empty()) return Unexpected(Failure{true, "No such file or directory"});
    return std::vector<std::string>(names.rbegin(), names.rend());
  }

 private:
  FileMap files_;
};

// Knows who is in what: "role group" pairs; and of one role nothing.
class FixedMembership final : public Membership {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  explicit FixedMembership(Pairs pairs = {}, std::string stranger = "stranger")
      : pairs_(std::move(pairs)), stranger_(std::move(stranger)) {}

  [[nodiscard]] Known is_member(std::string_view role, std::string_view group) const override {
    if (role == stranger_) return Known::unknown;
    if (role == group) return Known::yes;
    for (const auto& [member, of] : pairs_) {
      if (member == role && of == group) return Known::yes;
    }
    return Known::no;
  }

 private:
  Pairs pairs_;
  std::string stranger_;
};

}  // namespace pgring
