"""python-lsp-jsonrpc: pylsp.py PROGRAM…"""

import subprocess
import sys
import threading

from pylsp_jsonrpc.endpoint import Endpoint
from pylsp_jsonrpc.exceptions import JsonRpcException
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter

process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
endpoint = Endpoint({}, JsonRpcStreamWriter(process.stdin).write)
reader = threading.Thread(target=JsonRpcStreamReader(process.stdout).listen, args=[endpoint.consume], daemon=True)
reader.start()


def ask(method, params=None):
    return endpoint.request(method, params)


assert ask("initialize", {"processId": None, "capabilities": {}}).result(60)["serverInfo"]["name"] == "ncloud-kms-rpc"
endpoint.notify("initialized", {})
assert ask("getPublicKey", {"keyTag": "demo-ec"}).result(60)["keyType"] == "EC"
try:
    ask("getPublicKey", {"keyTag": "nobody"}).result(60)
    raise AssertionError("no error")
except JsonRpcException as error:
    assert error.code == 1004, error
assert ask("getStatus").result(60)["pid"] > 0
many = [ask("getPublicKey", {"keyTag": "demo-ec"}) for _ in range(100)]
assert all(one.result(60)["keyTag"] == "demo-ec" for one in many)
assert ask("shutdown").result(60) is None
endpoint.notify("exit")
assert process.wait(60) == 0
reader.join()
