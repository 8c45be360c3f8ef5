import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { inLanes } from "../../lib/waiting.ts";
import { check } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment } from "../lib/experiment.ts";
import { withoutKey } from "../lib/mutations.ts";
import { neutralEnvironment } from "../lib/processes.ts";
import { LONG_LOCK, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";

export const oneKey: Experiment = {
  number: 12,
  title: "One key, submitted 200 times at once",
  fault: "200 submissions of one key at once over API, CLI and library, with two different contents",
  mustHold: "one job; the rest are duplicates of it or refused (422)",
  async run(context) {
    const rounds = context.isQuick ? 1 : 8;
    const cli = context.isQuick ? 6 : 12;
    return await withTestbed({ workers: 1, api: true, env: LONG_LOCK }, async (testbed) => {
      const total = { accepted: 0, duplicate: 0, refused: 0, other: 0 };
      const broken: string[] = [];
      for (let round = 0; round < rounds; round += 1) {
        context.say(`round ${round + 1} of ${rounds}`);
        const answers = await storm(testbed, context, `storm-${round}`, {
          api: 100,
          library: 100 - cli,
          cli,
        });
        broken.push(...judge(`round ${round}`, answers));
        for (const { kind } of answers) total[kind] += 1;
        await untilEnded(testbed, answers.find(({ id }) => id !== undefined)?.id);
      }
      const verdict = await check(testbed, 120_000);
      verdict.counts.acknowledged = rounds;
      verdict.counts.faults = rounds;
      const witnessed = testbed.witnessed().length;
      return {
        counts: verdict.counts,
        table: {
          head: ["rounds", "submissions", "accepted", "duplicate", "refused (422)", "other", "effects"],
          rows: [
            [rounds, rounds * 200, total.accepted, total.duplicate, total.refused, total.other, witnessed],
          ],
        },
        measured: [],
        broken: [
          ...brokenBy(verdict),
          ...broken,
          ...(witnessed === rounds ? [] : [`${witnessed} effects in ${rounds} rounds`]),
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
  /** An earlier try got no answer; that one may have made the job. */
  readonly isRetried?: boolean;
}

interface Submitters {
  readonly api: number;
  readonly library: number;
  readonly cli: number;
}

async function storm(
  testbed: Testbed,
  context: Context,
  key: string,
  submitters: Submitters,
): Promise<Answer[]> {
  const { url = "" } = (await testbed.api?.ready()) ?? {};
  const library = await testbed.installation.library();
  const producers = await Promise.all(
    Array.from({ length: 4 }, () => library.createProducer(library.application, testbed.env)),
  );
  const contract = library.application.jobs.get("act");
  if (contract === undefined) throw new Error("There is no job act");
  const content = (): Content => (context.random.next() < 0.8 ? "first" : "second");
  const send: Record<keyof Submitters, (content: Content) => Promise<Answer>> = {
    api: (chosen) => overApi(url, key, chosen),
    cli: (chosen) => overCli(testbed, key, chosen),
    async library(chosen) {
      const producer = context.random.pick(producers);
      return await producer.submit(contract, payloads[chosen], { idempotencyKey: key }).then(
        (receipt) => answered(receipt, chosen),
        (error: unknown) => failed(error, chosen),
      );
    },
  };
  // Processes start slowly, so they go first.
  const order = [
    ...Array.from({ length: submitters.cli }, () => "cli" as const),
    ...Array.from({ length: submitters.api }, () => "api" as const),
    ...Array.from({ length: submitters.library }, () => "library" as const),
  ];
  const answers: Answer[] = [];
  await inLanes(order, order.length, async (submitter) => {
    const chosen = content();
    answers.push(await untilAnswered(() => send[submitter](chosen)));
  });
  await Promise.all(producers.map((producer) => producer.stop()));
  return answers;
}

const TRIES_MAX = 60;
const RETRY_MS = 200;

/** Retries with the same key while the outcome is unknown, as a client should. */
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
  { installation, directory, env }: Testbed,
  key: string,
  content: Content,
): Promise<Answer> {
  const options = ["--key", key, "--payload", JSON.stringify(payloads[content]), "--json"];
  try {
    const { stdout } = await run(process.execPath, [installation.cli, "submit", "act", ...options], {
      // A folder without a .env file.
      cwd: directory,
      env: { ...neutralEnvironment(), ...env },
      timeout: 60_000,
    });
    return answered(JSON.parse(stdout) as { id: string; duplicate: boolean }, content);
  } catch (error) {
    const stderr = String((error as { stderr?: string }).stderr ?? error);
    const isReuse =
      (error as { code?: number }).code === 1 && stderr.includes("used before with other content");
    return isReuse ? { kind: "refused", content } : { kind: "other", content, detail: stderr.slice(0, 200) };
  }
}

function answered({ id, duplicate }: { id: string; duplicate: boolean }, content: Content): Answer {
  return { kind: duplicate ? "duplicate" : "accepted", id, content };
}

function failed(error: unknown, content: Content): Answer {
  const isReuse = error instanceof Error && "code" in error && error.code === "IDEMPOTENCY_KEY_REUSED";
  return isReuse ? { kind: "refused", content } : { kind: "other", content, detail: String(error) };
}

/** One is accepted; the same content gets its id, other content is refused. */
function judge(round: string, answers: readonly Answer[]): string[] {
  const accepted = answers.filter(({ kind }) => kind === "accepted");
  // If the "accepted" answer was lost, that client's retry is a duplicate, too.
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
  return await withTestbed({ workers: 0, api: true, mutation: withoutKey }, async (testbed) => {
    const answers = await storm(testbed, context, "storm", { api: 20, library: 20, cli: 0 });
    const accepted = answers.filter(({ kind }) => kind === "accepted").length;
    return controlOf("key", accepted > 1 ? [`${accepted} accepted for one key`] : []);
  });
}
