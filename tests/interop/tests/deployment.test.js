//! Compose, the image and the manifests for SpinKube: what they name exists, and nothing is open that should not be.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { components, variables } from "../src/manifest.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path) => readFileSync(join(ROOT, path), "utf8");
/// Made by scripts, and never committed.
const MADE = ["infra/nats/keys/"];
const IDS = components().map(({ id }) => id);

test("compose: every service tells whether it is healthy, and is reached from this machine only", () => {
  const { services, volumes, secrets } = parse(read("infra/compose.yaml"));
  assert.deepEqual(Object.keys(services).sort(), ["a4co", "grafana", "nats", "prometheus"]);
  for (const [name, service] of Object.entries(services)) {
    assert.ok(service.healthcheck?.test?.length > 1, `${name} has no health check`);
    assert.ok(!/:latest$/.test(service.image) && (service.build || /:/.test(service.image)), `${name}: a version of its image`);
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(services[other], `${name} waits for ${other}`);
    for (const secret of service.secrets ?? []) assert.ok(secrets[secret], `${name} uses the secret ${secret}`);
    for (const volume of service.volumes ?? []) {
      const source = volume.replace(/\$\{\w+:-([^}]*)\}/g, "$1").split(":")[0];
      if (!source.startsWith(".")) assert.ok(source in volumes, `${name} uses the volume ${source}`);
      else existing(join("infra", source), name);
    }
  }
});

test("compose: for the safe preset the server's configuration exists", () => {
  for (const file of ["single", "safe"]) existing(`infra/nats/${file}.conf`, "A4CO_NATS_CONF");
});

test("the image has the host, the manifest and every component", () => {
  const lines = read("infra/Dockerfile").replaceAll("\\\n", " ");
  for (const id of IDS) {
    assert.ok(lines.includes(` -p ${id} `), `${id} is not built`);
    assert.ok(lines.includes(`target/wasm32-wasip2/guest/${id.replaceAll("-", "_")}.wasm `), `${id} is not in the image`);
  }
  assert.match(lines, /COPY rust-toolchain\.toml/, "the repository's toolchain");
  assert.match(lines, /\nUSER a4co\n/, "not as root");
  const ignored = read(".dockerignore").split("\n");
  for (const path of ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "spin.toml", "components", "host-bridge", "tests", "wit"]) {
    assert.ok(ignored.includes(`!${path}`), `${path} is not sent to the builder`);
  }
});

test("SpinKube: variables are the application's, and whatever is secret is a reference", () => {
  const app = parse(read("infra/spinkube/application.yaml"));
  assert.deepEqual([app.apiVersion, app.kind], ["core.spinkube.dev/v1alpha1", "SpinApp"]);
  const known = new Map(variables().map((variable) => [variable.name, variable]));
  for (const { name, value, valueFrom } of app.spec.variables) {
    assert.ok(known.has(name), `the application has no variable ${name}`);
    if (known.get(name).secret) assert.ok(valueFrom?.secretKeyRef && value === undefined, `${name} is secret`);
  }
  for (const { name, secret } of known.values()) {
    if (secret) assert.ok(app.spec.variables.some((variable) => variable.name === name), `${name} is not given`);
  }
  assert.ok(app.spec.replicas === 1 || app.spec.runtimeConfig, "several replicas need one key-value store");
});

test("SpinKube: the bridge runs as nobody in particular, is asked how it is, and gets its secrets as files", () => {
  const [deployment, service, policy] = parseAllDocuments(read("infra/spinkube/bridge.yaml")).map((document) => document.toJS());
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;
  assert.ok(spec.securityContext.runAsNonRoot && container.securityContext.readOnlyRootFilesystem);
  assert.ok(container.livenessProbe && container.readinessProbe && container.resources.limits.memory);
  const ports = container.ports.map(({ name }) => name);
  assert.deepEqual(service.spec.ports.map(({ targetPort }) => targetPort), ["publish"], "operators' port is not served");
  for (const { ports: allowed } of policy.spec.ingress) for (const { port } of allowed) assert.ok(ports.includes(port), port);
  const mounts = new Map(container.volumeMounts.map(({ name, mountPath }) => [mountPath, name]));
  for (const argument of container.args) {
    const [, path] = argument.match(/^--(?:nats-nkey|keys|state-dir)=(\S+)$/) ?? [];
    if (path) assert.ok(mounts.has(path) || mounts.has(dirname(path)), `${path} is not mounted`);
  }
  for (const { name, secret, emptyDir } of spec.volumes) {
    assert.ok([...mounts.values()].includes(name) && (secret?.secretName || emptyDir), `${name}: a secret, or a place of its own`);
  }
  const app = parse(read("infra/spinkube/application.yaml"));
  const { value } = app.spec.variables.find(({ name }) => name === "events_url");
  assert.equal(new URL(value).hostname.split(".")[0], service.metadata.name, "components publish to the bridge");
});

test("every link in these documents leads somewhere", () => {
  const documents = readdirSync(join(ROOT, "infra"), { recursive: true }).filter((file) => file.endsWith(".md"));
  assert.ok(documents.length >= 10, `${documents}`);
  for (const document of documents) {
    for (const [, link] of read(join("infra", document)).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (!/^\w+:/.test(link)) existing(normalize(join("infra", dirname(document), link)), document);
    }
  }
});

function existing(path, where) {
  if (MADE.some((made) => normalize(path).startsWith(made))) return;
  assert.ok(existsSync(join(ROOT, path)), `${where}: ${path} is not there`);
}
