import { setImmediate as endOfTurn } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { type Command, knowPipelines, PipelineParts } from "./pipelines.ts";

/** The commands of a pipeline, or of a transaction, as ioredis gives them to a node, one by one. */
function commandsOf(make: "pipeline" | "multi", commands: readonly string[][]): Command[] {
  const client = new Redis({ lazyConnect: true });
  knowPipelines(client);
  const given: Command[] = [];
  client.sendCommand = (command) => {
    given.push(command as Command);
    return command.promise;
  };
  void client[make](commands.map((command) => [...command])).exec();
  for (const { promise } of given) promise.catch(() => {});
  return given;
}

const TWO = [
  ["set", "{a}", "1"],
  ["wait", "1", "0"],
];
const closed = "Connection is closed.";

describe("the parts of a pipeline", () => {
  it.each([
    ["pipeline", 2],
    ["multi", 4],
  ] as const)("are whole once its last command is there: %s", async (make, count) => {
    const commands = commandsOf(make, TWO);
    const parts = new PipelineParts();
    expect(commands.map((command) => parts.add(command)?.length)).toEqual([
      ...Array.from({ length: count - 1 }, () => undefined),
      count,
    ]);
    const refused = commands.map(({ promise }) => promise);
    expect(await Promise.race([...refused, endOfTurn("none")])).toBe("none");
  });

  it("are refused where the last does not come in the same turn", async () => {
    const [first] = commandsOf("pipeline", TWO);
    expect(new PipelineParts().add(first as Command)).toBeUndefined();
    await expect(first?.promise).rejects.toThrow(closed);
  });

  it("are refused where the first did not come, and do not join the next pipeline", async () => {
    const [, orphan] = commandsOf("pipeline", TWO);
    const [begun] = commandsOf("pipeline", TWO);
    const next = commandsOf("pipeline", TWO);
    const parts = new PipelineParts();
    for (const command of [orphan, begun]) expect(parts.add(command as Command)).toBeUndefined();
    expect(next.map((command) => parts.add(command)?.length)).toEqual([undefined, 2]);
    for (const command of [orphan, begun]) await expect(command?.promise).rejects.toThrow(closed);
  });
});
