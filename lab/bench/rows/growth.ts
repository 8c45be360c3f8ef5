import { number } from "../../lib/numbers.ts";
import { holdfast, KEEP_COMPLETED } from "../lib/contestants.ts";
import { deepen } from "../lib/deepen.ts";
import { remaining, timeDraining } from "../lib/draining.ts";
import type { Form, Row, Sample, Side } from "../lib/row.ts";
import { type ConnectedRedis, openStore } from "../lib/store.ts";
import { holdfastApi, submitOverHttp } from "../lib/submitting.ts";
import { readStatus } from "./status.ts";
import { CONCURRENCY } from "./work.ts";

const CONNECTIONS = 128;
const SHALLOW = 1_000;
/** Everything submitted must also run. */
const SUBMIT_SECONDS = 2;
const WARM_UP_SECONDS = 1;
/** The share of the submitted jobs that runs before the clock starts. */
const WARM_UP_SHARE = 0.25;

const compared = [
  { what: "submit", unit: "jobs/s" },
  { what: "status", unit: "reads/s" },
  { what: "work", unit: "jobs/s" },
];

/** Whether Holdfast slows down as more jobs wait. */
export function growthRows(form: Form): Row[] {
  const shallow = atDepth(SHALLOW, form);
  const deeper = form.isQuick ? [100_000] : [100_000, 1_000_000];
  return deeper.flatMap((depth) => {
    const deep = atDepth(depth, form);
    return compared.map(
      ({ what, unit }): Row => ({
        name: `growth-${what}-${depth}`,
        title: `Holdfast's ${what} at ${number(depth)} waiting jobs against ${number(SHALLOW)}`,
        unit,
        better: "higher",
        sides: { holdfast: deep, opponent: shallow },
        measure: what,
        rounds: form.isQuick ? 1 : 3,
        growth: { what, depth },
      }),
    );
  });
}

/** Redis is filled once for all rounds: a worker runs as many jobs as were submitted. */
function atDepth(depth: number, form: Form): Side {
  return {
    name: `Holdfast at ${number(depth)}`,
    async open() {
      const store = await openStore();
      await deepen(store, holdfast, depth);
      return { sample: () => sampleAt(store, depth, form), close: store.stop };
    },
  };
}

async function sampleAt(store: ConnectedRedis, depth: number, form: Form): Promise<Sample> {
  const submitted = await submitAt(store, form);
  const oldest = await store.client.lindex(holdfast.keys.waiting, -1);
  const read = await readStatus(store, holdfast, oldest ?? "", form);
  const worked = await workDownTo(store, depth);
  return {
    measures: {
      submit: submitted.measures.perSecond ?? Number.NaN,
      status: read.measures.perSecond ?? Number.NaN,
      work: worked,
    },
    invalid: [...submitted.invalid, ...read.invalid],
  };
}

async function submitAt(store: ConnectedRedis, form: Form): Promise<Sample> {
  const service = holdfastApi(holdfast);
  const started = await service.start(store.url);
  const load = { connections: CONNECTIONS, batch: 0 };
  try {
    await submitOverHttp(store, service, started, { ...load, seconds: WARM_UP_SECONDS });
    const seconds = Math.min(form.seconds, SUBMIT_SECONDS);
    return await submitOverHttp(store, service, started, { ...load, seconds });
  } finally {
    await started.end();
  }
}

async function workDownTo(store: ConnectedRedis, depth: number): Promise<number> {
  const surplus = (await remaining(store, holdfast)) - depth;
  const options = { concurrency: CONCURRENCY, keepCompleted: KEEP_COMPLETED };
  const worker = await holdfast.startWorker(store.url, options);
  try {
    const from = depth + Math.round((1 - WARM_UP_SHARE) * surplus);
    const { perSecond } = await timeDraining(store, holdfast, { from, to: depth, pid: worker.child.pid });
    return perSecond;
  } finally {
    await worker.end("SIGTERM");
  }
}
