import type { Command, Option } from "commander";
import { expect, it } from "vitest";
import { wholeProgram } from "../../../src/edges/cli/main.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment } from "../../support/service.ts";

const UNKNOWN = "no-such-name";

/** What else a command needs to get as far as the name. */
const given: Readonly<Record<string, string>> = {
  reason: "tried",
  evidence: "looked",
  as: "done",
  payload: "1",
  at: "2100-01-01T00:00:00Z",
  everyMs: "60000",
  key: "k",
  column: "id",
  concurrency: "1",
  olderThan: "1d",
};

/** These need a name that is new, a file, a database or another Redis; or name what may have been there before. */
const left = new Set([
  ...["submit", "schedules put", "doubts import", "outbox parked", "outbox release", "import bullmq", "once"],
  ...["workers quiet", "workers wake"],
]);

function leaves(command: Command, path: readonly string[] = []): (readonly [readonly string[], Command])[] {
  return command.commands.flatMap((part) => {
    const at = [...path, part.name()];
    return part.commands.length > 0 ? leaves(part, at) : [[at, part] as const];
  });
}

/** The ways in which a command can be given a name that nobody knows. */
function callsWithUnknown([path, command]: readonly [readonly string[], Command]): string[][] {
  const options = (chosen?: Option) => [
    ...command.options
      .filter((one) => one !== chosen && needs(one, path))
      .flatMap((one) => [`--${one.name()}`, ...(one.required ? [given[one.attributeName()] ?? "1"] : [])]),
    ...(chosen === undefined ? [] : [`--${chosen.name()}`, UNKNOWN]),
  ];
  const named = command.registeredArguments.filter((one) =>
    ["name", "type", "receiver"].includes(one.name()),
  );
  const rest = command.registeredArguments.slice(1).map(() => "2");
  const known = command.registeredArguments.filter((one) => one.required).map(() => "default");
  return [
    ...named.map(() => [...path, UNKNOWN, ...rest, ...options()]),
    ...command.options
      .filter((one) => ["type", "queue"].includes(one.attributeName()))
      .map((one) => [...path, ...known, ...options(one)]),
  ];
}

function needs(option: Option, path: readonly string[]): boolean {
  if (option.mandatory || option.name() === "yes") return true;
  if (option.name() === "reason") return path[0] === "jobs" || path[1] === "skip";
  return option.name() === "concurrency" && path[0] === "queues";
}

it("ends any command with 2, as wrong usage, and says what is unknown", async () => {
  const env = testEnvironment();
  const commands = leaves(await wholeProgram()).filter(([path]) => !left.has(path.join(" ")));
  const calls = commands.flatMap(callsWithUnknown);
  expect(calls.length).toBeGreaterThan(20);

  for (const call of calls) {
    const { code, stderr } = await run(call, env);
    expect
      .soft({ code, stderr }, call.join(" "))
      .toEqual({ code: 2, stderr: expect.stringMatching(/no-such-name|declares no receiver/) });
  }
});
