//! Whether an event has the shape of the contract's example: the same names, the same kinds of values.

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/// Where `found` departs from `example`, as JSON paths. What one of the two leaves out is no fault: a field that an
/// example shows may be optional.
export function departures(example, found, path = "") {
  if (found === undefined || example === undefined) return [];
  const [expected, actual] = [kind(example), kind(found)];
  if (expected !== actual) return [`${path || "(event)"}: ${actual}, expected ${expected}`];
  if (expected === "list") return found.flatMap((item, at) => departures(example[0], item, `${path}[${at}]`));
  if (expected !== "object") return [];
  return Object.keys(found).flatMap((name) => departures(example[name], found[name], path ? `${path}.${name}` : name));
}

/// The names an envelope must have.
export const ENVELOPE = ["eventId", "eventType", "aggregateId", "eventVersion", "occurredOn", "eventData", "metadata"];

function kind(value) {
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return INSTANT.test(value) ? "instant" : "text";
  return value === null ? "null" : typeof value;
}
