//! Every configuration of `infra/nats`: the server takes it, and serves as it says.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { as, configuration, configured, run } from "../src/configured.js";
import { eventually } from "../src/eventually.js";
import { freePort } from "../src/process.js";
import { SERVER } from "../src/server.js";

const FRAGMENTS = ["accounts.conf", "limits.conf"];
/// Largest value of a key-value store, and room for its headers.
const VALUE = 8 << 20;
const GIB = 2 ** 30;

test("the server takes every file", async (t) => {
  const place = await configuration(t);
  const files = readdirSync(place, { recursive: true }).filter((file) => file.endsWith(".conf") && !file.startsWith("keys/"));
  const whole = files.filter((file) => !FRAGMENTS.includes(file));
  assert.ok(whole.length >= 7, `${whole}`);
  for (const file of whole) {
    const { stdout, stderr } = await run(SERVER, ["-t", "-c", file], { cwd: place });
    assert.match(stdout + stderr, /is valid/, file);
  }
});

test("one server, preset safe: it syncs before it answers, and takes the largest value", async (t) => {
  const server = await configured(t, await configuration(t), "safe.conf");
  const { config } = await (await fetch(`${server.monitor}/jsz`)).json();
  assert.equal(config.sync_always, true);
  assert.deepEqual([config.max_storage, config.max_memory], [10 * GIB, GIB], "the source's limits");
  const operator = await jetstreamManager(await as(t, server, "operator"));
  await operator.streams.add({ name: "KV_A4CO_default", subjects: ["$KV.A4CO_default.>"] });
  const host = jetstream(await as(t, server, "host"));
  await host.publish("$KV.A4CO_default.large", new Uint8Array(VALUE));
});

test("TLS: whoever does not check the authority, or shows no certificate where one is asked for, stays outside", async (t) => {
  const place = await configuration(t);
  const at = (name) => join(place, "tls", name);
  const strangers = { caFile: (await configuration(t)) + "/tls/ca.pem" };
  const server = await configured(t, place, "tls.conf");
  await (await as(t, server, "reader", { tls: { caFile: at("ca.pem") } })).flush();
  await assert.rejects(as(t, server, "reader", { tls: {} }), /self-signed|unable to verify|certificate/i);
  await assert.rejects(as(t, server, "reader", { tls: strangers }), /signature|unable to verify|certificate/i);

  const mutual = await configured(t, place, "mutual-tls.conf");
  const own = { caFile: at("ca.pem"), certFile: at("client.pem"), keyFile: at("client.key") };
  await (await as(t, mutual, "reader", { tls: own })).flush();
  await assert.rejects(as(t, mutual, "reader", { tls: { caFile: at("ca.pem") } }));
});

test("three servers: what is acknowledged outlives the loss of any one of them", async (t) => {
  const routes = [await freePort(), await freePort(), await freePort()];
  const place = await configuration(t, routes.map((port) => `127.0.0.1:${port}`));
  const starting = routes.map((port, at) =>
    configured(t, place, `cluster/node-${at + 1}.conf`, ["--cluster", `nats://127.0.0.1:${port}`]),
  );
  const servers = await Promise.all(starting);
  const all = { ...servers[0], url: servers.map(({ url }) => url) };
  const operator = await jetstreamManager(await as(t, all, "operator", { reconnect: true }));
  const config = { name: "ORDERS", subjects: ["order.>"], num_replicas: 3 };
  await eventually("a stream of three replicas", () => operator.streams.add(config));
  const host = jetstream(await as(t, all, "host", { reconnect: true }));
  for (let count = 0; count < 50; count += 1) await host.publish("order.created", `${count}`);

  const { cluster } = await operator.streams.info("ORDERS");
  const leader = Number(cluster.leader.at(-1)) - 1;
  assert.match(cluster.leader, /^a4co-nats-[123]$/);
  servers[leader].running.kill();
  await eventually("the others go on", () => host.publish("order.created", "after", { msgID: "after", timeout: 2_000 }));
  const { state } = await eventually("the others tell", () => operator.streams.info("ORDERS"));
  assert.equal(state.messages, 51);
});
