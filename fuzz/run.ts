import { parseArgs } from "node:util";
import { endAllOnExit } from "../bench/lib/processes.ts";
import { createRandom } from "../faults/lib/random.ts";
import { tryCatalogue } from "./catalogue/run.ts";
import { tryIdling, trySlowness } from "./catalogue/slow.ts";
import { hasHeld, type Outcome, printOutcome, writeReport } from "./lib/report.ts";
import { type Service, startService } from "./lib/service.ts";
import type { Finding } from "./lib/tally.ts";
import { fuzzOperations } from "./schema/run.ts";

const usage = `npm run fuzz -- [options]

Sends bad input of every kind to a real API, and requests made from its OpenAPI document.

  --quick        the short form: the same kinds, fewer of them; at most half a minute
  --minutes N    how long requests are made from the OpenAPI document (1 to 600; by default 3)
  --seed N       sends what an earlier run sent (0 to 4294967295)
  --help         this text

The full form writes docs/HOSTILE-INPUT.md.
Exit codes: 0 all was refused as it must be, 1 not so, 2 wrong usage.`;

const forms = {
  full: { variants: 400, slowClients: 50, idle: 6_000 },
  quick: { variants: 20, slowClients: 3, idle: 4_500 },
};
const QUICK_MS = 3_000;
const MINUTES = 3;

interface Options {
  readonly help: boolean;
  readonly quick: boolean;
  readonly minutes: number;
  readonly seed: number;
}

process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  endAllOnExit();
  process.stdout.write(`Fuzzing: ${options.quick ? "short form" : "full form"}, seed ${options.seed}\n`);
  const service = await startService();
  const outcome = await run(service, options);
  await service.stop();
  printOutcome(outcome);
  if (!options.quick) writeReport(outcome);
  return hasHeld(outcome) ? 0 : 1;
}

async function run(service: Service, { seed, minutes, quick }: Options): Promise<Outcome> {
  const { variants, slowClients, idle } = forms[quick ? "quick" : "full"];
  const findings: Finding[] = [];
  const slowly = trySlowness(service, slowClients, findings);
  const atOnce = await tryCatalogue(service, createRandom(seed), variants, findings);
  const operations = await fuzzOperations(service, seed, quick ? QUICK_MS : minutes * 60_000, findings);
  // Idle ones last: to make room for them the slow ones would be closed.
  const catalogue = [...atOnce, ...(await slowly), await tryIdling(service, idle, findings)];
  return { seed, minutes, catalogue, operations, findings, lost: service.lost, memory: service.memory() };
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        minutes: { type: "string", default: String(MINUTES) },
        seed: { type: "string" },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
    const minutes = Number(values.minutes);
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
      throw new TypeError("--seed: expected a whole number from 0 to 4294967295");
    if (!(minutes >= 1 && minutes <= 600)) throw new TypeError("--minutes: expected 1 to 600");
    return { ...values, seed, minutes };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}\n`);
    return undefined;
  }
}
