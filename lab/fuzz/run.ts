import { runCommand, say, seedFrom, wholeNumber } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { tryCatalogue } from "./catalogue/run.ts";
import { tryIdling, trySlowness } from "./catalogue/slow.ts";
import { tryWorst } from "./catalogue/worst.ts";
import { hasHeld, type Outcome, printOutcome, writeReport } from "./lib/report.ts";
import { type Service, startService } from "./lib/service.ts";
import type { Finding } from "./lib/tally.ts";
import { fuzzOperations } from "./schema/run.ts";

const usage = `npm run fuzz -- [options]

Sends bad input of every kind to a real API, and requests generated from its OpenAPI document.

  --quick        the short form: the same kinds, but fewer; at most half a minute
  --record       writes the short form's results, too
  --minutes N    how long to send generated requests (1 to 600; default 3)
  --seed N       repeats an earlier run (0 to 4294967295)
  --help         shows this text

The full form writes docs/HOSTILE-INPUT.md, a summary; both forms write all results to docs/whole/HOSTILE-INPUT.md.
Exit codes: 0 everything was refused correctly, 1 it was not, 2 wrong usage.`;

const forms = {
  full: { variants: 400, slowClients: 50, idle: 6_000, worst: { pipelined: 2_000, readMs: 400 } },
  quick: { variants: 20, slowClients: 3, idle: 4_500, worst: { pipelined: 2_000, readMs: 30 } },
};
const QUICK_MS = 3_000;

interface Options {
  readonly quick: boolean;
  readonly minutes: number;
  readonly seed: number;
}

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    minutes: { type: "string", default: "3" },
    seed: { type: "string" },
  },
  async ({ quick, record, ...given }) => {
    const minutes = wholeNumber("--minutes", given.minutes, 1, 600);
    const seed = seedFrom(given.seed);
    say(`Fuzzing: ${quick ? "short form" : "full form"}, seed ${seed}`);
    const service = await startService();
    const outcome = await run(service, { quick, minutes, seed });
    await service.stop();
    printOutcome(outcome);
    writeReport(outcome, !quick || record);
    return hasHeld(outcome) ? 0 : 1;
  },
);

async function run(service: Service, { seed, minutes, quick }: Options): Promise<Outcome> {
  const { variants, slowClients, idle, worst: worstForm } = forms[quick ? "quick" : "full"];
  const findings: Finding[] = [];
  const slowly = trySlowness(service, slowClients, findings);
  const atOnce = await tryCatalogue(service, createRandom(seed), variants, findings);
  const operations = await fuzzOperations(service, seed, quick ? QUICK_MS : minutes * 60_000, findings);
  // After the slow clients, which it would delay.
  const slow = await slowly;
  const worst = await tryWorst(service, worstForm, findings);
  // Idle connections last: they would make the API close the slow ones.
  const catalogue = [...atOnce, ...slow, await tryIdling(service, idle, findings)];
  const form = quick ? "short" : `full, ${minutes} min of generated requests`;
  return { seed, form, catalogue, operations, worst, findings, lost: service.lost, memory: service.memory() };
}
