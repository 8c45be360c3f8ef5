// The list in CONTRIBUTING.md of what `npm run verify` runs: a part that is taken out is missed there.
import { checkNames } from "./gate.mjs";
import { secondTier } from "./second-tier.mjs";

export function partsList() {
  const parts = [
    `check: the gate, that is ${checkNames.join("; ")}`,
    "tests: all that `npm test` runs",
    ...secondTier.map(({ name, what }) => `${name}: ${what}`),
  ];
  return parts.map((text) => `- ${text}`).join("\n");
}
