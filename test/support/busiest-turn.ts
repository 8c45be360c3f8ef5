import { setImmediate } from "node:timers/promises";

/** @returns the most processor time that this process has spent in one turn of its event loop during the work, in milliseconds */
export async function busiestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let busiest = 0;
  let isOver = false;
  const watch = async () => {
    let before = processorMs();
    while (!isOver) {
      await setImmediate();
      const now = processorMs();
      busiest = Math.max(busiest, now - before);
      before = now;
    }
  };
  const watching = watch();
  await work().finally(() => {
    isOver = true;
  });
  await watching;
  return busiest;
}

/** Not what it waited for a processor: others may be busy, too. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
