import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "holdfast";
import type { Library } from "./installation.ts";

const PAUSED_MS = 150;
const RESUMED_MS = 850;
const AGAIN_MS = 100;

/** Whether all experiments are to run with flow control on: `--flow`. */
export function isFlowControlOn(): boolean {
  return process.env.LAB_FLOW === "yes";
}

/** Pauses the application's queues for a moment each second. They are resumed when this stops. */
export async function startPauses(
  { application, createOperator }: Library,
  env: NodeJS.ProcessEnv,
): Promise<Running> {
  const stopping = new AbortController();
  const operator = await createOperator(application, env);
  const onEach = async (act: (queue: string) => Promise<unknown>) => {
    for (const queue of application.queues) await act(queue);
  };
  const pause = () => onEach((queue) => operator.queues.pause(queue, { reason: "flow", by: "laboratory" }));
  const resume = () => onEach((queue) => operator.queues.resume(queue));
  const wait = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
  const run = async () => {
    while (!stopping.signal.aborted) {
      // Redis may be down.
      await pause().catch(() => {});
      await wait(PAUSED_MS);
      while (!(await hasDone(resume)) && !stopping.signal.aborted) await wait(AGAIN_MS);
      await wait(RESUMED_MS);
    }
  };
  const ended = run();
  return {
    async stop() {
      stopping.abort();
      await ended;
      await operator.stop();
    },
  };
}

async function hasDone(act: () => Promise<unknown>): Promise<boolean> {
  return await act().then(
    () => true,
    () => false,
  );
}
