//! A message as the SDK of CloudEvents sees it, in binary mode: attributes in `ce-` headers, the data as body.

import assert from "node:assert/strict";
import { HTTP } from "cloudevents";

/// The CloudEvent that a JetStream message is; fails where the SDK does not take it.
export function cloudEvent(message) {
  const named = {};
  for (const key of message.headers?.keys() ?? []) named[key.toLowerCase()] = message.headers.get(key);
  const http = { headers: named, body: message.string() };
  assert.ok(HTTP.isEvent(http), `${message.subject} is no CloudEvent: ${JSON.stringify(named)}`);
  const event = HTTP.toEvent(http);
  assert.ok(event.validate(), `${message.subject} breaks the specification`);
  return event;
}
