import { type Application, defineConfig, defineJob } from "holdfast";
import { z } from "zod";

/** One run of a job: its key, its place among the jobs of the key, and when it began and ended, in nanoseconds of the machine's clock. */
export type Run = readonly [key: number, place: number, began: number, ended: number];

const common = {
  payload: z.strictObject({ key: z.int(), place: z.int() }),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 60_000,
} as const;

export const plainJob = defineJob({ ...common, type: "plain" });
export const keyedJob = defineJob({
  ...common,
  type: "keyed",
  concurrency: { key: ({ key }) => `customer-${key}`, limit: 1 },
});

/** @param note is called when a job has run, which takes one turn of the event loop */
export function keyedApplication(note: (run: Run) => void = () => {}): Application {
  const handlers = [plainJob, keyedJob].map((job) =>
    job.handler(async ({ payload: { key, place } }) => {
      const began = Number(process.hrtime.bigint());
      await new Promise((resolve) => setImmediate(resolve));
      note([key, place, began, Number(process.hrtime.bigint())]);
      return {};
    }),
  );
  return defineConfig({ jobs: [plainJob, keyedJob], handlers: async () => handlers });
}
