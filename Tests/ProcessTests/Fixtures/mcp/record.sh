#!/bin/sh
# Runs a program, and keeps every byte of its stdin and stdout, and its status, in the folder RECORD: in, out, status.
tee "$RECORD/in" | { "$@"; echo $? > "$RECORD/status"; } | tee "$RECORD/out"
