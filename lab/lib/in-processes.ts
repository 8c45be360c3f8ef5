import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { endWithUs } from "../../test/support/command.ts";

/** Whether this process is one of those that `inProcesses` has started: nobody else starts this command with a channel. */
export const hasItemsToCome = process.connected;

/**
 * Gives each item to one of as many processes as there are processors. They run this same command, and answer by `answerAll`.
 * (Workers of `node:cluster` would listen at their parent's ports.)
 *
 * @param take gets each answer
 * @throws Error where a process ends before it has answered
 */
export async function inProcesses<Found>(
  items: readonly string[],
  take: (found: Found) => void,
): Promise<void> {
  const [, command = "", ...args] = process.argv;
  const left = [...items];
  const work = async () => {
    const child = fork(command, args);
    endWithUs(child);
    const exit = once(child, "exit");
    const ended = exit.then(([code]): never => {
      throw new Error(`A process that had work to do has ended with exit code ${code}`);
    });
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      const answer = once(child, "message");
      child.send(item);
      const [found] = await Promise.race([answer, ended]);
      take(found);
    }
    child.disconnect();
    await exit;
  };
  const processes = Math.min(items.length, availableParallelism());
  await Promise.all(Array.from({ length: processes }, work));
}

/** In a process of `inProcesses`: answers items until no more come. @throws what `work` throws */
export async function answerAll<Found>(work: (item: string) => Promise<Found>): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    process.on("message", (item) => void work(String(item)).then((found) => process.send?.(found), reject));
  });
  await Promise.race([once(process, "disconnect"), failed]);
}
