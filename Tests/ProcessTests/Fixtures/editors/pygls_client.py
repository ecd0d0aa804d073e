"""pygls: pygls_client.py PROGRAM…"""

import asyncio
import sys

from pygls.client import JsonRPCClient
from pygls.exceptions import JsonRpcException


async def main():
    client = JsonRPCClient()
    await client.start_io(*sys.argv[1:])
    ask = client.protocol.send_request_async
    assert (await ask("getPublicKey", {"keyTag": "demo-ec"})).keyType == "EC"
    try:
        await ask("getPublicKey", {"keyTag": "nobody"})
        raise AssertionError("no error")
    except JsonRpcException as error:
        assert error.code == 1004, error
    assert (await ask("getStatus", None)).pid > 0
    many = await asyncio.gather(*[ask("getPublicKey", {"keyTag": "demo-ec"}) for _ in range(100)])
    assert all(one.keyTag == "demo-ec" for one in many)
    assert await ask("shutdown", None) is None
    client.protocol.notify("exit", None)
    assert await client._server.wait() == 0
    await client.stop()


asyncio.run(main())
