// Everything at once, each in a process of its own, on a Redis that writes what it is given to disk.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";

const folder = path.resolve(".holdfast/by-hand");
mkdirSync(folder, { recursive: true });
const socket = path.join(folder, "redis.sock");
const env = { ...process.env, REDIS_URL: process.env.REDIS_URL ?? socket };

const redis = [
  "--port",
  "0",
  "--unixsocket",
  socket,
  "--dir",
  folder,
  "--appendonly",
  "yes",
  "--loglevel",
  "warning",
];
const role = (name: string) =>
  spawn(process.execPath, ["--import", "tsx", path.join(import.meta.dirname, `${name}.ts`)], {
    env,
    stdio: "inherit",
  });
const children = [
  ...(process.env.REDIS_URL === undefined ? [spawn("redis-server", redis, { stdio: "inherit" })] : []),
  ...["api", "worker", "scheduler"].map(role),
];

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of children) child.kill("SIGTERM");
  });
