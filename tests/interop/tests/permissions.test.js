//! What every role may do on NATS, asked of a real server that runs the configuration we ship.

import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import assert from "node:assert/strict";
import test from "node:test";
import { as, configuration, configured, mayPublish, maySubscribe } from "../src/configured.js";
import { components, matches, streams } from "../src/manifest.js";
import { contract, example, publish } from "../src/wire.js";

const COMMANDS = ["inventory.stock.sell", "inventory.adjust", "order.deliver", "saga.timeout", "saga.stuck", "payment.resume"];
const SUBJECTS = [...new Set([...contract().map(({ subject }) => subject), ...COMMANDS])].sort();
const NOBODYS = [
  "$JS.API.STREAM.DELETE.ORDERS",
  "$JS.API.STREAM.RESTORE.ORDERS",
  "$JS.API.STREAM.MSG.DELETE.ORDERS",
  "$JS.API.STREAM.DELETE.KV_A4CO_default",
  "$SYS.REQ.SERVER.PING",
  "another.subject",
];
const STATE = ["$KV.A4CO_default.order/1", "$JS.API.DIRECT.GET.KV_A4CO_default.$KV.A4CO_default.order/1"];
const WORK = [
  "A4CO.dlq.saga.ORDERS.1",
  "A4CO.replay.saga.ORDERS",
  "A4CO.node",
  "A4CO.freed",
  "$KV.A4CO_POSITIONS.source.saga.ORDERS",
  "$KV.A4CO_TIMERS.0123",
  "$KV.A4CO_CONTROL.pause.saga.ORDERS",
  "$JS.API.INFO",
  "$JS.API.STREAM.INFO.ORDERS",
  "$JS.API.STREAM.CREATE.KV_A4CO_POSITIONS",
  "$JS.API.STREAM.MSG.GET.ORDERS",
  "$JS.API.STREAM.PURGE.ORDERS",
  "$JS.API.STREAM.MSG.DELETE.A4CO_DLQ",
  "$JS.API.CONSUMER.CREATE.ORDERS",
  "$JS.API.CONSUMER.CREATE.ORDERS.reading.order.created",
  "$JS.API.CONSUMER.MSG.NEXT.ORDERS.reading",
  "$JS.API.CONSUMER.DELETE.ORDERS.reading",
  "$JS.API.CONSUMER.LIST.ORDERS",
];

test("on the configuration of one server", async (t) => {
  const server = await configured(t, await configuration(t), "single.conf");

  await t.test("nobody gets in without a key, or with a made-up one", async (t) => {
    const refused = /Authorization Violation/i;
    await assert.rejects(connect({ servers: server.url, reconnect: false }), refused);
    const other = { ...server, place: await configuration(t) };
    await assert.rejects(as(t, other, "host"), refused);
  });

  await t.test("the host and the bridge may do their work and nothing else", async (t) => {
    const all = [...SUBJECTS, ...WORK, ...STATE, ...NOBODYS, "$JS.API.STREAM.UPDATE.ORDERS"];
    assert.deepEqual(await mayPublish(await as(t, server, "host"), all), [...SUBJECTS, ...WORK, ...STATE]);
    assert.deepEqual(await mayPublish(await as(t, server, "bridge"), all), [...SUBJECTS, ...WORK]);
    for (const role of ["host", "bridge"]) {
      const connection = await as(t, server, role);
      for (const subject of ["A4CO.node", "A4CO.freed", "A4CO.replay.>", "$KV.A4CO_CONTROL.>"]) {
        assert.ok(await maySubscribe(connection, subject), `${role} hears ${subject}`);
      }
      for (const subject of [">", "order.>", "_INBOX_order.>", "$JS.API.>", "$SYS.>"]) {
        assert.ok(!(await maySubscribe(connection, subject)), `${role} overhears ${subject}`);
      }
    }
  });

  await t.test("an operator administers streams, and publishes no event and no state", async (t) => {
    const operator = await as(t, server, "operator");
    const manager = await jetstreamManager(operator);
    await manager.streams.add({ name: "ORDERS", subjects: ["order.>"] });
    await manager.streams.update("ORDERS", { max_msgs: 10 });
    assert.deepEqual(await mayPublish(operator, [...SUBJECTS, "$KV.A4CO_default.a", "$KV.A4CO_POSITIONS.a", "A4CO.dlq.a"]), []);
    await manager.streams.delete("ORDERS");
  });

  await t.test("a service reads, acknowledges and publishes with no more than its role", async (t) => {
    const manager = await jetstreamManager(await as(t, server, "operator"));
    for (const [name, subjects] of Object.entries(streams())) await manager.streams.add({ name, subjects });
    const durable = { durable_name: "payment", ack_policy: AckPolicy.Explicit, filter_subjects: ["payment.process"] };
    await manager.consumers.add("PAYMENTS", durable);

    const saga = jetstream(await as(t, server, "saga"));
    const command = example("payment.process");
    await publish(saga, "payment.process", command);
    const payment = jetstream(await as(t, server, "payment"));
    const message = await (await payment.consumers.get("PAYMENTS", "payment")).next();
    assert.deepEqual(message.json(), command);
    assert.ok(await message.ackAck());
    assert.equal((await manager.consumers.info("PAYMENTS", "payment")).num_ack_pending, 0);
    await publish(payment, "payment.succeeded", example("payment.succeeded"));

    const reader = await as(t, server, "reader");
    const reading = { durable_name: "reader", ack_policy: AckPolicy.Explicit };
    await manager.consumers.add("PAYMENTS", reading);
    const messages = await (await jetstream(reader).consumers.get("PAYMENTS", "reader")).fetch({ max_messages: 2, expires: 2_000 });
    const read = [];
    for await (const each of messages) read.push(each.subject) && each.ack();
    assert.deepEqual(read, ["payment.process", "payment.succeeded"]);
    assert.deepEqual(await mayPublish(reader, SUBJECTS), []);
  });

  await t.test("a component's own process publishes what the manifest grants it, and reads by its own consumers alone", async (t) => {
    const manager = await jetstreamManager(await as(t, server, "operator"));
    for (const [name, subjects] of Object.entries(streams())) await manager.streams.add({ name, subjects });
    const roles = components().filter(({ events }) => events);
    assert.ok(roles.length >= 7, "the components that take part in events");
    // Users are a service of the marketplace that is no component yet.
    roles.push({ id: "user", events: { publish: ["user.>"] } });
    for (const { id, events } of roles) {
      const connection = await as(t, server, id);
      const granted = SUBJECTS.filter((subject) => events.publish.some((pattern) => matches(pattern, subject)));
      const more = [...WORK, ...STATE, ...NOBODYS, "$JS.API.CONSUMER.MSG.NEXT.ORDERS.other"];
      assert.deepEqual(await mayPublish(connection, [...SUBJECTS, ...more]), granted, id);
      for (const subject of [">", "order.>", "_INBOX.>", "_INBOX_other.>"]) {
        assert.ok(!(await maySubscribe(connection, subject)), `${id} overhears ${subject}`);
      }
    }
  });
});
