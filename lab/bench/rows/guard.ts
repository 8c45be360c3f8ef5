import { type Driven, startDriver } from "../lib/driver.ts";
import { REPLAYED } from "../lib/inside/contestant.ts";
import { installLibrary } from "../lib/library.ts";
import type { Form, Row, Sample, Side } from "../lib/row.ts";
import { freshSide } from "../lib/side.ts";
import { countSpending } from "../lib/spending.ts";
import { packages } from "../opponents/node-idempotency.ts";

const IN_FLIGHT = 128;
const WARM_UP_SECONDS = 0.5;

const LIBRARY = "@node-idempotency/core";

/** `guard.once` beside the least guard by hand, and beside a library. */
export function guardRows(form: Form): Row[] {
  const compared = { unit: "calls/s", better: "higher", rounds: form.isQuick ? 1 : 3 } as const;
  const sides = {
    holdfast: calls("guard", "guard", form),
    opponent: calls("SET NX", "opponents/set-nx", form),
  };
  const beside = { ...compared, isExtra: true, sides: { ...sides, opponent: libraryCalls(form) } } as const;
  return [
    {
      ...compared,
      name: "guard-once",
      title: `\`guard.once\`, first call of a key, against \`SET NX\` and \`SET\`, ${IN_FLIGHT} in flight`,
      reach: 0.8,
      sides,
      measure: "first",
      note: "the opponent knows no content, no fence and no doubt",
    },
    {
      ...compared,
      name: "guard-replay",
      title: `\`guard.once\`, later call of a key, against \`GET\`, ${IN_FLIGHT} in flight`,
      reach: 0.9,
      sides,
      measure: "later",
      note: "the guard also hashes the key and its content, and compares that",
    },
    {
      ...beside,
      name: "guard-once-library",
      title: `\`guard.once\`, first call of a key, against ${LIBRARY}, ${IN_FLIGHT} in flight`,
      measure: "first",
      note: "the opponent knows no fence and no doubt: after a crash the key is refused for a day by default, and then runs again",
    },
    {
      ...beside,
      name: "guard-replay-library",
      title: `\`guard.once\`, later call of a key, against ${LIBRARY}, ${IN_FLIGHT} in flight`,
      measure: "later",
    },
  ];
}

function libraryCalls(form: Form): Side {
  const side = calls(LIBRARY, "opponents/node-idempotency", form);
  return {
    ...side,
    async open() {
      await installLibrary("node-idempotency", packages);
      return await side.open();
    },
  };
}

function calls(name: string, module: string, { seconds }: Form): Side {
  return freshSide(name, async ({ url, client }): Promise<Sample> => {
    const driver = await startDriver(module, url);
    try {
      const first = { task: "submit", inFlight: IN_FLIGHT } as const;
      await driver.drive({ ...first, seconds: WARM_UP_SECONDS });
      const endCount = await countSpending(client, driver.pid);
      const ran = await driver.drive({ ...first, seconds });
      const spent = await endCount(ran.count);
      const later = { task: "status", id: REPLAYED, inFlight: IN_FLIGHT } as const;
      const replayed = await driver.drive({ ...later, seconds });
      return {
        measures: { first: perSecond(ran), later: perSecond(replayed) },
        latency: ran.latency,
        spent,
        invalid: [],
      };
    } finally {
      await driver.end();
    }
  });
}

function perSecond({ count, milliseconds }: Driven): number {
  return count / (milliseconds / 1_000);
}
