// scram_example.h: the exchange of RFC 7677 section 3: user "user", password "pencil".
#ifndef TESTS_UNIT_WIRE_SCRAM_EXAMPLE_H_
#define TESTS_UNIT_WIRE_SCRAM_EXAMPLE_H_

#include <string>
#include <string_view>

#include "wire/base64.h"

namespace wire_test {

inline constexpr std::string_view client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
inline constexpr std::string_view server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
inline constexpr std::string_view server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
inline constexpr std::string_view client_final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
inline constexpr std::string_view server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

inline std::string salt() { return *wire::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="); }

}  // namespace wire_test

#endif  // TESTS_UNIT_WIRE_SCRAM_EXAMPLE_H_
