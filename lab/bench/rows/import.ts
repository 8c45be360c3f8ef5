import { startScript } from "../../lib/processes.ts";
import { spread } from "../../lib/statistics.ts";
import type { Form, Row, Side } from "../lib/row.ts";

/** What a process pays to be a producer, before it connects. */
export function importRows({ isQuick }: Form): Row[] {
  const count = isQuick ? 5 : 15;
  const sides = {
    holdfast: importing("Holdfast's producer, Zod", "holdfast", count),
    opponent: importing("BullMQ, Zod", "bullmq", count),
  };
  const compared = { better: "lower", reach: 1.3, sides } as const;
  const note = `medians of ${count} processes a round that import and do nothing else; Holdfast's with all that \`createProducer\` loads`;
  return [
    { ...compared, name: "import", title: "Import of a producer", unit: "ms", measure: "ms", note },
    {
      ...compared,
      name: "import-memory",
      title: "Memory of a process that imported a producer",
      unit: "MiB",
      measure: "mebibytes",
      note,
    },
  ];
}

interface Imported {
  readonly ms: number;
  readonly mebibytes: number;
}

function importing(name: string, what: string, count: number): Side {
  return {
    name,
    open: async () => ({
      async sample() {
        const all: Imported[] = [];
        while (all.length < count) all.push(await importOnce(what));
        return {
          measures: {
            ms: spread(all.map(({ ms }) => ms)).median,
            mebibytes: spread(all.map(({ mebibytes }) => mebibytes)).median,
          },
          invalid: [],
        };
      },
      close: async () => {},
    }),
  };
}

async function importOnce(what: string): Promise<Imported> {
  const { ready, end } = await startScript<Imported>("lib/inside/imports", [what], {});
  await end();
  return ready;
}
