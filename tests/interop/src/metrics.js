//! The metrics that the host exports, read off where it registers them: names as Prometheus has them, and their labels.

import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../../host-bridge/src/metrics/", import.meta.url));
const NAME = /"((?:microservices|a4co)_[a-z_]+)"/g;
/// What Prometheus makes of a name, by kind, and which label it adds.
const SUFFIXES = { Counter: ["_total"], Gauge: [""], Histogram: ["_bucket", "_count", "_sum"], Info: ["_info"] };

/// Name → labels.
export function exported() {
  const files = readdirSync(SOURCE).filter((file) => file.endsWith(".rs") && file !== "tests.rs");
  const found = new Map();
  for (const text of files.map((file) => readFileSync(SOURCE + file, "utf8"))) {
    const names = [...text.matchAll(NAME)];
    for (const [at, match] of names.entries()) {
      const registered = text.slice(match.index, names[at + 1]?.index ?? match.index + 400);
      const kind = kindOf(registered, text);
      if (!kind) throw new Error(`${match[1]}: is it a counter, a gauge, a histogram or an info?`);
      for (const suffix of SUFFIXES[kind]) found.set(match[1] + suffix, labelsOf(registered, text, kind, suffix));
    }
  }
  return found;
}

/// The samples of an answer of `/metrics`: their names, and the names of their labels.
export function scraped(text) {
  const samples = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return samples.map((line) => ({
    name: line.match(/^\w+/)[0],
    labels: [...(line.match(/\{(.*)\}/)?.[1] ?? "").matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label]) => label).sort(),
  }));
}

function kindOf(registered, text) {
  const made = registered.match(/(Counter|Gauge)::default|(Histogram|Info)::new/);
  if (made) return made[1] ?? made[2];
  // Registered as a clone of what was made before: `flush_duration.clone()`.
  const name = registered.match(/(\w+)\.clone\(\)/)?.[1];
  return name && text.match(new RegExp(`let ${name}[^;]*?(Counter|Gauge|Histogram)`))?.[1];
}

function labelsOf(registered, text, kind, suffix) {
  const made = registered.match(/\(\s*(\[[^\]]+\]|consumer|NAMES),/) ?? family(registered, text);
  if (kind === "Info") return new Set([...registered.matchAll(/\(\[?\("(\w+)"/g)].map(([, label]) => label));
  const written = made?.[1];
  const list = written?.startsWith("[") ? written : text.match(new RegExp(`(?:let ${written}|const ${written}[^=]*) = (\\[[^\\]]+\\])`))?.[1];
  const labels = new Set([...(list ?? "").matchAll(/"(\w+)"/g)].map(([, label]) => label));
  if (suffix === "_bucket") labels.add("le");
  return labels;
}

/// A family that is registered before its series are made: its labels stand where they are.
function family(registered, text) {
  return /\w+\.clone\(\)/.test(registered) && /Family</.test(text) ? text.match(/Labels::new\((\w+),/) : undefined;
}
