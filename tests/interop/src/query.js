//! A PromQL expression, taken apart by Prometheus's own grammar.

import { parser } from "@prometheus-io/lezer-promql";

/// What Grafana puts in before Prometheus sees the query.
const MACROS = { $__range: "1h", $__interval: "1m", $__rate_interval: "5m" };

/// The metrics an expression asks for, each with the labels it is matched by; and the labels it groups by.
export function query(expression) {
  const text = Object.entries(MACROS).reduce((text, [macro, value]) => text.replaceAll(macro, value), expression);
  const found = { metrics: [], grouped: [] };
  parser.parse(text).iterate({
    enter(node) {
      const written = text.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${text}`);
      if (node.name === "VectorSelector") found.metrics.push({ name: written.match(/^[\w:]+/)?.[0], labels: [] });
      if (node.name === "LabelName" && within(node, "LabelMatchers")) found.metrics.at(-1).labels.push(written);
      else if (node.name === "LabelName") found.grouped.push(written);
    },
  });
  return found;
}

function within(node, name) {
  for (let up = node.node.parent; up; up = up.parent) if (up.name === name) return true;
  return false;
}
