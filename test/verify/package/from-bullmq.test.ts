import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

/** What people set, and what they listen to. */
const declared = {
  options: [
    "interfaces/base-job-options",
    "types/job-options",
    "types/deduplication-options",
    "interfaces/worker-options",
    "interfaces/sandboxed-options",
    "interfaces/rate-limiter-options",
    "interfaces/metrics-options",
    "interfaces/advanced-options",
    "interfaces/queue-options",
    "interfaces/repeat-options",
    "interfaces/flow-job",
  ],
  events: ["classes/worker", "classes/queue", "classes/queue-events", "classes/flow-producer"],
};

/** The members of all interfaces and object types of a declaration file that a name fits. */
function membersOf(file: string, name: RegExp): string[] {
  const path = `node_modules/bullmq/dist/esm/${file}.d.ts`;
  const members: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isClassDeclaration(node)) return;
    if (ts.isInterfaceDeclaration(node) && !name.test(node.name.text)) return;
    // What a listener gets is no option.
    if (ts.isParameter(node)) return;
    if (ts.isPropertySignature(node) && !ts.isComputedPropertyName(node.name)) members.push(node.name.text);
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest));
  return members;
}

it("names every option and event of BullMQ", () => {
  const page = read("docs/from-bullmq.md").replaceAll(/^```.*?^```/gms, "");
  const named = new Set(
    [...page.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) => code.split(/[^\w:-]+|: /)),
  );
  const options = declared.options.flatMap((file) => membersOf(file, /./));
  const events = declared.events.flatMap((file) => membersOf(file, /Listener$/));

  expect(options.length).toBeGreaterThan(50);
  expect(events.length).toBeGreaterThan(30);
  expect([...new Set([...options, ...events])].filter((name) => !named.has(name))).toEqual([]);
});
