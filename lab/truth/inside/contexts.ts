import { AsyncResource } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import DataLoader from "dataloader";
import PQueue from "p-queue";
import type { Context } from "../faults/company.ts";

type Work = () => Promise<unknown>;

/** Runs what it is given in the context of this module, which belongs to no effect. */
const outside = AsyncResource.bind((work: () => unknown) => work()) as (work: () => unknown) => unknown;

const emitter = new EventEmitter().on(
  "work",
  AsyncResource.bind((work: Work, end: (ended: Promise<unknown>) => void) => end(work())),
);

const HELD_MS = 20;

/** How an application hands a call over, so that it is made in another asynchronous context. */
export const inContext: Record<Context, (work: Work) => Promise<unknown>> = {
  own: (work) => work(),
  // The queue begins it when the task before it ends, in that one's context.
  "p-queue": async (work) => {
    const queue = new PQueue({ concurrency: 1 });
    outside(() => queue.add(() => sleep(HELD_MS)));
    return await queue.add(work);
  },
  // The batch runs in the context of the first load.
  dataloader: async (work) => {
    const loader = new DataLoader<Work, unknown>(
      (batch) => Promise.all(batch.map((each) => each().catch((error: Error) => error))),
      { cache: false },
    );
    outside(() => loader.load(async () => null));
    return await loader.load(work);
  },
  bound: async (work) => await outside(work),
  emitter: async (work) => await new Promise((resolve) => emitter.emit("work", work, resolve)),
};
