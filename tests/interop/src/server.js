//! A NATS server with JetStream: the one at `NATS_URL`, or one of the test's own from `NATS_SERVER_BIN`.

import { connect } from "@nats-io/transport-node";
import { join } from "node:path";
import { eventually } from "./eventually.js";
import { folder, freePort, start } from "./process.js";

/// The server's program.
export const SERVER = process.env.NATS_SERVER_BIN ?? "nats-server";

/// Where the server is; it ends with the test.
export async function server(t) {
  if (process.env.NATS_URL) return process.env.NATS_URL;
  const port = await freePort();
  const place = await folder(t);
  const args = ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", join(place, "store")];
  const running = start(t, SERVER, args, { log: join(place, "server.log") });
  const url = `nats://127.0.0.1:${port}`;
  await eventually(`a NATS server at ${url}`, async () => {
    if (running.hasEnded()) throw new Error(running.said());
    await (await connect({ servers: url, reconnect: false })).close();
    return true;
  });
  return url;
}

/// A connection that is closed when the test ends.
export async function connected(t, url) {
  const connection = await connect({ servers: url });
  t.after(() => connection.close());
  return connection;
}
