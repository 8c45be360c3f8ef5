import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endChild, endWithUs } from "../../../test/support/command.ts";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../../test/support/until.ts";
import { addProducer } from "./bundles.ts";
import { must } from "./folder.ts";
import type { Installed } from "./installs.ts";

/** One number, and the most that is meant: the page shows what misses it. */
export interface Need {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly most: number;
  /** Of 5c2b26f, the build before packages were built in, by `npm run compat -- --needs`. */
  readonly before: number;
}

const roles = [
  { role: "api", before: 138 },
  { role: "worker", before: 126 },
  { role: "scheduler", before: 110 },
];
const IDLE_MS = 10_000;
const START_MS = 120_000;
/** An odd number, for medians. */
const IMPORTS = 7;

/** What is installed, what an idle process of each role needs, and what importing a producer costs beside BullMQ and Zod. */
export async function measureNeeds(holdfast: Installed, bullmq: Installed): Promise<Need[]> {
  const install = [
    { what: "packages of a production install", value: holdfast.packages, unit: "", most: 60, before: 128 },
    { what: "production install", value: holdfast.bytes / 1e6, unit: "MB", most: 35, before: 75 },
  ];
  await addProducer(holdfast.folder);
  const redis = await startRedisServer();
  const idle: Need[] = [];
  for (const { role, before } of roles) {
    const value = await idleMegabytes(holdfast.folder, role, redis.url);
    idle.push({ what: `memory of an idle ${role}`, value, unit: "MB", most: 100, before });
  }
  await redis.stop();
  return [...install, ...idle, ...(await compareImports(holdfast.folder, bullmq.folder))];
}

/** Resident memory, 10 s after it is ready. */
async function idleMegabytes(folder: string, role: string, redisUrl: string): Promise<number> {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, NODE_ENV: "production", REDIS_URL: redisUrl, HOLDFAST_PORT: "0" };
  const child = spawn(process.execPath, ["node_modules/holdfast/bin/holdfast", role], {
    cwd: folder,
    env: { ...env, HOLDFAST_CONFIG: "app/application.js" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithUs(child);
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  try {
    await until(`${role} is ready`, () => / ready"/.test(printed) || child.exitCode !== null, START_MS);
    if (child.exitCode !== null) throw new Error(`${role} ended by itself:\n${printed}`);
    await sleep(IDLE_MS);
    const { stdout } = await must(folder, "ps", ["-o", "rss=", "-p", String(child.pid)]);
    return (Number(stdout) * 1_024) / 1e6;
  } finally {
    await endChild(child, "SIGKILL");
  }
}

const scripts = {
  // Loads the rest, too, and connects to nothing: the prefix is refused.
  holdfast: `const { createProducer, defineConfig } = await import("holdfast");
await import("zod");
await createProducer(defineConfig({ jobs: [] }), { HOLDFAST_PREFIX: "!" }).catch(() => {});`,
  bullmq: `await import("bullmq");
await import("zod");`,
};

/** Turn by turn, so that what the machine does besides is in both. */
async function compareImports(holdfast: string, bullmq: string): Promise<Need[]> {
  const sides = [
    { folder: holdfast, script: scripts.holdfast, samples: [] as Imported[] },
    { folder: bullmq, script: scripts.bullmq, samples: [] as Imported[] },
  ];
  for (let round = 0; round < IMPORTS; round += 1)
    for (const { folder, script, samples } of sides) samples.push(await importOnce(folder, script));
  const [own = [], other = []] = sides.map(({ samples }) => samples);
  const ratio = (of: (sample: Imported) => number) => median(own.map(of)) / median(other.map(of));
  return [
    {
      what: "time to import a producer, beside BullMQ and Zod",
      value: ratio(({ ms }) => ms),
      unit: "×",
      most: 1.05,
      before: 0.99,
    },
    {
      what: "memory of that process, beside BullMQ and Zod",
      value: ratio(({ mb }) => mb),
      unit: "×",
      most: 1.15,
      before: 1.19,
    },
  ];
}

interface Imported {
  readonly ms: number;
  readonly mb: number;
}

async function importOnce(folder: string, script: string): Promise<Imported> {
  const measured = `const begun = performance.now();
${script}
console.log(JSON.stringify({ ms: performance.now() - begun, mb: process.memoryUsage.rss() / 1e6 }));`;
  writeFileSync(join(folder, "import.mjs"), measured);
  const { stdout } = await must(folder, process.execPath, ["import.mjs"], {
    env: { NODE_ENV: "production" },
  });
  return JSON.parse(stdout) as Imported;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
