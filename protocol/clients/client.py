"""A client in Python, with the standard library only: calls from any thread, many at once.

    ncloud-kms-emulator -- python3 client.py demo-ec no-such-key
"""
import json
import subprocess
import sys
import threading
from concurrent.futures import Future


class KMSError(Exception):
    def __init__(self, code, message, data):
        super().__init__(message)
        self.code, self.type, self.retryable = code, data["type"], data["retryable"]


class Service:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            ["ncloud-kms-rpc", "--log-level", "warning", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock, self.pending, self.last_id = threading.Lock(), {}, 0
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, method, **params):
        """Returns a future of the call's result, at once."""
        future = Future()
        with self.lock:
            self.last_id += 1
            self.pending[self.last_id] = future
            request = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        return future

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            future = self.pending.pop(answer["id"])
            if "error" in answer:
                future.set_exception(KMSError(**answer["error"]))
            else:
                future.set_result(answer["result"])
        for future in self.pending.values():
            future.set_exception(EOFError("ncloud-kms-rpc has ended"))

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


service = Service()
calls = [(tag, service.start("getPublicKey", keyTag=tag)) for tag in sys.argv[1:]]
for tag, call in calls:
    try:
        key = call.result()
        print(tag, key["keyType"], key["keySize"], key["spkiSha256"])
    except KMSError as error:
        print(tag, error.type, error.code, "try again" if error.retryable else "don't try again")
sys.exit(service.close())
