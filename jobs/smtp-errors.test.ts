import { once } from "node:events";
import { createServer } from "node:net";
import { NotDoneError } from "holdfast";
import { smtp } from "holdfast/evidence";
import { describe, expect, it, vi } from "vitest";
import { connection, seen } from "../test/support/seen.ts";
import { type SmtpScript, startScriptedSmtp } from "../test/support/smtp-script.ts";
import { createMailer } from "./mailer.ts";
import { type SmtpProgress, unlessBegun } from "./smtp-errors.ts";
import { composeWelcomeEmail } from "./welcome-email/compose.ts";

const message = composeWelcomeEmail({ email: "anoop@example.com", name: "Anoop", message: "Hello!" }, "key");

/** A silence is noticed sooner than in the mailer's own time. */
const patience = "?socketTimeout=2000";

/** Sends one mail. Resolves to what its failure means. */
async function outcomeOf(url: string, signal = new AbortController().signal) {
  const progress: SmtpProgress = { dataBegun: false };
  try {
    await unlessBegun(progress, createMailer(url, "holdfast@localhost").send(message, signal, progress));
    return "sent";
  } catch (error) {
    if (error instanceof NotDoneError)
      return error.code === "PERMANENT_FAILURE" ? "not-done, for good" : "not-done";
    const verdict = smtp(error, seen(connection("tcp")));
    // The core knows an abort as unknown.
    if (typeof verdict !== "object") return verdict ?? "unknown";
    return verdict.permanent === true ? `${verdict.verdict}, for good` : verdict.verdict;
  }
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const loginNeeded = { EHLO: "250-scripted\r\n250 AUTH PLAIN" } as const;
const pipelining = { EHLO: "250-scripted\r\n250 PIPELINING" } as const;
const startTls = { EHLO: "250-scripted\r\n250 STARTTLS" } as const;

// The first one lasts longest.
describe.concurrent("a delivery whose message was begun", () => {
  it("may or may not have been sent if the server says nothing after it, in the mailer's own time", async () => {
    await using server = await startScriptedSmtp({ message: "stall" });

    expect(await outcomeOf(server.url)).toBe("unknown");
  });

  it.each<[string, SmtpScript]>([
    ["4xx", { message: "451 try later" }],
    ["421 and the end of the connection", { message: "421 shutting down" }],
    ["4xx in a pipeline", { ...pipelining, message: "452 no room" }],
  ])("was not sent if the server answers %s", async (_, script) => {
    await using server = await startScriptedSmtp(script);

    expect(await outcomeOf(server.url)).toBe("not-done");
  });

  it.each<[string, SmtpScript]>([
    ["closes the connection after it", { message: "close" }],
    ["resets the connection after it", { message: "reset" }],
    ["says something meaningless after it", { message: "354 go ahead" }],
    ["breaks off in its reply", { message: { brokenOff: "25" } }],
    ["breaks off in its refusal, before that is clear", { message: { brokenOff: "55" } }],
    ["closes the connection in the middle of it", { content: "close" }],
    ["resets the connection in the middle of it", { content: "reset" }],
    ["says nothing after it, in a pipeline", { ...pipelining, message: "stall" }],
  ])("may or may not have been sent if the server %s", { timeout: 20_000 }, async (_, script) => {
    await using server = await startScriptedSmtp(script);

    expect(await outcomeOf(`${server.url}${patience}`)).toBe("unknown");
  });

  it("may or may not have been sent if it was aborted after that", async () => {
    await using server = await startScriptedSmtp({ message: "stall" });

    const abort = new AbortController();
    const outcome = outcomeOf(server.url, abort.signal);

    await vi.waitFor(() => expect(server.received).toHaveLength(1), 5_000);
    abort.abort();

    expect(await outcome).toBe("unknown");
  });

  it("was sent if the server answers 250", async () => {
    await using server = await startScriptedSmtp({});

    expect(await outcomeOf(server.url)).toBe("sent");
    expect(server.received).toEqual([expect.stringContaining(message.messageId)]);
  });
});

describe.concurrent("a delivery that fails before the message was begun has sent nothing", () => {
  it.each<[string, SmtpScript]>([
    ["the connection is closed in place of a greeting", { greeting: "close" }],
    ["the connection is reset in place of a greeting", { greeting: "reset" }],
    ["the greeting never comes", { greeting: "stall" }],
    ["the greeting refuses for now", { greeting: "421 too busy" }],
    ["the greeting is no SMTP", { greeting: "200 OK" }],
    ["the reply to EHLO never comes", { EHLO: "stall" }],
    ["EHLO is refused for now", { EHLO: "421 too busy" }],
    ["STARTTLS is refused", { ...startTls, STARTTLS: "454 not available" }],
    ["the connection is lost in the TLS handshake", { ...startTls, STARTTLS: { brokenOff: "220 go\r\n" } }],
    ["the sender is refused for now", { MAIL: "451 try later" }],
    ["the recipient is refused for now", { RCPT: "450 greylisted" }],
    ["the reply to the recipient never comes", { RCPT: "stall" }],
    ["the connection is closed in place of a reply to DATA", { DATA: "close" }],
    ["the connection is reset in place of a reply to DATA", { DATA: "reset" }],
    ["the reply to DATA never comes", { DATA: "stall" }],
    ["DATA is refused for now", { DATA: "451 try later" }],
    ["DATA is refused for now in a pipeline", { ...pipelining, DATA: "451 try later" }],
    ["the recipient is refused in a pipeline", { ...pipelining, RCPT: "450 greylisted" }],
  ])("if %s", async (_, script) => {
    await using server = await startScriptedSmtp(script);

    expect(await outcomeOf(`${server.url}${patience}`)).toBe("not-done");
    expect(server.received.filter((mail) => mail !== "")).toEqual([]);
  });

  it("if nobody listens", async () => {
    expect(await outcomeOf(`smtp://127.0.0.1:${await closedPort()}`)).toBe("not-done");
  });

  it("if the server's name does not exist", async () => {
    expect(await outcomeOf("smtp://mail.invalid")).toBe("not-done");
  });

  it("if the login is refused for now", async () => {
    await using server = await startScriptedSmtp({ ...loginNeeded, AUTH: "454 try later" });

    expect(await outcomeOf(server.url.replace("//", "//user:password@"))).toBe("not-done");
  });

  it("if it was aborted before that", async () => {
    await using server = await startScriptedSmtp({ DATA: "stall" });
    const abort = new AbortController();
    const outcome = outcomeOf(server.url, abort.signal);

    await vi.waitFor(() => expect(server.commands).toContain("DATA"), 5_000);
    abort.abort();

    expect(await outcome).toBe("not-done");
  });
});

describe.concurrent("a delivery that is refused with 5xx is refused for good", () => {
  it.each<[string, SmtpScript]>([
    ["as a client", { greeting: "554 no service for you" }],
    ["as a sender", { MAIL: "550 unknown sender" }],
    ["for its recipient", { RCPT: "550 no such mailbox" }],
    ["for its recipient, in a pipeline", { ...pipelining, RCPT: "550 no such mailbox" }],
    ["at DATA", { DATA: "554 no" }],
    ["for its content", { message: "554 5.7.1 looks like spam" }],
    ["for its content, over several lines", { message: "554-5.7.1 looks\r\n554 5.7.1 like spam" }],
    ["for its content, before the line broke off", { message: { brokenOff: "554 5.7.1 looks like" } }],
  ])("%s", async (_, script) => {
    await using server = await startScriptedSmtp(script);

    expect(await outcomeOf(server.url)).toBe("not-done, for good");
  });

  it("for its login", async () => {
    await using server = await startScriptedSmtp({ ...loginNeeded, AUTH: "535 bad password" });

    expect(await outcomeOf(server.url.replace("//", "//user:password@"))).toBe("not-done, for good");
  });
});
