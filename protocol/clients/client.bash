#!/bin/bash
# A client in plain Bash: a coprocess, one call at a time.
#
#     ncloud-kms-emulator -- bash client.bash demo-ec no-such-key
set -eu

coproc service { exec ncloud-kms-rpc --log-level warning; }
# Copied, because Bash unsets its own variables when the process ends.
input=${service[1]} output=${service[0]} pid=$service_PID
last_id=0

# Sets `answer` to the answer's line. Text in the params must not need JSON escapes; key tags never do.
call() { # call METHOD PARAMS
    last_id=$((last_id + 1))
    printf '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' "$last_id" "$1" "$2" >&"$input"
    IFS= read -r answer <&"$output" || { echo "ncloud-kms-rpc has ended" >&2; exit 1; }
}

# Prints a member of the answer whose value is a string without escapes, a number or a literal.
member() { # member NAME
    [[ $answer =~ \"$1\":\"?([^\",}]*) ]] && printf '%s' "${BASH_REMATCH[1]}"
}

for tag in "$@"; do
    call getPublicKey "{\"keyTag\":\"$tag\"}"
    if [[ $answer == *'"error":{'* ]]; then
        [[ $(member retryable) == true ]] && advice="try again" || advice="don't try again"
        echo "$tag $(member type) $(member code) $advice"
    else
        echo "$tag $(member keyType) $(member keySize) $(member spkiSha256)"
    fi
done

# The service exits when its input ends.
exec {input}>&-
wait "$pid"
