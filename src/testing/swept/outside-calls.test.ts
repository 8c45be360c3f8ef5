import { channel } from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { repeatedCalls, repeatedEffects } from "../sweep-report.ts";
import type { OutsideCall, TraceLine } from "./orders.ts";
import { watchOutsideCalls } from "./outside-calls.ts";

const calls: OutsideCall[] = [];
watchOutsideCalls((call) => calls.push(call));

it("reports connections, requests of both kinds, and what code reports itself", async () => {
  const server = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  calls.length = 0;
  await fetch(`http://${address}/read?secret=1`);
  await fetch(`http://${address}/charges?secret=1`, { method: "POST" });
  await once(request(`http://${address}/mails?secret=1`, { method: "PUT", agent: false }).end(), "response");
  connect(Number(address.split(":")[1]), "localhost").destroy();
  channel("holdfast:outside-call").publish("wrote a file");

  const seen = new Set(calls.map(({ kind, text, isRead }) => `${kind} ${text} ${isRead ?? false}`));
  expect([...seen].sort()).toEqual([
    `connection connection to ${address} false`,
    `reported wrote a file false`,
    `request GET http://${address}/read true`,
    `request POST http://${address}/charges false`,
    `request PUT http://${address}/mails false`,
  ]);
});

it("counts what both workers did outside of effects, without reads, the store and what may be repeated", () => {
  const call = (kind: OutsideCall["kind"], text: string, address: string, more = {}): TraceLine => ({
    kind: "call",
    call: { kind, text, address },
    ...more,
  });
  const charge = call("request", "POST http://bank/charges", "bank:80");
  const mail = call("connection", "connection to mail:25", "mail:25");
  const both = [
    charge,
    call("connection", "connection to bank:80", "bank:80"),
    call("connection", "connection to 127.0.0.1:6379", "127.0.0.1:6379"),
    call("connection", "connection to database:5432", "database:5432"),
    call("connection", "connection to inside:1", "inside:1", { effect: "send" }),
  ];
  const uncounted = { storeUrl: "redis://localhost", mayRepeat: [/:5432$/] };

  expect(repeatedCalls([...both, charge], [...both, mail], uncounted)).toEqual([
    { call: "POST http://bank/charges", times: 3 },
  ]);
  const send: TraceLine = { kind: "effect", effect: "send" };
  expect(repeatedEffects([send], [send, { kind: "effect", effect: "other" }])).toEqual(["send"]);
});
