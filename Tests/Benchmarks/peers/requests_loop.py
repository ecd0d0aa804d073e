"""JSON-RPC lines on stdin, answered with requests; a pool of threads, as requests blocks."""
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

import signing

WORKERS = 32

session = requests.Session()
session.verify = signing.CA_FILE
session.trust_env = False  # else every call reads the environment and looks for a netrc file
session.mount("https://", HTTPAdapter(pool_maxsize=WORKERS))


def answer(line):
    request = json.loads(line)
    try:
        target = signing.target(request["params"]["keyTag"])
        response = session.post(signing.ENDPOINT + target, data=b"{}", headers=signing.headers(target), timeout=10)
        response.raise_for_status()
        outcome = {"result": {"publicKey": response.json()["data"]["publicKey"]}}
    except Exception as error:
        outcome = {"error": {"code": -32000, "message": str(error)}}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}) + "\n")
    sys.stdout.flush()


with ThreadPoolExecutor(WORKERS) as pool:
    for line in sys.stdin:
        pool.submit(answer, line)
