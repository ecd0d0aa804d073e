// A client in JavaScript for Node, with built-in modules only: many calls at once.
//
//     ncloud-kms-emulator -- node client.js demo-ec no-such-key
"use strict";
const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");

class KMSError extends Error {
  constructor({ code, message, data }) {
    super(message);
    Object.assign(this, { code, type: data.type, retryable: data.retryable });
  }
}

class Service {
  #pending = new Map();
  #lastId = 0;

  constructor(...options) {
    const stdio = ["pipe", "pipe", "inherit"];
    this.process = spawn("ncloud-kms-rpc", ["--log-level", "warning", ...options], { stdio });
    this.ended = new Promise((resolve) => this.process.on("close", resolve).on("error", resolve));
    this.ended.then(() => this.#pending.forEach(({ reject }) => reject(new Error("ncloud-kms-rpc has ended"))));
    this.process.stdin.on("error", () => {}); // `ended` reports that the process has ended.
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      const { id, result, error } = JSON.parse(line);
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      error ? reject(new KMSError(error)) : resolve(result);
    });
  }

  call(method, params) {
    return new Promise((resolve, reject) => {
      this.#pending.set(++this.#lastId, { resolve, reject });
      this.process.stdin.write(JSON.stringify({ jsonrpc: "2.0", id: this.#lastId, method, params }) + "\n");
    });
  }

  close() {
    this.process.stdin.end();
    return this.ended;
  }
}

async function main(tags) {
  const service = new Service();
  const calls = await Promise.allSettled(tags.map((keyTag) => service.call("getPublicKey", { keyTag })));
  calls.forEach(({ value: key, reason: error }, index) => {
    if (key) return console.log(tags[index], key.keyType, key.keySize, key.spkiSha256);
    if (!(error instanceof KMSError)) throw error;
    console.log(tags[index], error.type, error.code, error.retryable ? "try again" : "don't try again");
  });
  process.exitCode = await service.close();
}

main(process.argv.slice(2));
