//! The marketplace on NATS beside a client that is not ours: it drives an order by what it publishes, and reads what the
//! components publish. Needs `A4CO_BIN`; without it there is nothing to run against.

import { jetstream } from "@nats-io/jetstream";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import test from "node:test";
import { cloudEvent } from "../src/cloudevent.js";
import { as, configuration, configured } from "../src/configured.js";
import { eventually } from "../src/eventually.js";
import { host } from "../src/host.js";
import { connected, server } from "../src/server.js";
import { exported, scraped } from "../src/metrics.js";
import { ENVELOPE, departures } from "../src/shape.js";
import { charges, list, sagaEnds, stock } from "../src/shop.js";
import { STREAMS, contract, example, publish, read } from "../src/wire.js";

const skip = process.env.A4CO_BIN ? false : "A4CO_BIN names no binary of the host";
const FLOW = [
  "order.created",
  "inventory.stock.check",
  "inventory.stock.reserved",
  "payment.process",
  "payment.initiated",
  "payment.succeeded",
  "order.confirm",
  "order.confirmed",
  "inventory.stock.sold",
];

/// The host and a plain client on one server.
async function both(t) {
  const url = await server(t);
  const marketplace = await host(t, url);
  const js = jetstream(await connected(t, url));
  return { marketplace, js };
}

/// An order of one product as the TypeScript services announce it, under ids of its own. `paymentMethodId` is the one
/// field that our saga reads and theirs need not know.
function order(productId, quantity, unitPrice) {
  const event = structuredClone(example("order.created"));
  Object.assign(event, { eventId: randomUUID(), aggregateId: randomUUID() });
  Object.assign(event.metadata, { correlationId: randomUUID(), causationId: randomUUID() });
  const item = { productId, artisanId: "art-alfar-ubeda", quantity, unitPrice, productName: `Cuenco ${productId}` };
  Object.assign(event.eventData, { items: [item], totalAmount: quantity * unitPrice, paymentMethodId: "tok_ok" });
  return event;
}

/// All events of a correlation, from all streams, each stream's in its order.
async function correlated(js, correlationId) {
  const all = [];
  for (const stream of Object.keys(STREAMS)) all.push(...(await read(js, stream)));
  return all.filter((message) => message.json().metadata?.correlationId === correlationId);
}

function checkHeaders(message) {
  const event = message.json();
  const { headers, subject } = message;
  const said = ["Nats-Msg-Id", "Event-Type", "Aggregate-Id", "Event-Version"].map((name) => headers.get(name));
  assert.deepEqual(said, [event.eventId, event.eventType, event.aggregateId, `${event.eventVersion}`], subject);
  const cloud = cloudEvent(message);
  assert.deepEqual([cloud.id, cloud.type, cloud.specversion], [event.eventId, event.eventType, "1.0"], subject);
  assert.match(cloud.source, /^\/a4co\//, subject);
  assert.equal(new Date(cloud.time).getTime(), new Date(event.occurredOn).getTime(), subject);
  assert.deepEqual(cloud.data, event, `${subject}: the data is the event`);
}

test("an order announced by a plain client is fulfilled, and told in the form of the contract", { skip }, async (t) => {
  const { marketplace, js } = await both(t);
  await list(marketplace, "prod-cuenco", 5, 3400);
  const created = order("prod-cuenco", 2, 3400);
  await publish(js, "order.created", created);
  assert.equal(await sagaEnds(marketplace, created.aggregateId), "completed");
  await eventually("the order is confirmed", async () => {
    return (await marketplace.get(`/api/v1/orders/${created.aggregateId}`))?.status === "confirmed";
  });
  const { available, reserved, sold } = await stock(marketplace, "prod-cuenco");
  assert.deepEqual([available, reserved, sold], [3, 0, 2]);
  assert.deepEqual(await charges(marketplace, created.aggregateId), [6800]);

  const told = await correlated(js, created.metadata.correlationId);
  const subjects = told.map(({ subject }) => subject);
  for (const subject of FLOW) assert.equal(subjects.filter((it) => it === subject).length, 1, `${subject} in ${subjects}`);
  const ids = new Set(told.map((message) => message.json().eventId));
  const shapes = new Map(contract().map(({ subject }) => [subject, example(subject)]));
  for (const message of told.filter((message) => message.json().eventId !== created.eventId)) {
    checkHeaders(message);
    const event = message.json();
    for (const name of ENVELOPE) assert.ok(name in event, `${message.subject} has no ${name}`);
    assert.ok(ids.has(event.metadata.causationId), `${message.subject} is caused by an event of the flow`);
    assert.deepEqual(departures(shapes.get(message.subject), event), [], message.subject);
  }
  await checkMetrics(marketplace);
});

/// What the queries of `infra` are held against is what a running host exports.
async function checkMetrics(marketplace) {
  const known = exported();
  const found = scraped(await (await fetch(`${marketplace.admin}/metrics`)).text());
  assert.ok(found.length > 100, `${found.length} samples`);
  for (const { name, labels } of found) {
    assert.ok(known.has(name), `${name} is exported, but not read off the source`);
    assert.deepEqual(labels, [...known.get(name)].sort(), name);
  }
}

test("the same order announced again, past the broker's memory, is not charged again", { skip }, async (t) => {
  const { marketplace, js } = await both(t);
  await list(marketplace, "prod-jarra", 5, 2100);
  const created = order("prod-jarra", 1, 2100);
  await publish(js, "order.created", created);
  assert.equal(await sagaEnds(marketplace, created.aggregateId), "completed");
  // Without an id the broker takes it for another message: as a copy that comes after the duplicate window.
  const copy = await js.publish("order.created", JSON.stringify(created));
  assert.equal(copy.duplicate, false);
  await eventually("the copy is handled", async () => {
    const { items } = await (await fetch(`${marketplace.admin}/consumers`)).json();
    return items.every(({ pending }) => pending === 0);
  });
  assert.deepEqual(await charges(marketplace, created.aggregateId), [2100]);
  const { available, reserved, sold } = await stock(marketplace, "prod-jarra");
  assert.deepEqual([available, reserved, sold], [4, 0, 1]);
});

test("every event of the contract is understood, and one that is not lies in the dead letters", { skip }, async (t) => {
  const { marketplace, js } = await both(t);
  for (const { subject, body } of contract()) await publish(js, subject, JSON.parse(body), body);
  await eventually("all is handled", async () => {
    const { items } = await (await fetch(`${marketplace.admin}/consumers`)).json();
    return items.length > 0 && items.every(({ pending }) => pending === 0);
  });
  assert.deepEqual((await marketplace.deadLetters()).items, []);

  const broken = order("prod-cuenco", 1, 3400);
  broken.eventData.items[0].quantity = "two";
  await publish(js, "order.created", broken);
  const letters = await eventually("dead letters", async () => {
    const { items } = await marketplace.deadLetters();
    return items.length > 0 && items;
  });
  for (const { subject, cause } of letters) {
    assert.deepEqual([subject, cause.kind, cause.path], ["order.created", "undecodable", "eventData.items[0].quantity"]);
  }
});

test("with the rights of its role the host does all of its work, and asks for nothing it may not", { skip }, async (t) => {
  const place = await configuration(t);
  const nats = await configured(t, place, "single.conf");
  const marketplace = await host(t, nats.url, ["--nats-nkey", join(place, "keys/host.nk")]);
  await list(marketplace, "prod-plato", 5, 1500);
  // Announced by a service of its own, with the rights of its role.
  const orders = jetstream(await as(t, nats, "order"));
  const created = order("prod-plato", 1, 1500);
  await publish(orders, "order.created", created);
  assert.equal(await sagaEnds(marketplace, created.aggregateId), "completed");

  const broken = order("prod-plato", 1, 1500);
  delete broken.eventData.items;
  await publish(orders, "order.created", broken);
  const letters = await eventually("dead letters", async () => {
    const { items } = await marketplace.deadLetters();
    return items.length > 0 && items;
  });
  const operate = async (method, path) => {
    const reply = await fetch(marketplace.admin + path, { method });
    assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${await reply.text()}`);
  };
  const [first, ...others] = letters;
  await operate("POST", `/dlq/${first.id}/replay`);
  for (const { id } of others) await operate("DELETE", `/dlq/${id}`);
  await operate("POST", "/consumers/notification/ORDERS/pause");
  await operate("POST", "/consumers/notification/ORDERS/resume");
  await operate("GET", `/events/${created.metadata.correlationId}`);
  await eventually("the replay has died again", async () => (await marketplace.deadLetters()).items.some(({ replay }) => replay > 0));
  assert.doesNotMatch(nats.running.said(), /Violation/, "the server has refused nothing");
});
