// npm run house: the house in numbers. `-- DIR` measures another checkout; `-- --pairs` lists the imports behind each pair of rooms.
import path from "node:path";
import { parseArgs } from "node:util";
import { houseReport, pairsReport } from "./lib/house.mjs";
import { runScript } from "./lib/script.mjs";

const { values, positionals } = parseArgs({
  options: { pairs: { type: "boolean", default: false } },
  allowPositionals: true,
});
const checkout = path.resolve(positionals[0] ?? ".");

await runScript(() => {
  process.chdir(checkout);
  console.log(values.pairs ? pairsReport() : houseReport());
});
