import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Bench, untilEnded, withBench } from "../lib/bench.ts";
import { check } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import { withoutKey } from "../lib/mutations.ts";
import { neutralEnvironment } from "../lib/processes.ts";
import { inLanes } from "../lib/waiting.ts";

export const oneKey: Experiment = {
  number: 12,
  title: "One key, submitted 200 times at once",
  fault: "200 submissions of one key at once over API, CLI and library, with two different contents",
  mustHold: "one job; the rest are duplicates of it or refused (422)",
  async run(context) {
    const rounds = context.isQuick ? 1 : 8;
    const cli = context.isQuick ? 6 : 12;
    return await withBench({ workers: 1, api: true }, async (bench) => {
      const total = { accepted: 0, duplicate: 0, refused: 0, other: 0 };
      const broken: string[] = [];
      for (let round = 0; round < rounds; round += 1) {
        context.say(`round ${round + 1} of ${rounds}`);
        const answers = await storm(bench, context, `storm-${round}`, { api: 100, library: 100 - cli, cli });
        broken.push(...judge(`round ${round}`, answers));
        for (const { kind } of answers) total[kind] += 1;
        await untilEnded(bench, answers.find(({ id }) => id !== undefined)?.id);
      }
      const verdict = await check(bench, 30_000);
      verdict.counts.acknowledged = rounds;
      verdict.counts.faults = rounds;
      const told = bench.told().length;
      return {
        counts: verdict.counts,
        table: {
          head: ["rounds", "submissions", "accepted", "duplicate", "refused (422)", "other", "effects"],
          rows: [[rounds, rounds * 200, total.accepted, total.duplicate, total.refused, total.other, told]],
        },
        measured: [],
        broken: [
          ...brokenBy(verdict),
          ...broken,
          ...(told === rounds ? [] : [`${told} effects in ${rounds} rounds`]),
        ],
        controls: [await keyControl(context)],
      };
    });
  },
};

type Content = "first" | "second";

interface Answer {
  readonly kind: "accepted" | "duplicate" | "refused" | "other";
  readonly id?: string;
  readonly content: Content;
  readonly detail?: string;
  /** An earlier try got no answer; it may have been the one that made the job. */
  readonly isRetried?: boolean;
}

interface Doors {
  readonly api: number;
  readonly library: number;
  readonly cli: number;
}

async function storm(bench: Bench, context: Context, key: string, doors: Doors): Promise<Answer[]> {
  const { url = "" } = (await bench.api?.ready()) ?? {};
  const library = await bench.installation.library();
  const producers = await Promise.all(
    Array.from({ length: 4 }, () => library.createProducer(library.application, bench.env)),
  );
  const contract = library.application.jobs.get("act");
  if (contract === undefined) throw new Error("There is no job act");
  const content = (): Content => (context.random.next() < 0.8 ? "first" : "second");
  const send: Record<keyof Doors, (content: Content) => Promise<Answer>> = {
    api: (chosen) => overApi(url, key, chosen),
    cli: (chosen) => overCli(bench, key, chosen),
    async library(chosen) {
      const producer = context.random.pick(producers);
      return await producer.submit(contract, payloads[chosen], { idempotencyKey: key }).then(
        (receipt) => answered(receipt, chosen),
        (error: unknown) => failed(error, chosen),
      );
    },
  };
  // Processes take long to start, so they go first and the others follow while they do.
  const order = [
    ...Array.from({ length: doors.cli }, () => "cli" as const),
    ...Array.from({ length: doors.api }, () => "api" as const),
    ...Array.from({ length: doors.library }, () => "library" as const),
  ];
  const answers: Answer[] = [];
  await inLanes(order, order.length, async (door) => {
    const chosen = content();
    answers.push(await untilAnswered(() => send[door](chosen)));
  });
  await Promise.all(producers.map((producer) => producer.stop()));
  return answers;
}

const TRIES_MAX = 20;
const RETRY_MS = 200;

/** Does what a client should where the outcome is unknown: the same again, with the same key. */
async function untilAnswered(send: () => Promise<Answer>): Promise<Answer> {
  let answer = await send();
  for (let tries = 1; answer.kind === "other" && tries < TRIES_MAX; tries += 1) {
    await sleep(RETRY_MS);
    answer = { ...(await send()), isRetried: true };
  }
  return answer;
}

const payloads = {
  first: { beforeMs: 0, afterMs: 0 },
  second: { beforeMs: 1, afterMs: 1 },
} as const;

async function overApi(url: string, key: string, content: Content): Promise<Answer> {
  const body = JSON.stringify({ type: "act", payload: payloads[content], idempotencyKey: key });
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${url}/jobs`, { method: "POST", headers, body });
  const answer = (await response.json()) as { id: string; duplicate: boolean; code?: string };
  if (response.status === 422) return { kind: "refused", content };
  if (!response.ok) return { kind: "other", content, detail: `${response.status} ${answer.code}` };
  return answered(answer, content);
}

const run = promisify(execFile);

async function overCli(
  { installation, directory, env }: Bench,
  key: string,
  content: Content,
): Promise<Answer> {
  const options = ["--key", key, "--payload", JSON.stringify(payloads[content]), "--json"];
  try {
    const { stdout } = await run(process.execPath, [installation.cli, "submit", "act", ...options], {
      // Where no .env lies.
      cwd: directory,
      env: { ...neutralEnvironment(), ...env },
      timeout: 60_000,
    });
    return answered(JSON.parse(stdout) as { id: string; duplicate: boolean }, content);
  } catch (error) {
    const told = String((error as { stderr?: string }).stderr ?? error);
    const isReuse =
      (error as { code?: number }).code === 1 && told.includes("used before with other content");
    return isReuse ? { kind: "refused", content } : { kind: "other", content, detail: told.slice(0, 200) };
  }
}

function answered({ id, duplicate }: { id: string; duplicate: boolean }, content: Content): Answer {
  return { kind: duplicate ? "duplicate" : "accepted", id, content };
}

function failed(error: unknown, content: Content): Answer {
  const isReuse = error instanceof Error && "code" in error && error.code === "IDEMPOTENCY_KEY_REUSED";
  return isReuse ? { kind: "refused", content } : { kind: "other", content, detail: String(error) };
}

/** One is accepted; those with its content get its id, and those with the other one are refused. */
function judge(round: string, answers: readonly Answer[]): string[] {
  const accepted = answers.filter(({ kind }) => kind === "accepted");
  // Where the answer that said "accepted" was lost, its client's next try is a duplicate like all others.
  const first = accepted[0] ?? answers.find(({ kind, isRetried }) => kind === "duplicate" && isRetried);
  if (first === undefined || accepted.length > 1) return [`${round}: ${accepted.length} accepted`];
  const wrong = answers.filter((answer) => {
    if (answer === first) return false;
    if (answer.content !== first.content) return answer.kind !== "refused";
    return answer.kind !== "duplicate" || answer.id !== first.id;
  });
  const [example] = wrong;
  return example === undefined
    ? []
    : [`${round}: ${wrong.length} wrong answers, e.g. ${example.kind} ${example.detail ?? ""}`];
}

async function keyControl(context: Context): Promise<Control> {
  context.say("control: without key");
  return await withBench({ workers: 0, api: true, cut: withoutKey }, async (bench) => {
    const answers = await storm(bench, context, "storm", { api: 20, library: 20, cli: 0 });
    const findings = judge("control", answers);
    return { protection: "key", isCaught: findings.length > 0, seen: findings.join(", ") || "nothing" };
  });
}
