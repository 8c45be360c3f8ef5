import { createTransport } from "nodemailer";
import { describe, expect, it } from "vitest";
import { answered, connection, nothing, seen } from "../../test/support/seen.ts";
import { type SmtpScript, startScriptedSmtp } from "../../test/support/smtp-script.ts";
import { smtp } from "./index.ts";

const oneMail = seen(connection("tcp"));
const neverMade = seen({ ...connection("tcp", null), ended: "ECONNREFUSED" });
const forGood = { verdict: "not-done", permanent: true };

async function errorOf(url: string, options: object = {}): Promise<unknown> {
  const timeouts = { connectionTimeout: 2_000, greetingTimeout: 300, socketTimeout: 600 };
  const transport = createTransport({ url, ...timeouts, ...options });
  const mail = { from: "a@example.com", to: "b@example.com", subject: "hello", text: "hello" };
  return await transport.sendMail(mail).then(
    () => "sent",
    (error: unknown) => error,
  );
}

async function verdictOf(script: SmtpScript) {
  await using server = await startScriptedSmtp(script);
  return smtp(await errorOf(server.url), oneMail);
}

const startTls = { EHLO: "250-scripted\r\n250 STARTTLS" } as const;
const pipelining = { EHLO: "250-scripted\r\n250 PIPELINING" } as const;

describe.concurrent("nodemailer", () => {
  it.each<[string, SmtpScript]>([
    ["the greeting is 4xx", { greeting: "421 too busy" }],
    ["the greeting never comes", { greeting: "stall" }],
    ["the sender is refused for now", { MAIL: "451 try later" }],
    ["the recipient is refused for now", { RCPT: "450 greylisted" }],
    ["DATA is refused for now", { DATA: "451 try later" }],
    ["the message is refused for now", { message: "451 try later" }],
    ["the message is refused for now in a pipeline", { ...pipelining, message: "452 no room" }],
    ["TLS is refused", { ...startTls, STARTTLS: "454 not available" }],
  ])("has sent nothing if %s", async (_, script) => {
    expect(await verdictOf(script)).toBe("not-done");
  });

  it.each<[string, SmtpScript]>([
    ["the greeting", { greeting: "554 no service for you" }],
    ["the sender", { MAIL: "550 unknown sender" }],
    ["the recipient", { RCPT: "550 no such mailbox" }],
    ["DATA", { DATA: "554 no" }],
    ["the message", { message: "554 5.7.1 looks like spam" }],
  ])("has sent nothing, for good, if the answer to %s is 5xx", async (_, script) => {
    expect(await verdictOf(script)).toEqual(forGood);
  });

  it.each<[string, SmtpScript]>([
    ["is closed after the message", { message: "close" }],
    ["is reset after the message", { message: "reset" }],
    ["says nothing after the message", { message: "stall" }],
    ["says something meaningless after the message", { message: "354 go ahead" }],
    ["breaks off in its reply", { message: { brokenOff: "25" } }],
    ["is closed in the middle of the message", { content: "close" }],
    // nodemailer does not say that it was before the message.
    ["is closed in place of a reply to DATA", { DATA: "close" }],
  ])("may have sent the mail if the connection %s", async (_, script) => {
    expect(await verdictOf(script)).toBe("unknown");
  });

  it("has sent nothing if the login is refused or missing", async () => {
    await using server = await startScriptedSmtp({ EHLO: "250-scripted\r\n250 AUTH PLAIN", AUTH: "535 no" });
    expect(smtp(await errorOf(server.url.replace("//", "//user:password@")), oneMail)).toEqual(forGood);
  });

  it("has sent nothing if nobody listens, or the server has no name, unless there was another mail", async () => {
    const server = await startScriptedSmtp({});
    await server.stop();
    const errors = await Promise.all([errorOf(server.url), errorOf("smtp://mail.invalid")]);
    expect(errors.map((error) => smtp(error, neverMade))).toEqual(["not-done", "not-done"]);
    for (const sent of [oneMail, nothing])
      expect(errors.map((error) => smtp(error, sent))).toEqual(["unknown", "unknown"]);
  });
});

describe("a refused mail", () => {
  const refused = Object.assign(new Error("no"), {
    code: "EENVELOPE",
    responseCode: 550,
    command: "RCPT TO",
  });

  it("proves nothing where the effect sent another mail or a request", () => {
    expect(smtp(refused, seen(connection("tcp"), connection("tcp")))).toBe("unknown");
    expect(smtp(refused, seen(connection("tcp"), answered("POST", 200)))).toBe("unknown");
    const greeting = Object.assign(new Error("busy"), {
      code: "EPROTOCOL",
      responseCode: 421,
      command: "CONN",
    });
    const waiting = { ...connection("tcp", null), ended: null };
    expect(smtp(greeting, seen(connection("tcp"), waiting))).toBe("unknown");
    const slow = Object.assign(new Error("slow"), {
      code: "ETIMEDOUT",
      command: "CONN",
      timeoutType: "CONNECT_TIMEOUT",
    });
    expect(smtp(slow, seen(connection("tcp"), waiting))).toBe("unknown");
    expect(smtp(slow, seen(connection("tcp", null)))).toBe("not-done");
    expect(smtp(refused, { ...oneMail, isComplete: false })).toBe("unknown");
    expect(smtp(refused, nothing)).toBe("unknown");
  });

  it("is found inside of other errors; others are left to others", () => {
    expect(smtp(new Error("mail failed", { cause: refused }), oneMail)).toEqual(forGood);
    for (const other of [
      { code: "ETIMEDOUT" },
      { code: "EPIPE", command: { name: "get" } },
      new Error("x"),
      null,
    ])
      expect(smtp(other, nothing)).toBeUndefined();
  });
});
