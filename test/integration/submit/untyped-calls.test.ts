import { HoldfastError } from "holdfast";
import { createClient } from "holdfast/client";
import { outbox } from "holdfast/postgres";
import { describe, expect, it } from "vitest";
import { application, echo } from "../../support/application.ts";
import { createService } from "../../support/service.ts";

const key = { idempotencyKey: "k" };
const parent = { job: echo, payload: 1, ...key };

type Method = (...given: readonly unknown[]) => unknown;
type Methods = Readonly<Record<string, Method>>;
/** As JavaScript sees it. */
const untyped = (of: object) => of as unknown as Methods;

async function open(): Promise<Readonly<Record<string, Methods>>> {
  const service = createService(application);
  const [{ url }, producer, operator] = await Promise.all([
    service.startApi(),
    service.createProducer(),
    service.createOperator(),
  ]);
  return {
    producer: untyped(producer),
    client: untyped(createClient({ url })),
    outbox: untyped(outbox),
    operator: untyped(operator),
    queues: untyped(operator.queues),
  };
}

const submits = [
  ["submit", [], "/(job|options)"],
  ["submit", [null, 1, key], "/job"],
  ["submit", [echo, 1], "/options"],
  ["submit", [echo, 1, null], "/options"],
  ["submit", [echo, 1, "k"], "/options"],
  ["submitMany", [echo], "/submissions"],
  ["submitMany", [echo, {}], "/submissions"],
  ["submitMany", [echo, [{ payload: 1, ...key }, null]], "/submissions/1"],
  ["submitFlow", [], "/"],
  ["submitFlow", [{}], "/parent"],
  ["submitFlow", [{ parent, children: [null] }], "/children/0"],
  ["submitFlow", [{ parent: { payload: 1, ...key }, children: [] }], "/(parent/)?job"],
] as const;

const calls = [
  ...submits.map((call) => ["producer", ...call] as const),
  ["outbox", "add", [], "/options"],
  ["outbox", "add", [{ query: async () => {} }, null, 1, key], "/job"],
  ["outbox", "sql", [echo, 1], "/options"],
  ["operator", "list", [], "/"],
  ["operator", "list", [{ limit: "5" }], "/limit"],
  ["operator", "doubts", [0, Number.NaN], "/limit"],
  ["operator", "auditTrail", [-1], "/limit"],
  ["operator", "auditEntries", [], "/limit"],
  ["operator", "guardedEffects", [{ limit: "5" }], "/limit"],
  ["operator", "history", [], "/"],
  ["operator", "acceptLoss", [], "/"],
  ["queues", "resume", ["default", { by: "ann", overMs: "10m" }], "/overMs"],
] as const;

const failureOf = async (call: () => unknown) => {
  try {
    await call();
    return "none";
  } catch (error) {
    return error instanceof HoldfastError ? `${error.code} ${error.message}` : error;
  }
};

describe("a call that the types refuse", () => {
  it("is refused by the name of what is wrong, and stores nothing", async () => {
    const owners = await open();

    for (const [owner, name, given, place] of calls)
      expect
        .soft(await failureOf(() => owners[owner]?.[name]?.(...given)), `${owner}.${name}, ${place}`)
        .toMatch(new RegExp(`^INVALID_REQUEST ${place}: `));

    expect(await owners.operator?.list?.({ limit: 10 })).toMatchObject({ jobs: [] });
  });

  it("is refused by the API where a client sends what is missing", async () => {
    const { client, operator } = await open();

    for (const [name, given] of submits.filter(([called]) => called !== "submitMany"))
      expect
        .soft(await failureOf(() => client?.[name]?.(...given)), `${name} ${given.length}`)
        .toMatch(/^(INVALID_REQUEST|IDEMPOTENCY_KEY_MISSING) /);
    const refused = [expect.objectContaining({ code: "INVALID_REQUEST" })];
    for (const given of [undefined, null, {}, [null]])
      expect.soft(await client?.submitMany?.(echo, given)).toEqual(refused);

    expect(await operator?.list?.({ limit: 10 })).toMatchObject({ jobs: [] });
  });

  it.each(["__proto__", "constructor"])(
    "has one code where a payload's member is called %s",
    async (name) => {
      const { client, producer, operator } = await open();
      const first = await producer?.submit?.(echo, 1, key);
      const payload: unknown = JSON.parse(`{"a":[{"${name}":1}]}`);
      const child = { name: "c", job: echo, payload, idempotencyKey: "c" };
      const again = { payload, idempotencyKey: "again", reason: "tried" };
      const { id } = first as { id: string };

      for (const [way, call] of [
        ["submit", () => producer?.submit?.(echo, payload, key)],
        ["submitFlow", () => producer?.submitFlow?.({ parent, children: [child] })],
        ["client", () => client?.submit?.(echo, payload, key)],
        ["client's again", () => client?.again?.(id, again)],
        ["again", () => operator?.again?.(id, { ...again, by: "ann" })],
      ] as const)
        expect
          .soft(await failureOf(call), way)
          .toMatch(new RegExp(`^INVALID_PAYLOAD .*/a/0/${name}: expected no`));
      expect(await producer?.submitMany?.(echo, [{ payload, ...key }])).toMatchObject([
        { code: "INVALID_PAYLOAD" },
      ]);
    },
  );

  it("names no job without an id", async () => {
    const { operator, client, producer } = await open();

    for (const of of [client, producer]) expect.soft(await of?.status?.()).toBeUndefined();
    for (const name of ["retry", "cancel", "resolve"])
      expect.soft(await failureOf(() => operator?.[name]?.()), name).toMatch(/^JOB_NOT_FOUND /);
  });

  it("makes no client without an address", async () => {
    expect(await failureOf(untyped({ createClient }).createClient ?? String)).toMatch(
      /^CONFIG_INVALID url: /,
    );
  });
});
