/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { type AttemptOf, defineJob } from "holdfast";
import { HandlesJob, type HoldfastOperator, type HoldfastProducer } from "holdfast/nestjs";
import { z } from "zod";

const report = defineJob({
  type: "report",
  payload: z.strictObject({ month: z.string(), copies: z.number().default(1) }),
  result: z.strictObject({ pages: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 1_000,
  effects: { print: { timeoutMs: 1_000, inDoubt: "hold" } },
});

export class Reports {
  constructor(
    readonly jobs: HoldfastProducer,
    readonly operator: HoldfastOperator,
  ) {}

  @HandlesJob(report)
  async print({ payload, effect }: AttemptOf<typeof report>) {
    const copies: number = payload.copies;
    // @ts-expect-error the payload has no such member
    payload.year;
    // @ts-expect-error no such effect is declared
    await effect("staple", async () => {});
    await effect("print", async () => ({ copies }));
    await this.jobs.submit(report, { month: "may" }, { idempotencyKey: "may" });
    return { pages: copies };
  }

  // A method that needs only a part of the attempt, or nothing of it.
  @HandlesJob(report)
  async ofPayload({ payload }: { readonly payload: { readonly month: string } }) {
    return { pages: payload.month.length };
  }

  @HandlesJob(report)
  async ofNothing() {
    return { pages: 1 };
  }

  // @ts-expect-error pages is a number
  @HandlesJob(report)
  async wrongResult() {
    return { pages: "3" };
  }

  // @ts-expect-error nothing is returned
  @HandlesJob(report)
  async noResult() {}

  // @ts-expect-error a handler is asynchronous
  @HandlesJob(report)
  synchronous() {
    return { pages: 3 };
  }

  // @ts-expect-error the payload has no such member
  @HandlesJob(report)
  async wrongPayload({ payload }: { readonly payload: { readonly year: number } }) {
    return { pages: payload.year };
  }
}
