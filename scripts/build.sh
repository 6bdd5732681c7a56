# shellcheck shell=bash
# Builds. One Meson folder a kind. Meson configures again by itself when a build definition changed; the
# options below and project()'s default options it reads once, so a change of them starts afresh.

build_options() {
  case $1 in
    release) printf '%s\n' --buildtype=release -Ddebug=true -Db_lto=true "-Db_lto_threads=$(nproc)" ;;
    debug) printf '%s\n' --buildtype=debug ;;
    asan) printf '%s\n' -Doptimization=1 -Ddebug=true -Db_sanitize=address,undefined -Db_lundef=false -Db_pch=false -Dfuzzing=true ;;
    tsan) printf '%s\n' -Doptimization=1 -Ddebug=true -Db_sanitize=thread -Db_lundef=false ;;
    coverage) printf '%s\n' --buildtype=debug -Db_coverage=true ;;
    *) die "no build kind \"$1\"; there are release, debug, asan, tsan, coverage" ;;
  esac
}

# One build serves the sanitized tests, the fuzz targets, clang's warnings and clang-tidy.
build_compiler() {
  case $1 in
    asan) printf 'CC=clang-19\nCXX=clang++-19\n' ;;
    *) printf 'CC=gcc\nCXX=g++\n' ;;
  esac
}

# build KIND [TARGET...]: sets up, configures where needed, compiles.
build() {
  local kind=$1 options environment
  shift
  options=$(build_options "$kind") || return
  environment=$(build_compiler "$kind")
  case $kind in
    asan) setup build test ;;
    *) setup build ;;
  esac
  configure "$kind" "$options" "$environment" || return
  ninja ${JOBS:+-j "$JOBS"} -C "build/$kind" "$@"
}

configure() {
  local folder=build/$1 stamp
  stamp=$(printf '%s\n' "$2" "$3" && sed '/^  \])/q' meson.build)
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/.options" 2>/dev/null)" = "$stamp" ]; then return; fi
  rm -rf "$folder"
  local options variables
  mapfile -t options <<<"$2"
  mapfile -t variables <<<"$3"
  env "${variables[@]}" /usr/bin/meson setup "$folder" "${options[@]}" || return
  printf '%s' "$stamp" >"$folder/.options"
}
