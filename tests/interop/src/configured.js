//! Servers as `infra/nats` configures them, with keys made for the test.

import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "./eventually.js";
import { folder, freePort, start } from "./process.js";
import { SERVER } from "./server.js";

const INFRA = fileURLToPath(new URL("../../../infra/nats/", import.meta.url));
const OURS = /^(?!.*\/(keys|tls)(\/|$))/;
export const run = promisify(execFile);

/// A copy of `infra/nats` with keys and certificates of its own.
export async function configuration(t, servers = []) {
  const place = join(await folder(t), "nats");
  await cp(INFRA, place, { recursive: true, filter: (path) => OURS.test(path) });
  await run(join(place, "make-keys.py"), servers);
  await run(join(place, "make-test-ca.sh"));
  return place;
}

/// A server of one of its files, on ports of its own.
export async function configured(t, place, file, args = []) {
  const [port, monitor] = [await freePort(), await freePort()];
  const log = join(place, `${file.replaceAll("/", "-")}.log`);
  const own = ["-a", "127.0.0.1", "-p", `${port}`, "-m", `${monitor}`];
  const running = start(t, SERVER, ["-c", join(place, file), ...own, ...args], { log, cwd: place });
  const url = `nats://127.0.0.1:${port}`;
  await eventually(`${file} serves at ${url}`, async () => {
    if (running.hasEnded()) throw new Error(running.said());
    return (await fetch(`http://127.0.0.1:${monitor}/healthz`)).ok;
  });
  return { place, port, url, monitor: `http://127.0.0.1:${monitor}`, running };
}

/// A connection as one of the roles. `inbox` is where its answers go.
export async function as(t, server, role, more = {}) {
  const seed = readFileSync(join(server.place, "keys", `${role}.nk`));
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed.toString().trim()));
  const own = { servers: server.url, authenticator, reconnect: false, name: role, ...inbox(role), ...more };
  const connection = await connect(own);
  t.after(() => connection.close());
  return connection;
}

const TRUSTED = ["host", "bridge", "operator", "system"];
const inbox = (role) => (TRUSTED.includes(role) ? {} : { inboxPrefix: `_INBOX_${role}` });

/// Which of `subjects` the connection may publish to: the server tells of every one that it refuses, and answers a ping
/// after all of them.
export async function mayPublish(connection, subjects) {
  const refused = new Set();
  const status = connection.status();
  const watching = (async () => {
    for await (const { type, error } of status) {
      if (type === "error" && error.operation === "publish") refused.add(error.subject);
    }
  })();
  for (const subject of subjects) connection.publish(subject, "probe");
  await connection.flush();
  status.stop?.();
  await Promise.race([watching, new Promise((done) => setImmediate(done))]);
  return subjects.filter((subject) => !refused.has(subject));
}

/// Whether the connection may subscribe.
export async function maySubscribe(connection, subject) {
  let refused = false;
  const subscription = connection.subscribe(subject, { callback: (error) => (refused ||= error !== null) });
  await connection.flush();
  subscription.unsubscribe();
  return !refused;
}
