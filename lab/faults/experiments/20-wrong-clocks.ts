import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Receipt } from "holdfast";
import { endChild } from "../../../test/support/command.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutClocks } from "../lib/mutations.ts";
import { readiness, startProcess } from "../lib/processes.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How long a job runs during which the clock goes wrong. */
const RUNNING_MS = 3_000;
const WITHIN_MS = 60_000;
const KEPT = 20;

export const wrongClocks: Experiment = {
  number: 20,
  title: "A process has a wrong clock",
  fault:
    "worker, API and scheduler with clocks minutes and 8 days ahead and behind: from the start, and while they run",
  mustHold: "none starts, or goes on to claim, and it says why; no kept job is deleted, none runs early",
  async run(context) {
    const far = [8 * DAY_MS, -8 * DAY_MS];
    const shifts = context.isQuick ? [8 * DAY_MS] : [...far, 3 * MINUTE_MS, -3 * MINUTE_MS];
    const [{ started, tried }, runs, caught] = await Promise.all([
      withTestbed({ workers: 0 }, (testbed) => startAll(testbed, context, shifts)),
      goWrongByAll(context, shifts),
      untilCaught(3, () => control(context, withoutClocks)),
    ]);
    const broken = [
      ...started.map((role) => `a ${role} with a wrong clock started`),
      ...runs.flatMap(faultsOf),
      ...(runs.some(({ said }) => !said) ? ["a worker whose clock went wrong did not report it"] : []),
    ];
    return {
      counts: { ...noCounts, acknowledged: runs.length * (KEPT + 4), faults: tried + runs.length },
      measured: [
        `${tried} starts with a wrong clock, ${tried - started.length} refused as CLOCK_WRONG`,
        `${runs.length} workers whose clock went wrong while they ran: ${sum(runs.map(({ kept }) => kept))} of ` +
          `${runs.length * KEPT} failed jobs kept, ${sum(runs.map(({ early }) => early))} jobs claimed early or by them`,
      ],
      broken,
      controls: [caught],
    };
  },
};

interface Found {
  /** Failed jobs that are still kept. */
  readonly kept: number;
  /** Jobs that ran before they were due, or were claimed by a worker with a wrong clock. */
  readonly early: number;
  readonly said: boolean;
}

async function goWrongByAll(context: Context, shifts: readonly number[]): Promise<Found[]> {
  const runs: Found[] = [];
  for (const shiftMs of shifts) runs.push(await goWrong(context, shiftMs, undefined));
  return runs;
}

async function startAll(testbed: Testbed, { say }: Context, shifts: readonly number[]) {
  const started: string[] = [];
  const roles = ["api", "worker", "scheduler"].flatMap((role) =>
    shifts.map((shiftMs) => ({ role, shiftMs })),
  );
  await inLanes(roles, 3, async ({ role, shiftMs }) => {
    say(`${role} with its clock off by ${shiftMs} ms`);
    const { child, logFile } = startShifted(testbed, role, { LAB_CLOCK_SHIFT_MS: String(shiftMs) });
    await Promise.race([once(child, "exit"), readiness(child).catch(() => {})]);
    if (child.exitCode === null || !said(logFile)) started.push(role);
    await endChild(child, "SIGKILL");
  });
  return { started, tried: roles.length };
}

function startShifted({ directory, installation, env }: Testbed, role: string, clock: NodeJS.ProcessEnv) {
  const script = join(dirname(installation.script("worker")), "shifted-role.js");
  const life = `shifted-${role}-${clock.LAB_CLOCK_SHIFT_MS}`;
  const logFile = join(directory, "logs", `${life}.log`);
  return {
    child: startProcess(script, { ...env, ...clock, LAB_ROLE: role, LAB_LIFE: life }, logFile),
    logFile,
  };
}

function said(logFile: string): boolean {
  return readFileSync(logFile, "utf8").includes("CLOCK_WRONG");
}

/** One worker whose clock goes wrong while it runs, with jobs of each kind. */
async function goWrong(context: Context, shiftMs: number, mutation: Mutation | undefined): Promise<Found> {
  context.say(`a worker whose clock goes wrong by ${shiftMs} ms`);
  return await withTestbed({ workers: 0, ...(mutation && { mutation }) }, async (testbed) => {
    const { createProducer, application } = await testbed.installation.library();
    const producer = await createProducer(application, testbed.env);
    const submit = async (type: string, key: string, ms: number, delayMs = 0): Promise<string> => {
      const job = application.jobs.get(type);
      if (job === undefined) throw new Error(`There is no job ${type}`);
      const options = { idempotencyKey: key, delayMs };
      const receipt: Receipt = await patiently(() => producer.submit(job, { ms }, options));
      return receipt.id;
    };
    const stateOf = async (id: string) => (await patiently(() => producer.status(id)))?.state;
    const kept = await Promise.all(
      Array.from({ length: KEPT }, (_, index) => submit("declined", `${index}`, 0)),
    );
    const clock = { LAB_CLOCK_SHIFT_MS: String(shiftMs), LAB_CLOCK_RIGHT: "until SIGUSR2" };
    const { child, logFile } = startShifted(testbed, "worker", clock);
    try {
      await readiness(child);
      const areFailed = async () =>
        (await Promise.all(kept.map(stateOf))).every((state) => state === "failed");
      await until(areFailed, { withinMs: WITHIN_MS });
      const later = await submit("bystander", "later", 0, 7 * DAY_MS);
      const running = await submit("declined", "running", RUNNING_MS);
      await until(async () => (await stateOf(running)) === "active", { withinMs: WITHIN_MS, everyMs: 20 });
      child.kill("SIGUSR2");
      // Without the check nobody says anything.
      if (mutation === undefined) await until(() => said(logFile), { withinMs: WITHIN_MS });
      const waiting = await submit("bystander", "waiting", 0);
      await until(async () => [undefined, "failed"].includes(await stateOf(running)), {
        withinMs: WITHIN_MS,
      });
      // A worker that claims would do so at once.
      await until(async () => (await stateOf(waiting)) !== "waiting", { withinMs: 3_000 });
      const states = await Promise.all(kept.map(stateOf));
      const early = [
        (await stateOf(later)) !== "delayed",
        mutation === undefined && (await stateOf(waiting)) !== "waiting",
      ];
      return {
        kept: states.filter((state) => state === "failed").length,
        early: early.filter(Boolean).length,
        said: said(logFile),
      };
    } finally {
      await endChild(child, "SIGKILL");
      await producer.stop();
    }
  });
}

function faultsOf({ kept, early }: Pick<Found, "kept" | "early">): string[] {
  return [
    ...(kept < KEPT ? [`${KEPT - kept} of ${KEPT} failed jobs were deleted`] : []),
    ...(early > 0 ? [`${early} jobs ran early, or by a worker with a wrong clock`] : []),
  ];
}

async function control(context: Context, mutation: Mutation): Promise<Control> {
  const found = faultsOf(await goWrong(context, 8 * DAY_MS, mutation));
  return controlOf(mutation.name, found);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
