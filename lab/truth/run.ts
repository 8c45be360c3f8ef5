import { join } from "node:path";
import { runCommand, say, UsageError } from "../../test/support/command.ts";
import { type RedisServer, startRedisServer } from "../../test/support/redis-server.ts";
import { install } from "../faults/lib/installation.ts";
import { withoutAgreement } from "../faults/lib/mutations.ts";
import type { Mode } from "./lib/effect-names.ts";
import { openProgress } from "./lib/progress.ts";
import { printResults, writeReport } from "./lib/report.ts";
import { hasHeld, type Results } from "./lib/results.ts";
import type { Row } from "./lib/row.ts";
import { rowsAlone, rowsInCompany, rowsOfNeighbours } from "./lib/rows.ts";
import { type RunOptions, type RuntimeRun, runRows } from "./lib/run-rows.ts";
import { chooseRuntimes, type Runtime, thisNode } from "./lib/runtimes.ts";
import { libraries } from "./libraries.ts";
import { startDatabases, stopDatabases } from "./servers/databases.ts";

const usage = `npm run evidence -- [options]

Lets real client libraries call downstreams that act and then misbehave, inside an effect of a real worker's job, and compares what
Holdfast says of the effect with what the downstream did.

  --quick            the short form: this Node.js, fewer libraries and faults; at most half a minute
  --only fetch,pg    only these libraries; writes no report
  --runtime bun      only in these runtimes: node20, node22, node24, bun, deno; writes no report
  --rows             shows each row
  --list             lists the libraries
  --help             shows this text

The full form writes docs/evidence.md, a summary; both forms write all rows to docs/whole/evidence.md.
Exit codes: 0 nothing acted again or was falsely called not done, and the control was caught, 1 otherwise, 2 wrong usage.`;

/** Rows mostly wait, so many fit on two cores. */
const LANES = 48;

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    runtime: { type: "string" },
    rows: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
  async ({ quick: isQuick, only, runtime, rows: showsRows, list }) => {
    if (list) return say(libraries.map(({ name, protocol }) => `${name}\t${protocol}`).join("\n"));
    const { found, missing } = isQuick
      ? { found: [thisNode], missing: [] }
      : chooseRuntimes(runtime?.split(","));
    const results = await run(found, namesOf(only, isQuick), isQuick);
    printResults({ ...results, missing }, showsRows);
    if (only === undefined && runtime === undefined) writeReport({ ...results, missing }, !isQuick);
    return hasHeld(results) ? 0 : 1;
  },
);

async function run(
  runtimes: readonly Runtime[],
  names: readonly string[],
  isQuick: boolean,
): Promise<Omit<Results, "missing">> {
  const startedAt = performance.now();
  const redis = await startRedisServer();
  const databases = await startDatabases(
    new Set(libraries.filter(({ name }) => names.includes(name)).map(({ protocol }) => protocol)),
  );
  const chosen = { libraries: names, isQuick };
  const runs: Results["runs"][number][] = [];
  for (const [index, runtime] of runtimes.entries()) {
    const isFirst = index === 0;
    const alone: Mode[] = ["as is", "as documented", ...(isFirst ? (["control"] as const) : [])];
    const company: Mode[] = isQuick ? ["every classifier"] : ["as is", "every classifier"];
    // Each in a worker of its own: what cannot be followed in one row would put others in doubt.
    const groups: Group[] = [
      { rows: rowsAlone({ ...chosen, modes: alone }, databases) },
      { rows: rowsInCompany({ ...chosen, modes: company }, databases) },
      { rows: rowsOfNeighbours({ ...chosen, modes: ["as documented"] }), lanes: 2 },
      ...(isFirst
        ? [{ rows: rowsInCompany({ ...chosen, modes: ["old rule"] }, databases), build: oldRule() }]
        : []),
    ];
    runs.push({ runtime: runtime.name, ...(await runGroups(runtime, groups, redis)) });
  }
  await stopDatabases(databases);
  await redis.stop();
  return { runs, seconds: Math.round((performance.now() - startedAt) / 1_000) };
}

interface Group extends Partial<Pick<RunOptions, "build" | "lanes">> {
  readonly rows: readonly Row[];
}

async function runGroups(
  runtime: Runtime,
  groups: readonly Group[],
  redis: RedisServer,
): Promise<RuntimeRun> {
  const isNode = runtime.name.startsWith("node");
  const fitting = groups.map((group) => ({
    ...group,
    rows: group.rows.filter(({ isForNode = false }) => isNode || !isForNode),
  }));
  const progress = openProgress(runtime.name, fitting.flatMap(({ rows }) => rows).length);
  const ended: RuntimeRun[] = [];
  for (const { rows, build, lanes = LANES } of fitting) {
    if (rows.length > 0)
      ended.push(await runRows(runtime, rows, { redis, build, lanes, onEnd: progress.step }));
  }
  progress.end();
  return {
    ends: ended.flatMap(({ ends }) => ends),
    unloadable: Object.assign({}, ...ended.map(({ unloadable }) => unloadable)),
    uncaught: ended.flatMap(({ uncaught }) => uncaught),
  };
}

/** The folder of a build that believes a classifier, or a refused connection, whatever else was seen. */
function oldRule(): string {
  return join(install(withoutAgreement).directory, "dist");
}

function namesOf(only: string | undefined, isQuick: boolean): readonly string[] {
  const given = only?.split(",");
  const unknown = given?.find((name) => !libraries.some((library) => library.name === name));
  if (unknown !== undefined) throw new UsageError(`--only: there is no library "${unknown}"; see --list`);
  return given ?? libraries.filter((library) => !isQuick || library.isQuick).map(({ name }) => name);
}
