// The two services that are broken in the same ways, each started by the command that its readers use.
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { freePort } from "../../test/support/free-port.ts";
import { until } from "../../test/support/until.ts";

export type SideName = "by hand" | "Holdfast";
export type RoleName = "api" | "worker" | "scheduler";

/** Durations that a break shortens or lengthens. Each side has some of them. */
export interface Clocks {
  /** How long a job is left to a worker that is silent. */
  readonly lockMs?: number;
  /** How long the service by hand remembers that a mail was begun or sent. */
  readonly reservationMs?: number;
  readonly keptJobs?: number;
  readonly digestMs?: number;
}

/** A process of a side. */
export interface Role {
  /** Of an API. */
  readonly url: string;
  /** Resolves once it has ended. */
  readonly ended: Promise<void>;
  /** After SIGKILL, resolves once it has ended. */
  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void>;
}

interface Side {
  /** Before the names of its queue's keys. */
  readonly queue: string;
  commandOf(role: RoleName): string[];
  environment(clocks: Clocks): Readonly<Record<string, string | number | undefined>>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

export const sides: Readonly<Record<SideName, Side>> = {
  "by hand": {
    queue: "bull:by-hand",
    commandOf: (role) => ["--import", "tsx", `examples/by-hand/${role}.ts`],
    environment: ({ lockMs, reservationMs, keptJobs, digestMs }) => ({
      LOCK_MS: lockMs,
      RESERVATION_MS: reservationMs,
      KEPT_JOBS: keptJobs,
      DIGEST_MS: digestMs,
    }),
  },
  Holdfast: {
    queue: "holdfast:{default}",
    commandOf: (role) => ["bin/holdfast", role],
    environment: ({ lockMs, keptJobs, digestMs }) => ({
      HOLDFAST_CONFIG: "lab/tour/held/holdfast.config.ts",
      HOLDFAST_LOCK_MS: lockMs,
      HOLDFAST_KEEP_COMPLETED: keptJobs,
      DIGEST_MS: digestMs,
      LOG_LEVEL: "warn",
    }),
  },
};

/** Starts a process. An API is returned once it answers. @throws Error where it ends before */
export async function startRole(
  side: SideName,
  role: RoleName,
  { clocks, env, log }: { readonly clocks: Clocks; readonly env: NodeJS.ProcessEnv; readonly log: Writable },
): Promise<Role> {
  const port = role === "api" ? await freePort() : 0;
  const own = Object.entries({ ...sides[side].environment(clocks), PORT: port });
  const known = own.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const child = spawn(process.execPath, sides[side].commandOf(role), {
    cwd: root,
    env: { ...process.env, ...Object.fromEntries(known), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const output of [child.stdout, child.stderr]) output.pipe(log, { end: false });
  const started = roleOf(child, `http://127.0.0.1:${port}`);
  if (role === "api") await Promise.race([untilItAnswers(started.url), endedTooSoon(started)]);
  return started;
}

function roleOf(child: ChildProcess, url: string): Role {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    url,
    ended,
    kill: async (signal) => {
      child.kill(signal);
      if (signal === "SIGKILL") await ended;
    },
  };
}

async function untilItAnswers(url: string): Promise<void> {
  await until("the API answers", () =>
    fetch(`${url}/jobs/none/status`).then(
      ({ status }) => status === 404,
      () => false,
    ),
  );
}

async function endedTooSoon({ ended }: Role): Promise<never> {
  await ended;
  throw new Error("The API ended at its start");
}
