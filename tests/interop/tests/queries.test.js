//! Alerts and dashboards: every query is PromQL, and asks for metrics and labels that exist.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { parse } from "yaml";
import { exported } from "../src/metrics.js";
import { query } from "../src/query.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DASHBOARDS = `${ROOT}infra/grafana/dashboards/`;
const read = (path) => readFileSync(ROOT + path, "utf8");
/// What Prometheus itself adds.
const SCRAPED = { up: new Set(["job", "instance"]) };

function alerts() {
  return parse(read("infra/prometheus/rules.yml")).groups.flatMap(({ rules }) => rules);
}

function dashboards() {
  return readdirSync(DASHBOARDS).map((file) => JSON.parse(readFileSync(DASHBOARDS + file, "utf8")));
}

/// Fails where the expression asks for what nobody exports.
function check(expression, where, metrics) {
  const { metrics: asked, grouped } = query(expression);
  assert.ok(asked.length > 0, `${where} asks for nothing`);
  const known = new Set(["instance", "job"]);
  for (const { name, labels } of asked) {
    const exists = metrics.get(name) ?? SCRAPED[name];
    assert.ok(exists, `${where}: there is no metric ${name}`);
    for (const label of labels) assert.ok(exists.has(label) || label === "job", `${where}: ${name} has no label ${label}`);
    for (const label of exists) known.add(label);
  }
  for (const label of grouped) assert.ok(known.has(label), `${where} groups by ${label}, which none of its metrics has`);
  return { asked, known };
}

test("the metrics of the design are among those the host exports", () => {
  const metrics = exported();
  assert.ok(metrics.size > 20, `${[...metrics.keys()]}`);
  const labels = (name) => [...(metrics.get(name) ?? [])].sort();
  const call = ["source_service", "target_service"];
  assert.deepEqual(labels("microservices_sync_requests_total"), ["endpoint", ...call.slice(0, 1), "status", ...call.slice(1)]);
  assert.deepEqual(labels("microservices_sync_request_duration_seconds_bucket"), ["endpoint", "le", ...call]);
  assert.deepEqual(labels("microservices_events_published_total"), ["event_type", "service", "subject"]);
  assert.deepEqual(labels("microservices_events_processed_total"), ["event_type", "service", "status", "subject"]);
  assert.deepEqual(labels("microservices_event_processing_duration_seconds_bucket"), ["event_type", "le", "service", "subject"]);
});

test("alerts ask for what exists, say what is wrong, and name a runbook", () => {
  const metrics = exported();
  const all = alerts();
  assert.ok(all.length >= 10, `${all.length} alerts`);
  for (const { alert, expr, labels, annotations } of all) {
    const { known } = check(expr, alert, metrics);
    assert.ok(["page", "ticket"].includes(labels.severity), alert);
    assert.ok(existsSync(ROOT + annotations.runbook), `${alert}: ${annotations.runbook} is not there`);
    for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) {
      assert.ok(known.has(label), `${alert} tells of ${label}, which its metrics have not`);
    }
  }
  assert.equal(new Set(all.map(({ alert }) => alert)).size, all.length, "no two have one name");
});

test("every alert has a case that says when it rises", () => {
  const cases = parse(read("infra/prometheus/rules_test.yml")).tests.flatMap(({ alert_rule_test: all }) => all);
  const risen = cases.filter(({ exp_alerts: expected }) => expected?.length > 0).map(({ alertname }) => alertname);
  assert.deepEqual([...new Set(risen)].sort(), alerts().map(({ alert }) => alert).sort());
});

test("every alert that the design asks for is there", () => {
  const asked = alerts().map(({ expr }) => expr).join("\n");
  for (const metric of [
    "a4co_dead_letters_total",
    "a4co_queue_age_seconds",
    'subject="saga.stuck"',
    "a4co_breaker_state",
    "a4co_flush_duration_seconds_bucket",
    "a4co_outage",
    "a4co_backlog_share_of_limit",
  ]) {
    assert.ok(asked.includes(metric), `no alert on ${metric}`);
  }
});

test("dashboards ask for what exists, lie within the grid, and have the design's panels", () => {
  const metrics = exported();
  const all = dashboards();
  for (const { title, uid, panels } of all) {
    assert.match(uid, /^a4co-/);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, `${title}: no two panels have one id`);
    const taken = new Set();
    for (const panel of panels) {
      const where = `${title} / ${panel.title}`;
      for (const { expr, datasource } of panel.targets) {
        check(expr, where, metrics);
        assert.equal(datasource.uid, "prometheus", where);
      }
      const { x, y, w, h } = panel.gridPos;
      assert.ok(x + w <= 24, where);
      for (let at = 0; at < w * h; at += 1) {
        const cell = `${x + (at % w)},${y + Math.floor(at / w)}`;
        assert.ok(!taken.has(cell), `${where} lies on another panel`);
        taken.add(cell);
      }
    }
  }
  const [communication] = all.filter(({ title }) => title === "Microservices Communication Dashboard");
  const designed = ["Synchronous Request Rate", "Event Publishing Rate", "Event Processing Latency", "Failed Requests & Events"];
  assert.deepEqual(communication.panels.slice(0, 4).map(({ title }) => title), designed);
});

test("Grafana finds Prometheus and the dashboards where compose puts them", () => {
  const { services } = parse(read("infra/compose.yaml"));
  const [source] = parse(read("infra/grafana/provisioning/datasources/prometheus.yaml")).datasources;
  assert.ok(services[new URL(source.url).hostname], `no service serves ${source.url}`);
  const [provider] = parse(read("infra/grafana/provisioning/dashboards/dashboards.yaml")).providers;
  const mounted = services.grafana.volumes.map((volume) => volume.split(":")[1]);
  assert.ok(mounted.includes(provider.options.path), provider.options.path);
  const { scrape_configs: jobs } = parse(read("infra/prometheus/prometheus.yml"));
  for (const target of jobs.flatMap(({ static_configs: all }) => all.flatMap(({ targets }) => targets))) {
    assert.ok(services[target.split(":")[0]], `no service is ${target}`);
  }
});
