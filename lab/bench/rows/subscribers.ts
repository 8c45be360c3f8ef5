import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Started, startHoldfast, startScript } from "../../lib/processes.ts";
import { holdfast, KEEP_COMPLETED } from "../lib/contestants.ts";
import type { Form, Latency, Row, Sample, Side } from "../lib/row.ts";
import { freshSide } from "../lib/side.ts";
import { CONCURRENCY } from "./work.ts";

const SUBSCRIBERS = 10_000;
const PER_SECOND = 1_000;

/** Submits while clients wait for jobs, half by event stream, half by `Prefer: wait`, and while none does. */
export function subscriberRows(form: Form): Row[] {
  const sides = {
    holdfast: submitting(`${SUBSCRIBERS.toLocaleString("en")} subscribers`, SUBSCRIBERS, form),
    opponent: submitting("no subscribers", 0, form),
  };
  const compared = { better: "lower", sides, isExtra: true } as const;
  const title = `10,000 subscribers, ${PER_SECOND.toLocaleString("en")} jobs/s`;
  return [
    {
      ...compared,
      name: "subscribers",
      title: `${title}: submit p99`,
      unit: "ms",
      measure: "p99",
      reach: 2,
      note: "a round is invalid unless every subscriber got its job's end",
    },
    {
      ...compared,
      name: "subscribers-memory",
      title: `${title}: its memory`,
      unit: "MiB",
      measure: "mebibytes",
      note: "resident, at the end of the round",
    },
  ];
}

function submitting(name: string, subscribers: number, { isQuick, warmUpSeconds }: Form): Side {
  const seconds = isQuick ? 8 : 20;
  return freshSide(name, async (store) => {
    const api = await startHoldfast<{ readonly url: string }>("api", { REDIS_URL: store.url });
    const keepCompleted = KEEP_COMPLETED + 2 * SUBSCRIBERS;
    const worker = await holdfast.startWorker(store.url, { concurrency: CONCURRENCY, keepCompleted });
    try {
      const submit = () => paced(api.ready.url, warmUpSeconds, seconds);
      if (subscribers === 0) return sampleOf(api, await submit(), []);
      const args = [api.ready.url, String(subscribers), String(warmUpSeconds + seconds)];
      const subscribing = await startScript<{ readonly dueInMs: number }>("lib/inside/subscribers", args, {});
      const answered = once(subscribing.child, "message");
      const late = subscribing.ready.dueInMs < 0 ? ["not all subscribers were there in time"] : [];
      await sleep(Math.max(0, subscribing.ready.dueInMs));
      const submitted = await submit();
      const [{ right }] = (await Promise.race([answered, subscribing.ended])) as [{ readonly right: number }];
      await subscribing.end();
      const wrong = right === subscribers ? [] : [`${subscribers - right} subscribers did not get the end`];
      return sampleOf(api, submitted, [...late, ...wrong]);
    } finally {
      await worker.end();
      await api.end();
    }
  });
}

interface Paced {
  readonly refused: number;
  readonly latency: Latency;
}

async function paced(url: string, ...seconds: [warmUp: number, measured: number]): Promise<Paced> {
  const args = [url, PER_SECOND, ...seconds].map(String);
  const { ready, end } = await startScript<Paced>("lib/inside/paced", args, {});
  await end();
  return ready;
}

function sampleOf(api: Started<unknown>, { refused, latency }: Paced, invalid: readonly string[]): Sample {
  const kibibytes = Number(
    execFileSync("ps", ["-o", "rss=", "-p", String(api.child.pid)], { encoding: "utf8" }),
  );
  return {
    measures: { p99: latency.p99, mebibytes: kibibytes / 1_024 },
    latency,
    invalid: [...invalid, ...(refused > 0 ? [`${refused} submissions were not accepted`] : [])],
  };
}
