import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { NoticeOperator, NoticesView, SentNotice } from "../../../desk/notices/notice-operator.ts";
import { noticeOperations } from "../../../desk/operations/notices.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { addOperationCommand } from "../operation-command.ts";
import { type Json, printError, printOutcome } from "../screen/output.ts";
import { listText } from "../screen/table.ts";
import { type Lines, linesOf, toned } from "../screen/text.ts";

export function addNoticesCommands(program: Command): void {
  const notices = program
    .command("notices")
    .description("see who is told what needs a person, and try whether it gets there");
  addOperationCommand(notices, "list", noticeOperations.notices, {
    description: "list who is told, what needs a person now, and what was sent",
    describe,
  });
  notices
    .command("test")
    .description("send a test to each receiver, as a worker delivers every notice, and wait for it")
    .argument("[receiver]", "only this one")
    .option("--json", "print one JSON object a line")
    .action(test);
}

function describe({ receivers, open, sent }: NoticesView): Lines {
  const told = listText<NoticesView["receivers"][number]>(
    "nobody is told: declare notices in holdfast.config.ts",
    [
      ["receiver", ({ name }) => name],
      ["by", ({ by }) => by],
      ["of", ({ kinds }) => kinds.join(", ")],
    ],
  );
  const none = receivers.length === 0 ? "nothing is looked for" : "nothing needs a person now";
  const now = listText<NoticesView["open"][number]>(none, [
    ["since", ({ since }) => since],
    ["told", ({ toldAt }) => toldAt ?? "not yet"],
    ["what", ({ title }) => toned(title, "bad")],
  ]);
  return [...linesOf(told(receivers)), [""], ...linesOf(now(open)), [""], ...linesOf(describeSent(sent))];
}

const describeSent = listText<SentNotice>("nothing was sent", [
  ["noticed", ({ at }) => at],
  ["to", ({ receiver }) => receiver],
  [
    "state",
    ({ state }) => (state === "delivered" ? state : toned(state, state === "failed" ? "bad" : "warning")),
  ],
  ["tries", ({ attempts }) => attempts, 1],
  ["what", ({ title }) => title],
  ["why not", ({ error }) => error ?? ""],
]);

const WAIT_MAX_MS = 30_000;
const LOOK_EVERY_MS = 200;

async function test(receiver: string | undefined, options: Json): Promise<void> {
  await withOperator(async ({ notices }) => {
    const submitted = await notices.test(receiver, { by: username() });
    const ids = new Set(submitted.map(({ id }) => id));
    const results = await untilTried(notices, ids);
    for (const result of results) printOutcome(options.json, result, resultText(result));
    const others = ids.size - results.filter(({ state }) => state === "delivered").length;
    if (others === 0) return;
    process.exitCode = exitCode.failed;
    printError(`${others} of ${ids.size} did not get it; what becomes of it: holdfast notices list`);
  });
}

/** Until each was tried once: a worker goes on trying. */
async function untilTried(notices: NoticeOperator, ids: ReadonlySet<string>): Promise<SentNotice[]> {
  for (const end = performance.now() + WAIT_MAX_MS; ; ) {
    const found = (await notices.read(200)).sent.filter(({ id }) => ids.has(id));
    const isOver =
      found.length === ids.size && found.every(({ state, attempts }) => state !== "waiting" || attempts > 0);
    if (isOver || performance.now() > end) return found;
    await sleep(LOOK_EVERY_MS);
  }
}

function resultText({ receiver, state, attempts, error }: SentNotice): string {
  if (state === "delivered") return `${receiver}: delivered`;
  if (attempts === 0)
    return `${receiver}: no worker has tried it within ${WAIT_MAX_MS / 1_000} s: does one run?`;
  return `${receiver}: ${error ?? "not delivered"}`;
}
