import { readFileSync } from "node:fs";
import { lineAt } from "../../../src/platform/redis/lua/lua-syntax.ts";
import type { KeptMutant } from "../lib/kept.ts";
import { conditionsOfLua } from "./lua.ts";
import outside from "./outside.json" with { type: "json" };
import { conditionsOfTypeScript } from "./typescript.ts";

/** A part of a text, by its characters. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The code in which one condition is another, or one call is left out. */
export interface Mutant {
  /** From `src/` on. */
  readonly file: string;
  readonly line: number;
  readonly was: string;
  /** true, false or nothing. */
  readonly becomes: string;
  /** Of its place. */
  readonly id: string;
}

const ledger = "core/effect/ledger";
const add = "core/bullmq/add";

/** Whose conditions are changed, but for those of features that are no part of the exploration. */
const files = [
  ...["reserve", "commit", "release", "doubt", "left-open", "resolve", "run-over"].map(
    (name) => `${ledger}/${name}.lua`,
  ),
  ...["entries", "ledger", "pending-run"].map((name) => `${ledger}/${name}.lua`),
  ...["core/life/ledger-sweep.lua", "core/bullmq/claim/lease.lua", "core/bullmq/retry-failed-job.lua"],
  ...[`${add}/add-all.lua`, `${add}/place-job.lua`, "platform/redis/fitness/epoch.lua"],
  ...["core/bullmq/end/cancel.lua", "desk/jobs/retry-job.lua"],
  ...["reserve", "sweep"].map((name) => `guard/${name}.lua`),
  ...["act-once", "report-effect", "effects", "ledger/ledger"].map((name) => `core/effect/${name}.ts`),
  ...["core/bullmq/claim/lease.ts", "core/submit/submitter.ts"],
  ...["guard/run-call.ts", "guard/guarded-ledger.ts"],
];

const src = new URL("../../../src/", import.meta.url);

/** As it is kept before anything is known of it. */
export function rowOf({ file, line, was, becomes }: Mutant): KeptMutant {
  return { file, change: `${line} ${was} → ${becomes}`, outcome: "unreached", why: "" };
}

/** By feature, and the tests that try it, and by file: the changes. */
export type Changes = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** @returns what has a condition changed like this */
export function reasonIn(all: Changes, file: string, change: string): string | undefined {
  return Object.entries(all).find(([, files]) => files[file]?.includes(change) === true)?.[0];
}

/** Of which feature, that is no part of the exploration, this is. */
export function featureOf({ file, was, becomes }: Mutant): string | undefined {
  return reasonIn(outside, file, `${was} → ${becomes}`);
}

interface Read {
  readonly mutants: readonly Mutant[];
  /** In which each of these places says what it is, and is another on demand. */
  readonly text: string;
}

export function readMutants(): Map<string, Read> {
  return new Map(files.map((file) => [new URL(file, src).pathname, readFile(file)]));
}

function readFile(file: string): Read {
  const source = readFileSync(new URL(file, src), "utf8");
  const conditions = file.endsWith(".lua")
    ? conditionsOfLua(file, source)
    : conditionsOfTypeScript(file, source);
  const places = new Map<string, Span>();
  const found = new Map<string, Mutant>();
  for (const [span, becomes] of conditions) {
    const id = `${file}:${span.from}-${span.to}`;
    const was = source.slice(span.from, span.to).replace(/\s+/g, " ");
    places.set(id, span);
    found.set(`${id} ${becomes}`, { file, line: lineAt(source, span.from), was, becomes, id });
  }
  const calls = new Set(
    [...found.values()].filter(({ becomes }) => becomes === "nothing").map(({ id }) => id),
  );
  return { mutants: [...found.values()], text: noting(file, source, places, calls) };
}

function noting(
  file: string,
  source: string,
  places: ReadonlyMap<string, Span>,
  calls: ReadonlySet<string>,
): string {
  const put = new Map<number, string>();
  // Inner ones last: what stands at the same place is nested.
  const inner = [...places].sort(([, a], [, b]) => a.to - a.from - (b.to - b.from));
  for (const [id, { from, to }] of inner) {
    const [before, behind] = around(id, file.endsWith(".lua"), calls.has(id));
    put.set(from, before + (put.get(from) ?? ""));
    put.set(to, (put.get(to) ?? "") + behind);
  }
  let [text, last] = ["", 0];
  for (const [at, what] of [...put].sort(([a], [b]) => a - b)) {
    text += source.slice(last, at) + what;
    last = at;
  }
  return text + source.slice(last);
}

/** A call that is left out is asked for with true. On a connection that is not the explorer's, Lua's conditions are what they are. */
function around(id: string, isLua: boolean, isCall: boolean): [string, string] {
  if (isLua) return [`(redis.noted or unpack)({"${id}", (`, ")}, 2, 2)"];
  return isCall ? [`mutation.noted("${id}", true) && (`, ")"] : [`mutation.noted("${id}", (`, "))"];
}
