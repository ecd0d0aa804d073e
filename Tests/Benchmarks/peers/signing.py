"""The signature of a request to the KMS of NAVER Cloud, for the peers in Python."""
import base64
import hashlib
import hmac
import os
import time

ENDPOINT = os.environ.get("NCLOUD_KMS_ENDPOINT")
CA_FILE = os.environ.get("NCLOUD_KMS_CA_FILE")
ACCESS_KEY = os.environ.get("NCLOUD_ACCESS_KEY_ID", "")
SECRET = os.environ.get("NCLOUD_SECRET_ACCESS_KEY", "")


def target(tag):
    return f"/kms/v1/keys/{tag}/get-pub-key"


def headers(target, access_key=ACCESS_KEY, secret=SECRET):
    timestamp = str(int(time.time() * 1000))
    message = f"POST {target}\n{timestamp}\n{access_key}".encode()
    signature = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "x-ncp-apigw-timestamp": timestamp,
        "x-ncp-iam-access-key": access_key,
        "x-ncp-apigw-signature-v2": signature,
    }
