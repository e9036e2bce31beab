//! The marketplace on NATS: `A4CO_BIN up --nats`, on free ports; and its HTTP API.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.js";
import { folder, freePort, start } from "./process.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/// Starts it and waits until it is ready.
export async function host(t, nats, args = []) {
  const place = await folder(t);
  const [port, adminPort] = [await freePort(), await freePort()];
  const [url, admin] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${adminPort}`];
  const own = ["--listen", `127.0.0.1:${port}`, "--admin-listen", `127.0.0.1:${adminPort}`];
  const state = ["--state-dir", join(place, "state"), "--cache-dir", join(ROOT, "target/tmp/compiled")];
  const manifest = ["--manifest", process.env.A4CO_MANIFEST ?? join(ROOT, "spin.toml")];
  const all = ["up", ...manifest, ...own, ...state, "--nats", nats, ...args];
  const running = start(t, process.env.A4CO_BIN, all, { log: join(place, "host.log") });
  await eventually("the host is ready", async () => {
    if (running.hasEnded()) throw new Error(running.said());
    return (await fetch(`${admin}/readyz`)).ok;
  }, 300_000);
  return new Host(url, admin, running);
}

class Host {
  constructor(url, admin, running) {
    Object.assign(this, { url, admin, running });
  }

  /// GET; the JSON of a success, or nothing.
  async get(path) {
    const reply = await fetch(this.url + path);
    return reply.ok ? await reply.json() : undefined;
  }

  /// POST that must succeed; its JSON.
  async post(path, body) {
    const reply = await fetch(this.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`POST ${path}: ${reply.status} ${text}`);
    return JSON.parse(text);
  }

  /// All letters in the dead-letter queue.
  async deadLetters() {
    return await (await fetch(`${this.admin}/dlq`)).json();
  }
}
