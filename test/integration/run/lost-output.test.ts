import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import { application, echo } from "../../support/application.ts";
import { BIN, CONFIG, type Ended, launch, withProcesses } from "../../support/processes.ts";
import { createService } from "../../support/service.ts";

const parts: (() => Promise<void>)[] = [];
const service = createService(application, {}, (stop) => parts.push(stop));

beforeAll(async () => {
  const producer = await service.createProducer();
  await producer.submit(echo, 1, { idempotencyKey: "printed" });
  return async () => {
    for (const stop of parts) await stop();
  };
});

/** Runs a command whose standard output nobody reads, as after `| head`. */
function runUnread(args: readonly string[]): Promise<Ended> {
  const command = launch(args, service.env);
  command.closeStdout();
  return command.ended;
}

/** Runs a command on a full disk. */
async function runOnFullDisk(args: readonly string[]): Promise<Pick<Ended, "code" | "stderr">> {
  const shell = spawn("sh", ["-c", '"$@" > /dev/full', "sh", process.execPath, BIN, ...args], {
    env: { PATH: process.env.PATH, HOLDFAST_CONFIG: CONFIG, ...service.env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  shell.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = await once(shell, "close");
  return { code, stderr };
}

describe("a command whose output nobody reads", withProcesses, () => {
  it("ends quietly, also one that would go on until it is stopped", async () => {
    const commands = [
      ["jobs", "export"],
      ["jobs", "list"],
      ["overview", "--watch"],
    ];
    for (const { code, stderr } of await Promise.all(commands.map(runUnread)))
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("a command whose output cannot be written", withProcesses, () => {
  it("fails with one line that says so", async () => {
    const commands = [["jobs", "export"], ["overview"], ["overview", "--watch"], ["--help"]];
    for (const { code, stderr } of await Promise.all(commands.map(runOnFullDisk)))
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: "The output cannot be written: ENOSPC: no space left on device, write\n",
      });
  });
});

describe("a command at most once whose output is lost", withProcesses, () => {
  const onceFor = (key: string) => ["once", "dump", "--key", key, "--", "sh", "-c", "yes | head -n 300000"];

  it("ends by itself, and is done", async () => {
    expect(await runUnread(onceFor("unread"))).toMatchObject({ code: 0, stderr: "" });
    expect(await runOnFullDisk(onceFor("full"))).toEqual({
      code: 0,
      stderr: "The output cannot be written: ENOSPC: no space left on device, write\n",
    });
  });
});
