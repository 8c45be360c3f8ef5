// npm run house: the house in numbers. `-- DIR` measures another checkout; `-- --pairs` lists the imports behind each pair of rooms,
// `-- --features` what each feature consists of and who knows it.
import path from "node:path";
import { parseArgs } from "node:util";
import { featuresReport, houseReport, pairsReport } from "./lib/house.mjs";
import { runScript } from "./lib/script.mjs";

const { values, positionals } = parseArgs({
  options: { pairs: { type: "boolean", default: false }, features: { type: "boolean", default: false } },
  allowPositionals: true,
});
const checkout = path.resolve(positionals[0] ?? ".");

await runScript(() => {
  process.chdir(checkout);
  if (values.features) console.log(featuresReport());
  else console.log(values.pairs ? pairsReport() : houseReport());
});
