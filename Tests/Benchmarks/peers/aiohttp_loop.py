"""JSON-RPC lines on stdin, answered with aiohttp."""
import asyncio
import json
import ssl
import sys

import aiohttp

import signing

CONNECTIONS = 32


async def answer(session, line):
    request = json.loads(line)
    try:
        target = signing.target(request["params"]["keyTag"])
        async with session.post(
                signing.ENDPOINT + target, data=b"{}", headers=signing.headers(target)) as response:
            response.raise_for_status()
            outcome = {"result": {"publicKey": (await response.json())["data"]["publicKey"]}}
    except Exception as error:
        outcome = {"error": {"code": -32000, "message": str(error)}}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}) + "\n")
    sys.stdout.flush()


async def main():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=signing.CA_FILE), limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(10)) as session:
        running = set()
        while line := await reader.readline():
            task = asyncio.create_task(answer(session, line))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)


asyncio.run(main())
