import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { outgoingText } from "../../../src/evidence/outgoing/outgoing-text.ts";
import type { JobStatus, Producer } from "../../../src/index.ts";
import { endChild, endWithUs } from "../../../test/support/command.ts";
import type { RedisServer } from "../../../test/support/redis-server.ts";
import { inLanes } from "../../lib/waiting.ts";
import type { Company } from "../faults/company.ts";
import { createProducer, defineConfig, defineJob } from "../inside/holdfast.ts";
import { Acts } from "../servers/acts.ts";
import { certificates } from "../servers/certificates.ts";
import type { Downstream } from "../servers/downstream.ts";
import { openAttemptsServer } from "./attempts-server.ts";
import { type Judged, judge, judgeNeighbours, type Verdict } from "./judge.ts";
import type { Row } from "./row.ts";
import type { Runtime } from "./runtimes.ts";

/** A row's end, in one runtime. */
export interface RowEnd extends Judged {
  readonly row: Row;
}

export interface RunOptions {
  readonly redis: RedisServer;
  /** The folder of another build than this checkout's, for a control. */
  readonly build?: string | undefined;
  /** How many rows are under way at a time. */
  readonly lanes: number;
  /** Called when a row has ended. */
  readonly onEnd: () => void;
}

export interface RuntimeRun {
  readonly ends: readonly RowEnd[];
  /** Libraries that the runtime cannot load, and why. */
  readonly unloadable: Readonly<Record<string, string>>;
  /** Errors that nobody caught, or promises that nobody handled: either would end a worker. */
  readonly uncaught: readonly string[];
}

/** One for each worker: none sees another's jobs. */
const prefixes = new Set<string>();

function newPrefix(): string {
  const prefix = `truth-${prefixes.size}`;
  prefixes.add(prefix);
  return prefix;
}

const CONCURRENCY = 48;
const ENDS_WITHIN_MS = 60_000;
/** In company, a call may act once the effect has failed. */
const ACTS_WITHIN_MS = 2_500;
const LIBRARY_TIMEOUT_MS = { slow: 300, other: 3_000 };

/** The producer's idea of the job: contracts of all its effects are the worker's. */
const job = defineJob({
  type: "row",
  payload: z.record(z.string(), z.unknown()),
  result: z.strictObject({ id: z.string().nullable() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 10 } },
  timeoutMs: 60_000,
});

/** Runs rows with a real worker in a runtime of its own, on a prefix of its own. */
export async function runRows(
  runtime: Runtime,
  rows: readonly Row[],
  { redis, build, lanes, onEnd }: RunOptions,
): Promise<RuntimeRun> {
  const underWay = new Map<number, Acts>();
  const attempts = await openAttemptsServer((row) => underWay.get(row));
  const env = {
    ...process.env,
    ...certificates().env,
    REDIS_URL: redis.url,
    HOLDFAST_PREFIX: newPrefix(),
    HOLDFAST_LOG_LEVEL: "silent",
    HOLDFAST_CONCURRENCY: String(CONCURRENCY),
  };
  // `fetch` makes the other calls, in company.
  const libraries = [...new Set([...rows.map(({ library }) => library), "fetch"])];
  const worker = await startRuntime(runtime, {
    ...env,
    TRUTH_LIBRARIES: libraries.join(","),
    TRUTH_CONTROL: attempts.url,
    ...(build !== undefined && { TRUTH_BUILD: pathToFileURL(`${build}/`).href }),
  });
  const producer = await createProducer(defineConfig({ jobs: [job] }), env);
  const ends: RowEnd[] = [];
  const loadable = [...rows.entries()].filter(([, { library }]) => !(library in worker.unloadable));
  await inLanes(loadable, lanes, async ([number, row]) => {
    const acts = new Acts();
    underWay.set(number, acts);
    ends.push({ row, ...(await runRow(number, row, acts, producer)) });
    underWay.delete(number);
    onEnd();
  });
  await producer.stop();
  await worker.stop();
  attempts.stop();
  ends.sort((one, other) => rows.indexOf(one.row) - rows.indexOf(other.row));
  const { unloadable, uncaught } = worker;
  return { ends, unloadable, uncaught };
}

async function runRow(number: number, row: Row, acts: Acts, producer: Producer): Promise<Judged> {
  const downstream = await row.open(acts);
  const { protocol, host, port } = downstream;
  const { library, mode, clock, ask, isWarm } = row;
  const timeoutMs = LIBRARY_TIMEOUT_MS[clock === "library" ? "slow" : "other"];
  const how = { library, mode, isWarm, timeoutMs, ...(clock && { clock }), ...(ask && { ask }) };
  const other = await row.openOther?.(downstream);
  const company = row.company && other && companyOf(row.company, library, other);
  const payload = { row: number, ...how, protocol, host, port, ...(company && { company }) };
  if (row.jobs !== undefined) {
    const ends = await runNeighbours(row.jobs, number, payload, producer);
    await downstream.stop();
    return judgeNeighbours(ends.map(verdictOf), acts);
  }
  const { id } = await producer.submit(job, payload, { idempotencyKey: `row-${number}` });
  const status = await endOf(id, producer);
  if (company !== undefined) await untilActed(acts);
  await acts.look();
  await downstream.stop();
  await other?.stop();
  const error = status?.error == null ? "" : `${status.error.code}: ${status.error.message}`;
  const [doubt] = status?.effects.filter(({ state }) => state === "in-doubt") ?? [];
  const evidence = doubt && (doubt.evidence ?? []).map(outgoingText);
  return judge({ mode, proof: row.proof, verdict: verdictOf(status), acts, error, evidence });
}

function companyOf(
  { order, context, by, isOtherHandedOver = false }: Company,
  library: string,
  { protocol, host, port, ask }: Downstream & Pick<Row, "ask">,
) {
  const place = { protocol, host, port, ...(ask && { ask }) };
  return { order, context, isOtherHandedOver, library: by === "itself" ? library : by, ...place };
}

const AT_A_TIME = 20;

async function runNeighbours(jobs: number, row: number, payload: object, producer: Producer) {
  const ends: (JobStatus | undefined)[] = [];
  await inLanes([...Array(jobs).keys()], AT_A_TIME, async (place) => {
    const { id } = await producer.submit(job, { ...payload }, { idempotencyKey: `row-${row}-${place}` });
    ends.push(await endOf(id, producer));
  });
  return ends;
}

async function untilActed(acts: Acts): Promise<void> {
  const deadline = performance.now() + ACTS_WITHIN_MS;
  while (acts.count === 0 && performance.now() < deadline) {
    await sleep(50);
    await acts.look();
  }
}

async function endOf(id: string, producer: Producer): Promise<JobStatus | undefined> {
  const deadline = performance.now() + ENDS_WITHIN_MS;
  for (;;) {
    const status = await producer.status(id);
    if (status?.state === "completed" || status?.state === "failed") return status;
    if (performance.now() > deadline) return undefined;
    await sleep(50);
  }
}

function verdictOf(status: JobStatus | undefined): Verdict | undefined {
  if (status === undefined) return undefined;
  if (status.state === "completed")
    return (status.result as { id: string | null }).id === null ? "done, result lost" : "done";
  if (status.error?.code === "EFFECT_IN_DOUBT") return "in doubt";
  return status.effects.length === 0 ? "not done" : undefined;
}

async function startRuntime({ command, args }: Runtime, env: NodeJS.ProcessEnv) {
  const main = fileURLToPath(new URL("../inside/main.ts", import.meta.url));
  const child = spawn(command, [...args, main], { env, stdio: ["pipe", "pipe", "pipe"] });
  endWithUs(child);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  const uncaught: string[] = [];
  const unloadable = await new Promise<Record<string, string>>((resolve, reject) => {
    createInterface({ input: child.stdout })
      .on("line", (line) => {
        if (line.startsWith('{"ready"')) resolve((JSON.parse(line) as Ready).unloadable);
        if (line.startsWith('{"uncaught"')) uncaught.push((JSON.parse(line) as Uncaught).uncaught);
      })
      .on("close", () => reject(new Error(`the worker did not start:\n${errors}`)));
  });
  return { unloadable, uncaught, stop: () => endChild(child, "SIGKILL") };
}

interface Ready {
  readonly unloadable: Record<string, string>;
}

interface Uncaught {
  readonly uncaught: string;
}
