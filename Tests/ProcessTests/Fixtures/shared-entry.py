"""Writes a shared entry for a key as protocol/shared-state.md describes it: its name in the engine, an empty line, and the entry.

shared-entry.py SECRET BASE-URL KEY-TAG VERSION STARTED-AT ATTEMPTS REQUEST-ID PEM
"""

import base64
import hashlib
import hmac
import struct
import sys

secret, base_url, key_tag, version, started_at, attempts, request_id, pem = sys.argv[1:]


def mac(key, *parts):
    return hmac.new(key, b"".join(struct.pack(">I", len(part)) + part for part in map(str.encode, parts)), hashlib.sha256).digest()


mac_key = hmac.new(secret.encode(), b"ncloud-kms-rpc shared keys 1", hashlib.sha256).digest()
name = mac(mac_key, "name", base_url, key_tag, version)[:16].hex()
tag = mac(mac_key, "entry 1", base_url, key_tag, version, started_at, attempts, request_id, pem)
sys.stdout.write(f"nkms:1:k:{{{name}}}\n\n1 {started_at} {attempts} {base64.b64encode(tag).decode()} {request_id}\n{pem}")
