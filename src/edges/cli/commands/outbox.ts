import type { Command } from "commander";
import { counted } from "../../../desk/counted.ts";
import type { Shown } from "../../../desk/operations/operation.ts";
import { outboxOperations } from "../../../desk/operations/outbox.ts";
import type { Mending, OutboxOperator, ParkedRow } from "../../../desk/outbox/outbox-operator.ts";
import type { OutboxDepth } from "../../../desk/outbox/read-outbox.ts";
import { readSettings } from "../../../platform/config/settings.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { addOperationCommand } from "../operation-command.ts";
import { readJson, readSource } from "../option-values.ts";
import { type ConsentOptions, isConfirmed, requireConsent } from "../screen/confirm.ts";
import { type Json, print, printOutcome } from "../screen/output.ts";
import { listText } from "../screen/table.ts";
import { type Lines, toned } from "../screen/text.ts";

export function addOutboxCommands(program: Command): void {
  const outbox = program
    .command("outbox")
    .description("set up the outbox in PostgreSQL, see what waits in it, and release parked rows");
  outbox
    .command("init")
    .description("print the migration of the outbox's table, for PostgreSQL 13 and later")
    .option("--apply", "run it in the database of DATABASE_URL; a second time changes nothing")
    .action(init);
  addOperationCommand(outbox, "show", outboxOperations.outbox, {
    description:
      "show how many rows wait and are parked, how long the oldest has waited, and how many relays run",
    describe: describeDepth,
  });
  addOperationCommand(outbox, "parked", outboxOperations.parkedRows, {
    description: "list rows that cannot be accepted as they are, each with its problem",
    flags: { code: "--code <code>", type: "--type <type>", after: "--after <id>" },
    describe: ({ rows }) => describeParked(rows),
  });
  outbox
    .command("release")
    .description("let a relay submit parked rows as if they were new, one of them perhaps mended")
    .argument("[id]", "the row")
    .option("--code <code>", "instead of an id: all rows that were parked with this code")
    .option(
      "--payload <json|@file|->",
      "replaces the row's payload: JSON, @ and a file with it, or - for standard input",
    )
    .option("--type <type>", "replaces the row's job type")
    .option("--key <key>", "replaces the row's idempotency key")
    .option(
      "--options <json|@file|->",
      "replaces the row's options, all of them: a JSON object as in POST /jobs",
    )
    .option("--reason <text>", "kept in the audit log")
    .option("--json", "print the answer as JSON")
    .addHelpText(
      "after",
      `
Examples:
  holdfast outbox release 1042 --payload @mended.json --reason "the address was missing"
  holdfast outbox release 1042 --options '{"priority":3}'
  holdfast outbox release --code UNKNOWN_JOB_TYPE   # after the relays were deployed`,
    )
    .action(release);
  outbox
    .command("discard")
    .description("delete parked rows: their jobs will not exist")
    .argument("[id]", "the row")
    .option("--code <code>", "instead of an id: all rows that were parked with this code; asks first")
    .option("--reason <text>", "kept in the audit log; needed for many")
    .option("--yes", "do not ask")
    .option("--json", "print the answer as JSON")
    .action(discard);
}

async function withOutbox<T>(use: (outbox: OutboxOperator) => Promise<T>): Promise<T> {
  return await withOperator(({ outbox }) => use(outbox));
}

async function init({ apply }: { readonly apply?: true }): Promise<void> {
  const { outboxMigration } = await import("../../../roles/outbox/table.ts");
  if (apply === undefined) {
    process.stdout.write(outboxMigration);
    return;
  }
  const { migrate } = await import("../../../roles/outbox/database.ts");
  const { DATABASE_URL: url } = readSettings();
  if (url === undefined) throw usage("--apply: DATABASE_URL is not set");
  await migrate(url);
  print("the database has an outbox; start a relay: holdfast relay");
}

function describeDepth({ waiting, parked, oldestWaitingMs, relays }: OutboxDepth): Lines {
  const age = waiting === 0 ? "" : `, the oldest for ${durationText(oldestWaitingMs)}`;
  return [
    [`waiting  ${waiting}${age}`],
    ["parked   ", parked === 0 ? "0" : toned(String(parked), "warning")],
    ["relays   ", relays === 0 ? toned("none: no row is submitted until one runs", "bad") : String(relays)],
  ];
}

const describeParked = listText<Shown<ParkedRow>>("no row is parked", [
  ["id", ({ id }) => id],
  ["type", ({ type }) => type],
  ["key", ({ idempotencyKey }) => idempotencyKey],
  ["parked", ({ parkedAt }) => parkedAt, 1],
  ["behind", ({ behind }) => behind || null, 2],
  ["code", ({ problem }) => toned(problem.code, "bad")],
  [
    "problem",
    ({ problem }) => problem.message + (problem.isAgain ? " (parked again: it was released before)" : ""),
  ],
]);

interface ReleaseOptions extends Json {
  readonly code?: string;
  readonly payload?: string;
  readonly type?: string;
  readonly key?: string;
  readonly options?: string;
  readonly reason?: string;
}

interface DiscardOptions extends ConsentOptions {
  readonly code?: string;
  readonly reason?: string;
}

async function discard(id: string | undefined, options: DiscardOptions): Promise<void> {
  const { code, reason, yes, json } = options;
  if ((id === undefined) === (code === undefined)) throw usage("expected either an id or --code");
  const act = { by: username(), reason };
  if (id !== undefined) {
    await withOutbox((calls) => calls.discard(id, act));
    printOutcome(json, { id }, `deleted row ${id}`);
    return;
  }
  if (code === undefined) return;
  if (reason === undefined) throw usage("--reason: expected why, for many rows");
  requireConsent(options);
  const question = `Delete all rows that were parked with ${code}? Their jobs will never exist.`;
  if (!yes && !(await isConfirmed(question, "nothing was changed"))) return;
  const discarded = await withOutbox((calls) => calls.discardAll(code, act));
  printOutcome(json, { discarded }, `deleted ${counted(discarded, "row")}`);
}

const MENDING = ["payload", "type", "key", "options"] as const;

async function release(id: string | undefined, options: ReleaseOptions): Promise<void> {
  const { code, reason, json } = options;
  const act = { by: username(), reason };
  if ((id === undefined) === (code === undefined)) throw usage("expected either an id or --code");
  if (code !== undefined) {
    const given = MENDING.filter((name) => options[name] !== undefined);
    if (given.length > 0) throw usage(`--${given.join(", --")}: expected an id, got --code`);
    const released = await withOutbox((calls) => calls.releaseAll(code, act));
    printOutcome(json, { released }, `released ${counted(released, "row")}`);
    return;
  }
  if (id === undefined) return;
  const mending = await readMending(options);
  await withOutbox((calls) => calls.release(id, mending, act));
  printOutcome(json, { id }, `released row ${id}`);
}

async function readMending({ payload, type, key, options }: ReleaseOptions): Promise<Mending> {
  if (payload === "-" && options === "-")
    throw usage("--payload, --options: expected one of them from standard input");
  return {
    type,
    idempotencyKey: key,
    ...(payload !== undefined && { payload: readJson("--payload", await readSource("--payload", payload)) }),
    ...(options !== undefined && { options: await readOptions(options) }),
  };
}

async function readOptions(source: string): Promise<Readonly<Record<string, unknown>>> {
  const options = readJson("--options", await readSource("--options", source));
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return { ...options };
  throw usage("--options: expected a JSON object");
}
