// npm run tour: breaks the service by hand and Holdfast in the same ways, and counts.
import { parseArgs } from "node:util";
import { inLanes } from "../lib/waiting.ts";
import { type Break, breaks, forgetfulRedis } from "./breaks.ts";
import { play } from "./scene.ts";
import type { SideName } from "./sides.ts";
import { type Row, tableOf, writeTable } from "./table.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, check: { type: "boolean", default: false } },
});
const chosen = breaks.filter(
  ({ name }) => values.only === undefined || values.only.split(",").includes(name),
);
if (chosen.length === 0) {
  console.error(`--only: expected some of ${breaks.map(({ name }) => name).join(", ")}, got ${values.only}`);
  process.exit(2);
}

// Two at once, and both sides of each: each has its own store, and mostly waits.
const LANES = 2;
const results = new Map<Break, Row>();
await inLanes(chosen, LANES, async (one) => {
  const [byHand, held] = await Promise.all([playOn("by hand"), playOn("Holdfast")]);
  results.set(one, { one, byHand, held });
  console.log(
    `${one.name}\n  by hand:  lost ${byHand.lost}, twice ${byHand.twice}, wrong ${byHand.wrong}\n` +
      `  Holdfast: lost ${held.lost}, twice ${held.twice}, wrong ${held.wrong}, in doubt ${held.inDoubt}`,
  );

  async function playOn(side: SideName) {
    const { clocks = {}, forgets = false } = one;
    // Holdfast refuses a Redis that answers before it has written to disk.
    const redisArgs = forgets && side === "by hand" ? ["--appendfsync", "everysec"] : [];
    return await play(side, { clocks, redisArgs, redisEnv: forgets ? forgetfulRedis() : {} }, one.run);
  }
});
const rows = chosen.flatMap((one) => results.get(one) ?? []);
console.log(`\n${tableOf(rows)}`);
const isWhole = values.only === undefined;
if (isWhole) process.exitCode = writeTable(rows, { isCheck: values.check });
const unseen = rows.filter(({ byHand: { lost, twice, wrong } }) => lost + twice + wrong === 0);
const broken = rows.filter(({ held: { lost, twice, wrong } }) => lost + twice + wrong > 0);
for (const { one } of unseen) console.error(`not seen by hand: ${one.title}`);
for (const { one } of broken) console.error(`Holdfast broke: ${one.title}`);
if (unseen.length + broken.length > 0) process.exitCode = 1;
