import { setTimeout as sleep } from "node:timers/promises";
import type { JobContract, Producer, StandaloneOperator } from "holdfast";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import { withoutOtherParents } from "../lib/mutations.ts";
import { LONG_LOCK, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import { outcomeOf, withOperator } from "../lib/with-operator.ts";

/** So many flows in turn have this many children in common. */
const GROUP = 5;
const SHARED = 3;
const LANES = 4;
const BETWEEN_ACTS_MS = 20;
const ENDS_WITHIN_MS = 30_000;

export const sharedChildren: Experiment = {
  number: 35,
  title: "Flows share children",
  fault:
    "flows have children in common that fail, while children and parents are retried by hand and in bulk, cancelled and deleted, and workers are killed",
  mustHold: "no parent waits for ever",
  async run(context) {
    const size = context.isQuick ? { flows: 30, kills: 1 } : { flows: 400, kills: 20 };
    const [{ stuck, acts, deaths, children }, control] = await Promise.all([
      disturb(context, size),
      parentsControl({ ...context, random: context.random.fork("control") }),
    ]);
    return {
      counts: {
        ...noCounts,
        acknowledged: size.flows + children,
        faults: deaths + [...acts.values()].reduce((total, times) => total + times, 0),
        notEnded: stuck.length,
      },
      table: {
        head: ["act", "answered", "times"],
        rows: [...acts].map(([name, times]) => {
          const [act = "", answer = ""] = name.split(" ");
          return [act, answer, times];
        }),
      },
      measured: [
        `${GROUP} flows at a time have 1 or 2 of ${SHARED} children in common, and each has one of its own`,
      ],
      broken: stuck.map((id) => `${id}: a parent waits for ever`),
      controls: [control],
    };
  },
};

interface Size {
  readonly flows: number;
  readonly kills: number;
}

interface Disturbed {
  readonly stuck: readonly string[];
  readonly acts: ReadonlyMap<string, number>;
  readonly deaths: number;
  readonly children: number;
}

/** Of each flow: its parent and its children. */
type Flows = Map<string, readonly string[]>;

async function disturb(context: Context, { flows: count, kills }: Size): Promise<Disturbed> {
  const { random } = context;
  return await withTestbed({ workers: 2, concurrency: 10 }, async (testbed) => {
    const { application, createProducer } = await testbed.installation.library();
    const producer = await createProducer(application, testbed.env);
    const flows: Flows = new Map();
    const acts = new Map<string, number>();
    const tools = { testbed, producer, jobs: application.jobs, context };
    try {
      return await withOperator(testbed, async (operator) => {
        let isOver = false;
        const operating = operate(operator, context, flows, acts, () => isOver);
        const killing = killWorkers(testbed, context, kills);
        await inLanes(Array(count).keys(), LANES, async (index) => {
          context.say(`${flows.size} of ${count} flows, ${testbed.deaths.length} kills`);
          await submitFlow(tools, flows, index);
          await sleep(random.between(20, 200)); // flows arrive while children fail
        });
        await killing;
        isOver = true;
        await operating;
        await inLanes(Array(Math.ceil(count / 10)).keys(), LANES, (index) =>
          shareOne(tools, operator, flows, index),
        );
        const stuck = await stuckParents(testbed, flows, ENDS_WITHIN_MS);
        const children = new Set([...flows.values()].flat()).size;
        return { stuck, acts, deaths: testbed.deaths.length, children };
      });
    } finally {
      await producer.stop();
    }
  });
}

const CONTROL_MS = 3_000;
/** On a busy machine a child may have ended before its parents are retried: then it says nothing. */
const CONTROL_TIMES = 10;

/** Two flows share a child; it fails, and is retried before the first flow's parent. */
async function shareOne(
  tools: Tools,
  operator: StandaloneOperator,
  flows: Flows,
  index: number,
): Promise<void> {
  const { producer, jobs, testbed } = tools;
  const [parent, child] = [jobs.get("parent"), jobs.get("child")];
  if (parent === undefined || child === undefined) throw new Error("The application has no flows");
  const payload = { failures: 1, ms: 300 };
  const shared = { job: child, payload, idempotencyKey: `one-${index}`, name: "one" };
  const ids: string[] = [];
  for (const number of [1, 2]) {
    const flow = {
      parent: { job: parent, payload: {}, idempotencyKey: `one-${index}-${number}` },
      children: [shared],
      onChildFailure: "fail" as const,
    };
    const { id } = await patiently(() => producer.submitFlow(flow));
    await untilEnded(testbed, id);
    flows.set(id, []);
    ids.push(id);
  }
  const { id } = await patiently(() => producer.submit(child, payload, { idempotencyKey: `one-${index}` }));
  for (const each of [id, ...ids]) await outcomeOf(patiently(() => operator.retry(each)));
}

async function parentsControl(context: Context): Promise<Control> {
  const options = { workers: 1, mutation: withoutOtherParents, env: LONG_LOCK };
  return await withTestbed(options, async (testbed) => {
    const { application, createProducer } = await testbed.installation.library();
    const producer = await createProducer(application, testbed.env);
    const flows: Flows = new Map();
    try {
      const tools = { testbed, producer, jobs: application.jobs, context };
      let stuck: string[] = [];
      for (let index = 0; index < CONTROL_TIMES && stuck.length === 0; index += 1) {
        await withOperator(testbed, (operator) => shareOne(tools, operator, flows, index));
        stuck = await stuckParents(testbed, flows, CONTROL_MS);
      }
      return {
        protection: withoutOtherParents.name,
        isCaught: stuck.length > 0,
        seen: `${stuck.length} parents wait for ever`,
      };
    } finally {
      await producer.stop();
    }
  });
}

interface Tools {
  readonly testbed: Testbed;
  readonly producer: Producer;
  readonly jobs: ReadonlyMap<string, JobContract>;
  readonly context: Context;
}

/** A child that another flow still waits for is refused, and the flow is submitted again later. */
async function submitFlow({ producer, jobs, context }: Tools, flows: Flows, index: number): Promise<void> {
  const { random } = context;
  const [parent, child] = [jobs.get("parent"), jobs.get("child")];
  if (parent === undefined || child === undefined) throw new Error("The application has no flows");
  const shared = [1, 2].map(() => random.between(1, SHARED));
  const children = [
    ...[...new Set(shared)].map((number) => ({
      job: child,
      payload: { failures: number, ms: number * 5 },
      idempotencyKey: `shared-${Math.floor(index / GROUP)}-${number}`,
      name: `shared-${number}`,
    })),
    {
      job: child,
      payload: { failures: 0, ms: random.between(100, 1_500) },
      idempotencyKey: `own-${index}`,
      name: "own",
    },
  ];
  const flow = {
    parent: { job: parent, payload: {}, idempotencyKey: `parent-${index}` },
    children,
    onChildFailure: random.pick(["fail", "continue"] as const),
  };
  const receipt = await patiently(() => producer.submitFlow(flow));
  const ids: string[] = [];
  for (const { job, payload, idempotencyKey } of children)
    ids.push((await patiently(() => producer.submit(job, payload, { idempotencyKey }))).id);
  flows.set(receipt.id, ids);
}

async function killWorkers({ workers, deaths }: Testbed, { random }: Context, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.between(200, 1_000)); // a random moment is the point
    const worker = random.pick(workers);
    await worker.ready();
    const before = deaths.length;
    worker.signal("SIGKILL");
    await until(() => deaths.length > before, { withinMs: 60_000 });
  }
}

async function operate(
  operator: StandaloneOperator,
  { random }: Context,
  flows: Flows,
  acts: Map<string, number>,
  isOver: () => boolean,
): Promise<void> {
  for (let turn = 0; !isOver(); turn += 1) {
    await sleep(BETWEEN_ACTS_MS);
    if (flows.size === 0) continue;
    const [parent, children] = random.pick([...flows]);
    const id = random.next() < 0.4 ? parent : random.pick(children);
    const name = random.pick(["retry", "retry", "retry", "bulk", "bulk", "cancel", "delete"] as const);
    const answer = await outcomeOf(patiently(() => act(operator, name, id, turn)));
    acts.set(`${name} ${answer}`, (acts.get(`${name} ${answer}`) ?? 0) + 1);
  }
}

async function act(
  operator: StandaloneOperator,
  name: "retry" | "bulk" | "cancel" | "delete",
  id: string,
  turn: number,
): Promise<unknown> {
  if (name === "retry") return await operator.retry(id);
  if (name === "cancel") return await operator.cancel(id);
  if (name === "delete") return await operator.delete(id, "laboratory");
  const request = { act: "retry", filter: { type: "child" }, reason: "laboratory" } as const;
  return await operator.acts.start(request, "laboratory", `bulk ${turn}`);
}

/** Parents that do not end. */
async function stuckParents({ client }: Testbed, flows: Flows, withinMs: number): Promise<string[]> {
  const open = new Set(flows.keys());
  const look = async () => {
    await inLanes([...open], LANES * 2, async (id) => {
      const status = await client.status(id);
      if (status === undefined || status.state === "completed" || status.state === "failed") open.delete(id);
    });
    return open.size === 0;
  };
  await until(look, { withinMs, everyMs: 250 });
  return [...open];
}
