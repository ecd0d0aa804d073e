"""Passes bytes between a Unix socket and an engine, each command some time later.

Usage: slow-engine.py SOCKET ENGINE-SOCKET MILLISECONDS
"""

import asyncio
import sys


async def carry(source, sink, delay):
    while data := await source.read(1 << 16):
        await asyncio.sleep(delay)
        sink.write(data)
        await sink.drain()
    sink.close()


async def serve(reader, writer):
    source, sink = await asyncio.open_unix_connection(sys.argv[2])
    delay = int(sys.argv[3]) / 1000
    # A client that gives up is no news.
    await asyncio.gather(carry(reader, sink, delay), carry(source, writer, 0), return_exceptions=True)


async def main():
    server = await asyncio.start_unix_server(serve, sys.argv[1])
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
