// What `npm run verify` runs after `npm test`, in order. It is loaded before anything is installed.
import { captureEvidence } from "./evidence.mjs";
import { runFaults } from "./faults.mjs";
import { captureFuzz } from "./fuzz.mjs";
import { show } from "./run.mjs";

/** The whole forms draw another each time. */
const seed = ["--seed", "1"];

/** `run` gets what runs tests, and a function for the last line of what it prints; it resolves to an exit code, or runs tests. */
export const secondTier = [
  {
    name: "slow tests",
    what: "`test/verify`, `test/browser` and `examples/providers`",
    run: ({ runTests }) => runTests("slow tests", ["verify", "proofs"]),
  },
  part("fuzz", "the short form of hostile input", (say) =>
    lastLineOf(captureFuzz(["--quick", ...seed]), say),
  ),
  part("evidence", "the short form of the table of truth", (say) =>
    lastLineOf(captureEvidence(["--quick"]), say),
  ),
  part("tour", "each break of the tour", () => show(process.execPath, ["scripts/tour.mjs", "--check"])),
  part("faults", "the short form of every experiment, with its controls", () =>
    runFaults(["--quick", ...seed]),
  ),
];

function part(name, what, work) {
  return { name, what, run: ({ run, say }) => run(name, () => work(say)) };
}

async function lastLineOf(captured, say) {
  const { code, output } = await captured;
  say(code === 0 ? output.trimEnd().split("\n").at(-1) : output.trimEnd());
  return code;
}
