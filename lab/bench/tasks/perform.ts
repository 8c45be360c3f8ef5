import type { Browser } from "playwright-core";
import { type Action, backToOverview, openDesk, openTerminal } from "./desk.ts";
import type { Night } from "./night.ts";
import type { Task } from "./task.ts";
import { tasksOnJobs } from "./tasks-on-jobs.ts";
import { tasksOnService } from "./tasks-on-service.ts";

/** What a task took in one place. */
export interface Performance {
  readonly task: string;
  readonly actions: readonly Action[];
  /** Why it could not be done. */
  readonly failure?: string;
}

export const ACTIONS_MAX = 5;

/** In the order of the night: who did what is asked when something was done. */
export const tasks: readonly Task[] = [
  tasksOnJobs.findByKey,
  tasksOnJobs.wasItSent,
  tasksOnJobs.retrySlowly,
  tasksOnService.pause,
  tasksOnService.resume,
  tasksOnJobs.cancelMany,
  tasksOnService.resolveDoubts,
  tasksOnService.busyWorkers,
  tasksOnService.theDigest,
  tasksOnService.concurrency,
  tasksOnService.whoFloods,
  tasksOnJobs.wrongPayload,
  tasksOnJobs.memory,
  tasksOnJobs.exportJobs,
  tasksOnService.whoDidWhat,
  tasksOnService.drain,
  tasksOnService.atThree,
  tasksOnService.rotateKey,
];

/** Does each task once in the console. */
export async function performInConsole(browser: Browser, night: Night): Promise<Performance[]> {
  const desk = await openDesk(browser, night);
  try {
    const done: Performance[] = [];
    for (const task of tasks) {
      await backToOverview(desk);
      const before = desk.actions.length;
      const failure = await failureOf(async () => {
        await task.inConsole(desk, night);
        await task.isSo?.(night);
      });
      done.push({ task: task.name, actions: desk.actions.slice(before), ...failure });
    }
    return done;
  } finally {
    await desk.stop();
  }
}

/** Does each task once in a terminal. */
export async function performInTerminal(night: Night): Promise<Performance[]> {
  const done: Performance[] = [];
  for (const task of tasks) {
    const terminal = openTerminal(night);
    const failure = await failureOf(async () => {
      await task.inTerminal(terminal, night);
      await task.isSo?.(night);
    });
    done.push({ task: task.name, actions: terminal.actions, ...failure });
  }
  return done;
}

/** One that fails does not keep the others from being measured. */
async function failureOf(work: () => Promise<void>): Promise<Pick<Performance, "failure">> {
  try {
    await work();
    return {};
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** The action that took the longest. */
export function slowest({ actions }: Performance): Action {
  return actions.reduce((slow, action) => (action.ms > slow.ms ? action : slow), { what: "nothing", ms: 0 });
}
