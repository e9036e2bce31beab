//! Events as the marketplace's own TypeScript services write and read them.

import { headers } from "@nats-io/transport-node";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../wire/", import.meta.url));

/// The streams as those services set them up, with the subjects that take all of a domain.
export const STREAMS = { ORDERS: "order.>", INVENTORY: "inventory.>", PAYMENTS: "payment.>", USERS: "user.>", ARTISANS: "artisan.>" };

/// Every event of the contract: its subject, and its bytes as they lie in the file.
export function contract() {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  return files.sort().map((name) => ({ subject: name.slice(0, -".json".length), body: readFileSync(FOLDER + name) }));
}

/// One event of the contract, parsed.
export function example(subject) {
  return JSON.parse(readFileSync(`${FOLDER}${subject}.json`, "utf8"));
}

/// Publishes an event as those services do: its id for the broker, three headers, JSON.
export async function publish(jetstream, subject, event, body = JSON.stringify(event)) {
  const own = headers();
  own.set("Event-Type", event.eventType);
  own.set("Aggregate-Id", event.aggregateId);
  own.set("Event-Version", event.eventVersion.toString());
  return await jetstream.publish(subject, body, { msgID: event.eventId, headers: own });
}

/// All messages of a stream from `start` on, read by an ordered consumer until none is left.
export async function read(jetstream, stream, { subjects, start = 1 } = {}) {
  const options = { opt_start_seq: start, ...(subjects ? { filter_subjects: subjects } : {}) };
  const consumer = await jetstream.consumers.get(stream, options);
  const { num_pending: pending } = await consumer.info();
  const found = [];
  if (pending === 0) return found;
  const messages = await consumer.consume();
  for await (const message of messages) {
    found.push(message);
    if (message.info.pending === 0) break;
  }
  await messages.close();
  return found;
}
