// name_value.h: a name and its value, as startup parameters and ParameterStatus carry them.
//
// Life: borrowed views; they live as long as the bytes or strings they were made from.
#ifndef WIRE_NAME_VALUE_H_
#define WIRE_NAME_VALUE_H_

#include <string_view>

namespace wire {

struct NameValue {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const NameValue&, const NameValue&) = default;
};

}  // namespace wire

#endif  // WIRE_NAME_VALUE_H_
