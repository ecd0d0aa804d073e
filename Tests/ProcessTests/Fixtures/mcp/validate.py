"""Checks every line that a server sent in a session of MCP against the published JSON Schemas.

    validate.py SCHEMAS RECORD

SCHEMAS is a folder with REVISION.json for each revision, RECORD one with the lines of a session: in, out.
"""

import json
import sys

import jsonschema

SCHEMAS, RECORD = sys.argv[1:]
MODERN = "2026-07-28"
RESULTS = {
    "initialize": "InitializeResult", "ping": "EmptyResult", "server/discover": "DiscoverResult",
    "tools/list": "ListToolsResult", "tools/call": "CallToolResult",
}


class Schemas:
    """The definitions of one revision."""

    def __init__(self, revision):
        self.document = json.load(open(f"{SCHEMAS}/{revision}.json"))
        self.key = "$defs" if "$defs" in self.document else "definitions"
        self.kind = jsonschema.validators.validator_for(self.document)

    def has(self, name):
        return name in self.document[self.key]

    def check(self, value, name):
        schema = {"$ref": f"#/{self.key}/{name}", self.key: self.document[self.key]}
        self.kind(schema).validate(value)


def messages(name):
    for line in open(f"{RECORD}/{name}"):
        message = json.loads(line)
        yield from message if isinstance(message, list) else [message]


def modern_version(request):
    meta = (request.get("params") or {}).get("_meta") or {}
    return meta.get("io.modelcontextprotocol/protocolVersion")


asked = {json.dumps(request["id"]): request for request in messages("in") if "id" in request}
session, tools, count = "2025-11-25", {}, 0
schemas = {}
for message in messages("out"):
    request = asked.get(json.dumps(message.get("id")), {})
    # A line is of the session's revision, or of its own request's.
    if request.get("method") == "initialize" and "result" in message:
        session = message["result"]["protocolVersion"]
    revision = MODERN if modern_version(request) else session
    if revision not in schemas:
        schemas[revision] = Schemas(revision)
    schema = schemas[revision]
    schema.check(message, "JSONRPCMessage")
    count += 1
    if "method" in message:
        schema.check(message, "ProgressNotification")
    elif "error" in message:
        schema.check(message, "JSONRPCErrorResponse" if schema.has("JSONRPCErrorResponse") else "JSONRPCError")
        if message["error"]["code"] == -32022:
            schema.check(message, "UnsupportedProtocolVersionError")
    else:
        result = message["result"]
        schema.check(result, RESULTS[request["method"]])
        assert ("resultType" in result) == (revision == MODERN), message
        for tool in result.get("tools", []):
            for name in ["inputSchema", "outputSchema"]:
                jsonschema.Draft202012Validator.check_schema(tool[name])
            tools[tool["name"]] = tool
        if "structuredContent" in result:
            tool = tools[request["params"]["name"]]
            jsonschema.Draft202012Validator(tool["outputSchema"]).validate(result["structuredContent"])
            jsonschema.Draft202012Validator(tool["inputSchema"]).validate(request["params"]["arguments"])
print(f"{count} messages are valid")
