// The WABinary folder of baileys, asked over JSON lines: one request, one answer.
//
//   {"op": "encode", "stanza": S}  -> {"ok": hex}
//   {"op": "decode", "data": hex}  -> {"ok": S}
//   S = {"tag", "attrs": {name: text}, "content": null | {"bytes": hex} | {"text": text} | [S]}
//
// A refusal is {"error": text}.

import { createInterface } from "node:readline";
import { decodeBinaryNode } from "./node_modules/baileys/lib/WABinary/decode.js";
import { encodeBinaryNode } from "./node_modules/baileys/lib/WABinary/encode.js";

function toTheirs({ tag, attrs, content }) {
  return { tag, attrs, content: contentToTheirs(content) };
}

function contentToTheirs(content) {
  if (content === null) return undefined;
  if (Array.isArray(content)) return content.map(toTheirs);
  return "text" in content ? content.text : Buffer.from(content.bytes, "hex");
}

function toOurs({ tag, attrs, content }) {
  return { tag, attrs, content: contentToOurs(content) };
}

function contentToOurs(content) {
  if (content === undefined) return null;
  if (Array.isArray(content)) return content.map(toOurs);
  if (typeof content === "string") return { text: content };
  return { bytes: Buffer.from(content).toString("hex") };
}

async function answer(request) {
  if (request.op === "encode") return encodeBinaryNode(toTheirs(request.stanza)).toString("hex");
  if (request.op === "decode") return toOurs(await decodeBinaryNode(Buffer.from(request.data, "hex")));
  throw new Error(`unknown request ${request.op}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { ok: await answer(JSON.parse(line)) };
  } catch (error) {
    reply = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
