# shellcheck shell=bash
# ./do demo: a PostgreSQL of its own (folder, port and user), pgring in front of it, pgbench through
# pgring, and what happened meanwhile as PostgreSQL itself counted it.

demo_state=.do/demo        # of a demo that was kept: its folder
demo_clients=200
demo_server_connections=10
demo_seconds=${DEMO_SECONDS:-10}

demo() {
  case ${1:-} in
    --stop) demo_stop ;;
    --keep) demo_run keep ;;
    '') demo_run '' ;;
    *) die "demo knows --keep and --stop, not \"$1\"" ;;
  esac
}

tell() {
  if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi
}

demo_run() {
  local keep=$1
  [ ! -e $demo_state ] || die "a demo is running in $(cat $demo_state); ./do demo --stop ends it"
  tell "Building pgring (release)"
  build release src/pgring

  bin=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb -printf '%h\n' | sort -V | tail -n 1)
  [ -n "$bin" ] || die "no PostgreSQL server found in /usr/lib/postgresql"
  folder=$(mktemp -d /tmp/pgring-demo.XXXXXX)
  owner=$(id -un)
  [ "$owner" != root ] || owner=postgres  # PostgreSQL refuses to run as root
  password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  postgres_port=$(free_port)
  pooler_port=$(free_port)
  sampler=''
  shown=''
  trap 'demo_failed' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  tell "Starting PostgreSQL $("$bin/postgres" --version | sed 's/.*) //') on port $postgres_port, in $folder"
  demo_start_postgres
  tell "Starting pgring on port $pooler_port with $demo_server_connections server connections"
  demo_start_pgring
  tell "pgbench: $demo_clients clients, select-only, $demo_seconds s"
  demo_sample
  demo_pgbench select --select-only
  tell "pgbench: $demo_clients clients, TPC-B-like, $demo_seconds s"
  demo_pgbench tpcb
  kill "$sampler" 2>/dev/null || true
  wait "$sampler" 2>/dev/null || true
  demo_summary "$keep"
  trap - EXIT INT TERM
  if [ -n "$keep" ]; then
    mkdir -p .do
    printf '%s\n' "$folder" >$demo_state
    printf '\nBoth stay running. To stop them and remove %s: ./do demo --stop\n' "$folder"
  else
    demo_end
    printf '\nBoth are stopped and %s is removed. ./do demo --keep leaves them running.\n' "$folder"
  fi
}

as_owner() (
  become_owner "$@"
)

# Replaces this shell by the command. The owner may not be able to enter the clone, hence the cd.
become_owner() {
  cd /
  [ "$owner" = "$(id -un)" ] || set -- setpriv --reuid="$owner" --regid="$(id -g "$owner")" --init-groups "$@"
  exec "$@"
}

free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Loopback and the folder's socket only; PostgreSQL's passwords are SCRAM, on both sides of pgring.
demo_start_postgres() {
  chmod 755 "$folder"
  mkdir "$folder/run" "$folder/log"
  printf '%s' "$password" >"$folder/password"
  chmod 600 "$folder/password"
  [ "$owner" = "$(id -un)" ] || chown -R "$owner" "$folder"
  as_owner "$bin/initdb" -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" \
    -E UTF8 --locale=C >"$folder/log/initdb" 2>&1 || demo_stuck "$folder/log/initdb"
  as_owner "$bin/pg_ctl" -D "$folder/data" -s -w -t 60 -l "$folder/log/postgres" -o \
    "-p $postgres_port -k $folder/run -c listen_addresses=127.0.0.1 -c max_connections=100 -c fsync=off" start ||
    demo_stuck "$folder/log/postgres"
  direct -c "create role demo login password '$password'" -c 'create database demo owner demo' >/dev/null
  PGPASSWORD=$password "$bin/pgbench" -h 127.0.0.1 -p "$postgres_port" -U demo -i -q -s 20 demo >"$folder/log/pgbench-init" 2>&1 ||
    demo_stuck "$folder/log/pgbench-init"
}

# psql on PostgreSQL itself, past pgring.
direct() {
  PGPASSWORD=$password psql -X -At -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres "$@"
}

# The binary is copied: the demo's user may not be able to enter this folder.
demo_start_pgring() {
  install -m 755 build/release/src/pgring "$folder/pgring"
  demo_config | as_owner tee "$folder/pgring.toml" >/dev/null
  printf '"demo" "%s"\n' "$password" | as_owner tee "$folder/userlist.txt" >/dev/null
  as_owner chmod 600 "$folder/userlist.txt"
  become_owner setsid "$folder/pgring" run "$folder/pgring.toml" >"$folder/log/pgring" 2>&1 </dev/null &
  pooler_child=$!
  local tries=0
  until (: <"/dev/tcp/127.0.0.1/$pooler_port") 2>/dev/null; do
    kill -0 "$pooler_child" 2>/dev/null || demo_stuck "$folder/log/pgring"
    tries=$((tries + 1))
    [ $tries -lt 100 ] || demo_stuck "$folder/log/pgring"
    sleep 0.1
  done
}

demo_config() {
  cat <<TOML
# Written by ./do demo.
[listen]
address = ["127.0.0.1"]
port = $pooler_port
unix_socket_dir = ""

[server.main]
host = "$folder/run"
port = $postgres_port

[database."*"]
server = "main"
pool_mode = "transaction"
pool_size = $demo_server_connections

[auth]
method = "scram-sha-256"
file = "$folder/userlist.txt"

[console]
admins = ["demo"]
TOML
}

# How many connections PostgreSQL has, five times a second, counted by PostgreSQL.
demo_sample() {
  (
    while sleep 0.2; do
      direct -c "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()" \
        postgres || break
    done
  ) >"$folder/log/connections" 2>&1 &
  sampler=$!
}

through_pgring() {
  PGPASSWORD=$password PGSSLMODE=disable PGGSSENCMODE=disable "$@" -h 127.0.0.1 -p "$pooler_port" -U demo
}

demo_pgbench() {
  local name=$1
  shift
  through_pgring "$bin/pgbench" -n -c $demo_clients -j 2 -T "$demo_seconds" -P 1 --log --sampling-rate=0.1 \
    --log-prefix="$folder/log/$name" "$@" demo 2>&1 | tee "$folder/log/$name" | grep --line-buffered '^progress' ||
    demo_stuck "$folder/log/$name"
  grep -q '^tps = ' "$folder/log/$name" || demo_stuck "$folder/log/$name"
}

demo_summary() {
  local most
  most=$(grep -E '^[0-9]+$' "$folder/log/connections" | sort -n | tail -n 1)
  [ -n "$most" ] || demo_stuck "$folder/log/connections"
  tell "Summary"
  printf '  %-14s %14s %12s %10s %10s\n' '' transactions/s average p50 p99
  demo_result select-only select
  demo_result TPC-B-like tpcb
  printf '\n  %d clients; PostgreSQL never had more than %d client connections\n' $demo_clients "$most"
  printf '  (asked %d times of its own pg_stat_activity, over a direct connection)\n' \
    "$(grep -cE '^[0-9]+$' "$folder/log/connections")"
  tell "SHOW POOLS, from pgring's console"
  through_pgring psql -X -P pager=off -d pgring -c 'SHOW POOLS' || demo_stuck "$folder/log/pgring"
  if [ -n "$1" ]; then tell "To connect through pgring"; else tell "To connect through pgring while it runs (./do demo --keep)"; fi
  printf '  PGPASSWORD=%s psql -h 127.0.0.1 -p %d -U demo demo\n' "$password" "$pooler_port"
  printf '  PGPASSWORD=%s psql -h 127.0.0.1 -p %d -U demo pgring   # the console: SHOW HELP\n' "$password" "$pooler_port"
}

# demo_result TITLE LOG: one line; percentiles from pgbench's own log, third column, microseconds.
demo_result() {
  local log=$folder/log/$2 tps average
  tps=$(sed -nE 's/^tps = ([0-9]+).*/\1/p' "$log")
  average=$(sed -nE 's/^latency average = ([0-9.]+) ms.*/\1/p' "$log")
  cut -d ' ' -f 3 "$log".* | sort -n >"$folder/log/sorted"
  printf '  %-14s %14s %9s ms %7s ms %7s ms\n' "$1" "$tps" "$average" "$(percentile "$folder/log/sorted" 50)" \
    "$(percentile "$folder/log/sorted" 99)"
  rm "$folder/log/sorted"
}

percentile() {
  awk -v percent="$2" '{ value[NR] = $1 } END { n = int((NR * percent + 99) / 100); printf "%.1f", value[n] / 1000 }' "$1"
}

demo_stuck() {
  shown=$1
  say "The demo failed; the end of $1:"
  tail -n 30 "$1" >&2
  exit 1
}

demo_failed() {
  local code=$?
  trap - EXIT INT TERM
  [ ! -s "$folder/log/pgring" ] || [ "$shown" = "$folder/log/pgring" ] || {
    say "the end of pgring's log:"
    tail -n 20 "$folder/log/pgring" >&2
  }
  [ -z "$sampler" ] || kill "$sampler" 2>/dev/null || true
  demo_end
  exit $code
}

# Ends what runs in $folder and removes it. pgring is found by its binary, which is in that folder.
demo_end() {
  local pid pids signal
  pids=$(demo_pooler_pids)
  for signal in INT QUIT KILL; do
    [ -n "$pids" ] || break
    for pid in $pids; do kill -s $signal "$pid" 2>/dev/null || true; done
    for _ in $(seq 50); do
      pids=$(demo_pooler_pids)
      [ -n "$pids" ] || break
      sleep 0.1
    done
  done
  if [ -f "$folder/data/postmaster.pid" ]; then
    as_owner "$bin/pg_ctl" -D "$folder/data" -s -m fast -w stop || as_owner "$bin/pg_ctl" -D "$folder/data" -s -m immediate stop || true
  fi
  rm -rf "$folder"
}

# find complains of processes that end while it looks; those are not of interest.
demo_pooler_pids() {
  { find /proc -maxdepth 2 -name exe -lname "$folder/pgring*" 2>/dev/null || true; } | cut -d / -f 3
}

demo_stop() {
  [ -e $demo_state ] || die "no demo is running"
  folder=$(cat $demo_state)
  if [ -d "$folder" ]; then
    owner=$(stat -c %U "$folder")
    bin=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb -printf '%h\n' | sort -V | tail -n 1)
    demo_end
  fi
  rm -f $demo_state
  say "stopped; $folder is removed"
}
