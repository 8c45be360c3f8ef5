import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readyMessage } from "../../../src/edges/cli/system/supervisor.ts";
import { endChild, endWithUs } from "../../../test/support/command.ts";
import { type Counters, countersOfAll, type Masters } from "./cluster.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const roles = ["api", "worker", "scheduler"] as const;
type Role = (typeof roles)[number];

/** What the store sees of so many processes that have nothing to do. */
export interface Crowd {
  readonly processes: Readonly<Record<Role, number>>;
  readonly connections: number;
  readonly clientBytes: number;
  /** Microseconds of Redis's processor a second. */
  readonly idleUs: number;
  /** Commands a second, those inside scripts included. */
  readonly commands: number;
  /** Bytes of memory of one process, the median. */
  readonly rssBytes: number;
}

/** Processes that are started one after another on one store. */
export class Processes {
  readonly #masters: Masters;
  readonly #directory = mkdtempSync(join(tmpdir(), "holdfast-scale-"));
  readonly #children: { readonly role: Role; readonly child: ChildProcess }[] = [];
  readonly #env: NodeJS.ProcessEnv;

  constructor(masters: Masters, { queues = 1, partitions = 1 } = {}) {
    this.#masters = masters;
    this.#env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_ENV: "production",
      REDIS_URL: masters.url,
      HOLDFAST_PREFIX: `scale-${randomUUID()}`,
      HOLDFAST_DURABILITY: "memory",
      HOLDFAST_CONFIG: join(root, "lab/bench/scale/holdfast.config.mjs"),
      HOLDFAST_DATA_DIR: this.#directory,
      LOG_LEVEL: "warn",
      PORT: "0",
      SCALE_QUEUES: String(queues),
      SCALE_PARTITIONS: String(partitions),
    };
  }

  /** Starts processes until there are so many of a role. */
  async grow(role: Role, count: number): Promise<void> {
    const running = this.#children.filter((process) => process.role === role).length;
    for (let missing = count - running; missing > 0; missing -= 4)
      await Promise.all(Array.from({ length: Math.min(missing, 4) }, () => this.#start(role)));
  }

  async measure(idleMs: number): Promise<Crowd> {
    const { clients } = this.#masters;
    // Heartbeats of processes that have just started.
    await sleep(1_000);
    const before = await countersOfAll(clients);
    await sleep(idleMs);
    const after: Counters = await countersOfAll(clients);
    const sizes = this.#children.map(({ child }) => rssOf(child)).sort((a, b) => a - b);
    const count = (role: Role) => this.#children.filter((process) => process.role === role).length;
    return {
      processes: { api: count("api"), worker: count("worker"), scheduler: count("scheduler") },
      // Without our own.
      connections: after.connections - clients.length,
      clientBytes: after.clientBytes,
      idleUs: ((after.cpuMs - before.cpuMs) * 1_000) / (idleMs / 1_000),
      commands: (after.commands - before.commands) / (idleMs / 1_000),
      rssBytes: sizes[Math.floor(sizes.length / 2)] ?? 0,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(({ child }) => endChild(child, "SIGKILL")));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(role: Role): Promise<void> {
    const child = spawn(process.execPath, [join(root, "bin/holdfast"), role], {
      env: this.#env,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    endWithUs(child);
    this.#children.push({ role, child });
    const ended = once(child, "exit").then(() => {
      throw new Error(`holdfast ${role} did not start`);
    });
    await Promise.race([readyMessage(child), ended]);
  }
}

function rssOf({ pid }: ChildProcess): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1_024;
}
