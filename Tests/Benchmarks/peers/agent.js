// JSON-RPC lines on stdin, answered with node:https and a keep-alive Agent.
const { createHmac } = require("node:crypto");
const { readFileSync } = require("node:fs");
const https = require("node:https");
const { createInterface } = require("node:readline");

const {
  NCLOUD_KMS_ENDPOINT: endpoint, NCLOUD_KMS_CA_FILE: caFile,
  NCLOUD_ACCESS_KEY_ID: accessKey, NCLOUD_SECRET_ACCESS_KEY: secret,
} = process.env;
const { hostname, port } = new URL(endpoint);
const agent = new https.Agent({ keepAlive: true, maxSockets: 32, ca: readFileSync(caFile) });

const publicKey = (tag) => new Promise((resolve, reject) => {
  const path = `/kms/v1/keys/${tag}/get-pub-key`;
  const timestamp = String(Date.now());
  const signature = createHmac("sha256", secret).update(`POST ${path}\n${timestamp}\n${accessKey}`).digest("base64");
  const request = https.request({
    agent, hostname, port, path, method: "POST", timeout: 10_000,
    headers: {
      "Content-Type": "application/json", "Content-Length": 2, "x-ncp-apigw-timestamp": timestamp,
      "x-ncp-iam-access-key": accessKey, "x-ncp-apigw-signature-v2": signature,
    },
  }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (chunk) => { body += chunk; }).on("end", () => {
      if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
      try { resolve(JSON.parse(body).data.publicKey); } catch (error) { reject(error); }
    });
  });
  request.on("error", reject).end("{}");
});

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, params } = JSON.parse(line);
  const write = (outcome) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...outcome }) + "\n");
  publicKey(params.keyTag)
    .then((publicKey) => write({ result: { publicKey } }), (error) => write({ error: { code: -32000, message: error.message } }));
});
