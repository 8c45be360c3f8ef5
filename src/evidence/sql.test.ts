import { describe, expect, it } from "vitest";
import { answered, connection, nothing, seen } from "../../test/support/seen.ts";
import { sql } from "./index.ts";

/** As pg 8.23.1 and postgres 3.4.9 throw them. */
const pgError = (code: string) => Object.assign(new Error("no"), { code, severity: "ERROR", routine: "x" });
/** As mysql2 3.24.6 throws them. */
const mysqlError = (errno: number, sqlState: string, fatal?: true) =>
  Object.assign(new Error("no"), {
    code: "ER_X",
    errno,
    sqlState,
    sqlMessage: "no",
    ...(fatal && { fatal }),
  });

const oneStatement = seen(connection("tcp"));
const neverMade = seen({ ...connection("tcp", null), ended: "ECONNREFUSED" });

describe("PostgreSQL", () => {
  it.each([
    ["a value that does not fit", "22001"],
    ["a constraint", "23505"],
    ["a transaction that failed before", "25P02"],
    ["a read-only transaction", "25006"],
    ["a refused login", "28P01"],
    ["a serialisation failure", "40001"],
    ["a deadlock", "40P01"],
    ["a syntax error", "42601"],
    ["a missing privilege", "42501"],
    ["too many connections", "53300"],
    ["a lock that is not available", "55P03"],
    ["a cancelled statement", "57014"],
    ["RAISE EXCEPTION", "P0001"],
  ])("has not done what it refused for %s", (_, code) => {
    expect(sql(pgError(code), oneStatement)).toBe("not-done");
    expect(sql(new Error("Failed query", { cause: pgError(code) }), seen(connection("tcp")))).toBe(
      "not-done",
    );
  });

  it.each([
    "08000",
    "08003",
    "08006",
    "08007",
    "08P01",
    "40003",
    "57P01",
    "57P02",
    "57P03",
    "58030",
    "XX000",
    "99999",
  ])("may have done what ended with %s", (code) => {
    expect(sql(pgError(code), oneStatement)).toBe("unknown");
  });

  it("may have done what ended with a lost connection", () => {
    const messages = ["Connection terminated unexpectedly", "Connection terminated", "Query read timeout"];
    for (const message of messages) expect(sql(new Error(message), nothing)).toBe("unknown");
    const closed = Object.assign(new Error("write CONNECTION_CLOSED"), { code: "CONNECTION_CLOSED" });
    expect(sql(closed, nothing)).toBe("unknown");
  });

  it("has not done what found no connection in the pool", () => {
    expect(sql(new Error("timeout exceeded when trying to connect"), neverMade)).toBe("not-done");
    expect(sql(new Error("Connection terminated due to connection timeout"), neverMade)).toBe("not-done");
  });
});

describe("MySQL", () => {
  it.each([
    ["a duplicate", 1062, "23000"],
    ["a syntax error", 1064, "42000"],
    ["a deadlock", 1213, "40001"],
    ["a lock that is not free", 1205, "HY000"],
    ["a check", 3819, "HY000"],
    ["SIGNAL", 1644, "45000"],
    ["a read-only server", 1290, "HY000"],
  ])("has not done what it refused for %s", (_, errno, state) => {
    expect(sql(mysqlError(errno, state), oneStatement)).toBe("not-done");
  });

  it("has done nothing for those it did not let in", () => {
    expect(sql(mysqlError(1045, "28000", true), oneStatement)).toBe("not-done");
    expect(sql(mysqlError(1040, "", true), neverMade)).toBe("not-done");
  });

  it.each([
    ["a failed commit", 1180, "HY000"],
    ["an unknown error", 1105, "HY000"],
    ["a server that stops", 1053, "08S01"],
    ["a killed statement", 1317, "70100"],
  ])("may have done what ended with %s", (_, errno, state) => {
    expect(sql(mysqlError(errno, state), oneStatement)).toBe("unknown");
  });

  it("may have done what ended with a lost connection", () => {
    for (const code of ["PROTOCOL_CONNECTION_LOST", "PROTOCOL_SEQUENCE_TIMEOUT"])
      expect(sql(Object.assign(new Error("lost"), { code, fatal: true }), nothing)).toBe("unknown");
  });
});

describe("a refused statement", () => {
  it("proves nothing where the effect sent something else", () => {
    expect(sql(pgError("23505"), seen(answered("POST", 200)))).toBe("unknown");
    expect(sql(pgError("23505"), seen(connection("tcp"), connection("tcp")))).toBe("unknown");
    expect(sql(pgError("23505"), { outgoing: [], isComplete: false })).toBe("unknown");
  });

  it("proves nothing where a pool sent it for somebody else", () => {
    expect(sql(pgError("23505"), nothing)).toBe("unknown");
    expect(sql(pgError("23505"), neverMade)).toBe("unknown");
  });

  it("may stand beside what only reads, or was never sent", () => {
    expect(
      sql(
        pgError("23505"),
        seen(answered("GET", 200), { ...connection("tcp", null), ended: "ECONNREFUSED" }, connection("tcp")),
      ),
    ).toBe("not-done");
  });
});

it("leaves the errors of others to others", () => {
  const codes = ["EPIPE", "ABORT_ERR", "23505"];
  for (const code of codes) expect(sql(Object.assign(new Error("x"), { code }), nothing)).toBeUndefined();
});
