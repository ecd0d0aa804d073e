#!/bin/bash
# Talks to the process over two pipes, as a program would: a request, its answer, the next request.
#
#   ncloud-kms-emulator -- protocol/demo.sh PATH-OF-NCLOUD-KMS-RPC
set -eu

coproc service { exec "$1" --log-level warning; }
input=${service[1]} output=${service[0]}
# Bash unsets service_PID when the process ends.
service_pid=$service_PID

call() { # call WHAT REQUEST
    printf '\n# %s\n--> %s\n' "$1" "$2"
    printf '%s\n' "$2" >&"$input"
    read -r answer <&"$output"
    printf '<-- %s\n' "$answer"
}

call 'An RSA key' '{"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"demo-rsa"}}'
call 'An EC key, by position' '{"jsonrpc":"2.0","id":2,"method":"getPublicKey","params":["demo-ec"]}'
call 'A given version' '{"jsonrpc":"2.0","id":3,"method":"getPublicKey","params":{"keyTag":"demo-rsa","keyVersion":1}}'
call 'A disabled version' '{"jsonrpc":"2.0","id":4,"method":"getPublicKey","params":{"keyTag":"demo-rsa","keyVersion":2}}'
call 'An AES key, which has no public key' '{"jsonrpc":"2.0","id":5,"method":"getPublicKey","params":{"keyTag":"demo-aes"}}'
call 'An unknown tag' '{"jsonrpc":"2.0","id":6,"method":"getPublicKey","params":{"keyTag":"no-such-key"}}'
call 'A bad parameter' '{"jsonrpc":"2.0","id":7,"method":"getPublicKey","params":{"keyTag":"demo-rsa","keyVersion":101}}'
call 'A batch' '[{"jsonrpc":"2.0","id":8,"method":"getPublicKey","params":["demo-ec"]},{"jsonrpc":"2.0","id":9,"method":"no.such.method"}]'

# The process exits at the end of its input.
exec {input}>&-
wait "$service_pid"
