import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createVitest } from "vitest/node";
import { say } from "../../../test/support/command.ts";
import { type KeptMutant, renewed } from "../lib/kept.ts";
import { featureOf, type Mutant, readMutants, rowOf } from "./places.ts";
import { judged } from "./reasons.ts";

const checkout = new URL("../../../", import.meta.url).pathname;

/** Of one file, and its whole name there; a file alone is all of its tests. */
interface NamedTest {
  readonly file: string;
  readonly name?: string;
}

/** What is between a test's file and its name. */
const IN = ": ";
/** A change may leave a test waiting. */
const TEST_MS = 40_000;

/**
 * Runs the tests that are named for what no scenario notices, or has, with each of these changes in the code. What one of them has noticed
 * before, it has to notice again.
 *
 * @param files all where there are none
 * @param keep called with each that a scenario could have; `made` has a row for each of those
 */
export async function tryTests(
  files: readonly string[],
  keep: (made: readonly KeptMutant[], row: KeptMutant) => void,
): Promise<readonly KeptMutant[]> {
  const mutants = [...readMutants().values()].flatMap((read) => read.mutants);
  const inScope = mutants.filter((mutant) => featureOf(mutant) === undefined);
  const made = inScope.map(rowOf);
  const known = new Map(renewed(made).map((row, at) => [inScope[at], row]));
  const chosen = [...inScope, ...mutants.filter((one) => !known.has(one))].filter(
    (one) =>
      !/killed|equivalent/.test(known.get(one)?.outcome ?? "") &&
      (files.length === 0 || files.some((file) => one.file.endsWith(file))),
  );
  const tried: KeptMutant[] = [];
  const copy = copyCheckout();
  try {
    const tests = await openTests(copy);
    for (const mutant of chosen) {
      const row = await tryMutant(tests, mutant, known.get(mutant));
      tried.push(row);
      if (known.has(mutant)) keep(made, row);
      say(`${row.outcome} ${row.file}:${row.change} ${row.why}`);
    }
    await tests.close();
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return tried;
}

async function tryMutant(tests: Tests, mutant: Mutant, known: KeptMutant | undefined): Promise<KeptMutant> {
  const judgement = judged(rowOf(mutant));
  if (judgement.outcome === "equivalent") return judgement;
  const why = featureOf(mutant) ?? judgement.why;
  const before = known?.outcome === "tested" ? [testIn(known.why)] : [];
  const failing = await tests.failingWith(mutant, [...before, ...filesIn(why).map((file) => ({ file }))]);
  return failing === undefined
    ? { ...judgement, why }
    : { ...rowOf(mutant), outcome: "tested", why: `${failing.file}${IN}${failing.name}` };
}

/** As Vitest finds them. */
function filesIn(reason: string): readonly string[] {
  return reason.match(/[\w/-]*\.test\.ts/g) ?? [];
}

function testIn(why: string): NamedTest {
  const [file = "", ...name] = why.split(IN);
  return { file, name: name.join(IN) };
}

function copyCheckout(): string {
  const copy = mkdtempSync(path.join(tmpdir(), "holdfast-mutants-"));
  const isCopied = (from: string) => !/^(\.git|node_modules)$/.test(path.relative(checkout, from));
  cpSync(checkout, copy, { recursive: true, filter: isCopied });
  symlinkSync(path.join(checkout, "node_modules"), path.join(copy, "node_modules"));
  return copy;
}

type Tests = Awaited<ReturnType<typeof openTests>>;

/** One Vitest for all: it keeps its servers, and what it has made of files that stay as they are. */
async function openTests(root: string) {
  process.chdir(root);
  const vitest = await createVitest("test", {
    ...{ root, watch: false, bail: 1, reporters: [{}], maxWorkers: 1, testTimeout: TEST_MS },
    // Another process for each run: many keys are named for it.
    isolate: true,
  });
  await vitest.standalone();
  const green = new Map<string, boolean>();

  /** @returns the first test that fails; what is wrong outside of tests says nothing */
  const run = async ({ file, name }: NamedTest): Promise<NamedTest | undefined> => {
    if (name === undefined) vitest.resetGlobalTestNamePattern();
    else vitest.setGlobalTestNamePattern(name.replaceAll(" > ", " ").replace(/\W/g, "\\$&"));
    const specifications = await vitest.globTestSpecifications([file]);
    const { testModules } = await vitest.runTestSpecifications(specifications);
    // Vitest also returns what has failed in runs before.
    const own = testModules.filter(({ moduleId }) => specifications.some((one) => one.moduleId === moduleId));
    const [failed] = own.flatMap((one) => [...one.children.allTests("failed")]);
    return failed && { file: failed.module.relativeModuleId, name: failed.fullName };
  };
  /** One failure may be a busy machine's: the same test has to fail again. */
  const failureIn = async (test: NamedTest): Promise<NamedTest | undefined> => {
    const failing = await run(test);
    return failing && (await run(failing));
  };
  const isGreen = async (test: NamedTest): Promise<boolean> => {
    const key = `${test.file}${IN}${test.name}`;
    if (!green.has(key)) green.set(key, (await failureIn(test)) === undefined);
    if (green.get(key) !== true) say(`${key} fails without the change, too`);
    return green.get(key) === true;
  };

  /** Tries one after the other. What the mutant makes of its file is there only meanwhile. */
  const failingWith = async (mutant: Mutant, named: readonly NamedTest[]): Promise<NamedTest | undefined> => {
    const file = path.join(root, "src", mutant.file);
    const source = readFileSync(file, "utf8");
    for (const test of named) {
      if (!(await isGreen(test))) continue;
      try {
        writeFileSync(file, changed(source, mutant));
        vitest.invalidateFile(file);
        const failing = await failureIn(test);
        if (failing !== undefined) return failing;
      } finally {
        writeFileSync(file, source);
        vitest.invalidateFile(file);
      }
    }
    return undefined;
  };
  return { failingWith, close: () => vitest.close() };
}

function changed(source: string, { id, becomes }: Mutant): string {
  const [from, to] = id
    .slice(id.lastIndexOf(":") + 1)
    .split("-")
    .map(Number);
  return source.slice(0, from) + (becomes === "nothing" ? "undefined" : becomes) + source.slice(to);
}
