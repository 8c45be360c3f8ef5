// An opponent's worker in its own process: `worker.ts MODULE CONCURRENCY KEEP_COMPLETED`.
import type { Work } from "./contestant.ts";

const [, , module = "", concurrency, keepCompleted] = process.argv;
const { work } = (await import(new URL(`../../${module}.js`, import.meta.url).href)) as { work: Work };
process.on("disconnect", () => process.exit());
await work(process.env.REDIS_URL ?? "", {
  concurrency: Number(concurrency),
  keepCompleted: Number(keepCompleted),
});
process.send?.({});
