//! Programs that tests start: on a free port, with a folder of their own, ended with the test.

import { spawn } from "node:child_process";
import { createWriteStream, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/// A port nobody listens on. Another process could take it before we do; tests would say so.
export async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/// A folder that goes with the test.
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "a4co-interop-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/// Starts a program; its output goes to `log`. It is killed when the test ends.
export function start(t, program, args, { log, cwd }) {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const output = createWriteStream(log, { flags: "a" });
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.once("error", (error) => output.write(`${program}: ${error}\n`));
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.pid !== undefined) await ended;
    output.end();
  });
  return {
    kill: () => child.kill("SIGKILL"),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    said: () => readFileSync(log, "utf8"),
  };
}
