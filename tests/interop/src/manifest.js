//! What `spin.toml` says of components and streams.

import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

const MANIFEST = new URL("../../../spin.toml", import.meta.url);
const manifest = () => parse(readFileSync(MANIFEST, "utf8"));

/// Every component: its id, and what it subscribes to and may publish, where it takes part in events.
export function components() {
  const all = Object.entries(manifest().component);
  return all.map(([id, component]) => ({ id, component, events: component.tool?.events }));
}

/// The application's streams: their names and subjects.
export function streams() {
  const all = Object.entries(manifest().application.tool.events.streams);
  return Object.fromEntries(all.map(([name, { subjects }]) => [name, subjects]));
}

/// The application's variables.
export function variables() {
  return Object.entries(manifest().variables).map(([name, value]) => ({ name, ...value }));
}

/// Whether a subject falls under a pattern of NATS.
export function matches(pattern, subject) {
  const [wanted, given] = [pattern.split("."), subject.split(".")];
  for (const [at, token] of wanted.entries()) {
    if (token === ">") return given.length > at;
    if (given[at] === undefined || (token !== "*" && token !== given[at])) return false;
  }
  return wanted.length === given.length;
}
