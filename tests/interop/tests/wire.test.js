//! The wire contract through a plain JetStream client: what is published is what is read, byte for byte, once.

import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import assert from "node:assert/strict";
import test from "node:test";
import { connected, server } from "../src/server.js";
import { STREAMS, contract, publish, read } from "../src/wire.js";

test("every event of the contract passes through its stream unchanged, and once", async (t) => {
  const connection = await connected(t, await server(t));
  const manager = await jetstreamManager(connection);
  for (const [name, subject] of Object.entries(STREAMS)) {
    await manager.streams.add({ name, subjects: [subject] });
  }
  const js = jetstream(connection);
  const events = contract();
  assert.ok(events.length >= 25, `${events.length} events`);
  const streams = new Set();
  for (const { subject, body } of events) {
    const first = await publish(js, subject, JSON.parse(body), body);
    assert.equal(first.duplicate, false, subject);
    const again = await publish(js, subject, JSON.parse(body), body);
    assert.deepEqual([again.duplicate, again.seq], [true, first.seq], subject);
    const domain = `${subject.split(".")[0]}.>`;
    assert.equal(STREAMS[first.stream], domain, `${subject} lies with its domain`);
    streams.add(first.stream);
  }
  let count = 0;
  for (const stream of streams) {
    for (const message of await read(js, stream)) {
      const { body } = events.find(({ subject }) => subject === message.subject);
      assert.deepEqual(Buffer.from(message.data), body, message.subject);
      assert.equal(message.headers.get("Event-Type"), message.json().eventType);
      count += 1;
    }
  }
  assert.equal(count, events.length);
});
