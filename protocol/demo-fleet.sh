#!/bin/bash
# Starts 50 processes at once that all need the same key: first each for itself, then with a Redis or Valkey engine that
# they share. Shows how many requests the service got.
#
#   ncloud-kms-emulator --latency 30 -- protocol/demo-fleet.sh PATH-OF-NCLOUD-KMS-RPC
set -eu

program=$1
processes=50

engine=$(command -v redis-server || command -v valkey-server) || {
    echo "The demo needs redis-server or valkey-server. Debian and Ubuntu: apt-get install redis-server" >&2
    exit 1
}
command -v curl >/dev/null || {
    echo "The demo needs curl, to ask the emulator what it has counted. Debian and Ubuntu: apt-get install curl" >&2
    exit 1
}

folder=$(mktemp -d)
engine_pid=
stop() {
    # Bash says on stderr that it was terminated, unless it has been waited for.
    [ -z "$engine_pid" ] || { kill "$engine_pid" && wait "$engine_pid"; } 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT

"$engine" --port 0 --unixsocket "$folder/engine.sock" --dir "$folder" --save '' >"$folder/engine.log" &
engine_pid=$!
until grep -q 'eady to accept connections' "$folder/engine.log"; do
    kill -0 "$engine_pid" 2>/dev/null || { cat "$folder/engine.log" >&2; exit 1; }
    sleep 0.05
done

member() { # member FLAG…: one process; prints how many microseconds it took
    local start=${EPOCHREALTIME//[.,]/}
    "$program" get-public-key demo-ec "$@" >/dev/null || exit 1
    echo $((${EPOCHREALTIME//[.,]/} - start))
}

counter() { # counter NAME: a number that the emulator has counted
    curl -fsS "$NCLOUD_KMS_ENDPOINT/_emulator/state" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

fleet() { # fleet LABEL FLAG…
    local label=$1
    shift
    curl -fsS -X POST "$NCLOUD_KMS_ENDPOINT/_emulator/reset" >/dev/null
    local pids=() slowest=0 pid
    for ((index = 0; index < processes; index++)); do
        member "$@" >"$folder/time.$index" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || { echo "A process failed." >&2; exit 1; }; done
    slowest=$(sort -n "$folder"/time.* | tail -n 1)
    printf '%-40s %4d requests   slowest process %4d ms\n' "$label" "$(counter total)" $((slowest / 1000))
}

echo "$processes processes, one key:"
fleet 'each for itself'
fleet '--shared unix:// --shared-keys on' --shared "unix://$folder/engine.sock" --shared-keys on
