"""A session of the official Python client of MCP with the program: what it lists and calls, an error, fifty calls at once,
progress, a cancel, and the end.

    session.py MODE COMMAND…

MODE is `session` for clients that know `ClientSession` alone (mcp 1), else a mode of `Client` (mcp 2). COMMAND starts the
program; it is for a service that knows demo-ec, fails twice for demo-rsa, and never answers for demo-aes. Ends with
status 0 if all is as it must be.
"""

import asyncio
import json
import os
import sys

import anyio
import mcp
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client

MODE, COMMAND = sys.argv[1], sys.argv[2:]
TOOLS = ["getPublicKey", "verifySignature"]


def field(value, snake):
    """A field of a result: mcp 1 names them as the wire does, mcp 2 as Python does."""
    head, *tail = snake.split("_")
    camel = head + "".join(word.capitalize() for word in tail)
    return getattr(value, snake) if hasattr(value, snake) else getattr(value, camel)


async def use(session):
    listed = await session.list_tools()
    assert [tool.name for tool in listed.tools] == TOOLS, listed

    # Validates the structured content against the output schema, too.
    key = await session.call_tool("getPublicKey", {"keyTag": "demo-ec", "formats": ["jwk", "ssh"]})
    assert not field(key, "is_error"), key
    structured = field(key, "structured_content")
    assert structured["keyType"] == "EC" and structured["jwk"]["crv"] == "P-256", structured
    assert json.loads(key.content[0].text) == structured

    for arguments, code in [({"keyTag": "nobody"}, 1004), ({"keyTag": "demo-ec", "keyVersion": 0}, -32602)]:
        failure = await session.call_tool("getPublicKey", arguments)
        assert field(failure, "is_error") and json.loads(failure.content[0].text)["code"] == code, failure
        assert field(failure, "structured_content") is None

    verdict = await session.call_tool(
        "verifySignature", {"keyTag": "demo-ec", "algorithm": "ES256", "data": "", "signature": "AAAA"})
    assert field(verdict, "structured_content")["valid"] is False, verdict

    try:
        await session.call_tool("noSuchTool", {})
        raise AssertionError("an unknown tool was called")
    except mcp.shared.exceptions.McpError if hasattr(mcp.shared.exceptions, "McpError") else mcp.MCPError as error:
        assert error.error.code == -32602, error

    many = await asyncio.gather(*[session.call_tool("getPublicKey", {"keyTag": "demo-ec"}) for _ in range(50)])
    assert len(many) == 50 and all(field(one, "structured_content")["keyTag"] == "demo-ec" for one in many)

    reports = []

    async def report(progress, total, message):
        reports.append((progress, total, message))

    repeated = await session.call_tool("getPublicKey", {"keyTag": "demo-rsa"}, progress_callback=report)
    assert field(repeated, "structured_content")["attempts"] == 3, repeated
    assert reports == [(1, 3, "attempt 2 of 3"), (2, 3, "attempt 3 of 3")], reports

    await cancel(session)
    after = await session.call_tool("getPublicKey", {"keyTag": "demo-ec"})
    assert not field(after, "is_error")


async def cancel(session):
    """Gives up a call that is under way. mcp 1 says nothing to the server when its caller gives up, so it is said here."""
    if MODE == "session":
        from mcp import types

        async with anyio.create_task_group() as group:
            group.start_soon(session.call_tool, "getPublicKey", {"keyTag": "demo-aes"})
            await anyio.wait_all_tasks_blocked()
            notification = types.CancelledNotification(
                params=types.CancelledNotificationParams(requestId=session._request_id - 1))
            await session.send_notification(types.ClientNotification(notification))
            group.cancel_scope.cancel()
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(session.call_tool, "getPublicKey", {"keyTag": "demo-aes"})
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()


async def main():
    server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=dict(os.environ))
    if MODE == "session":
        async with stdio_client(server) as streams, mcp.ClientSession(*streams) as session:
            initialized = await session.initialize()
            assert initialized.serverInfo.name == "ncloud-kms-rpc", initialized
            await session.send_ping()
            await use(session)
    else:
        async with mcp.Client(stdio_client(server), mode=MODE) as client:
            assert client.protocol_version == ("2025-11-25" if MODE == "legacy" else "2026-07-28"), client.protocol_version
            await use(client)


anyio.run(main)
