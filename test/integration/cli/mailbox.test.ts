import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { simpleParser } from "mailparser";
import { createTransport } from "nodemailer";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openMailDirectory } from "../../../dev/mailbox/mail-directory.ts";
import { type Mailbox, startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { composeWelcomeEmail } from "../../../jobs/welcome-email/compose.ts";

const megabyte = 1024 * 1024;
const from = "Holdfast <holdfast@localhost>";
const anoop = { email: "anoop@example.com", name: "Anoop", message: "Congratulations!" };

let directory: string;
let mailbox: Mailbox;

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "holdfast-mailbox-")), "mailbox");
  mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
});

afterEach(async () => {
  await mailbox.stop();
  await rm(join(directory, ".."), { recursive: true, force: true });
});

const send = (message: object, smtpUrl = mailbox.smtpUrl) =>
  createTransport(smtpUrl, { from }).sendMail(message);

async function keptFiles(): Promise<string[]> {
  return (await readdir(directory)).sort();
}

async function onlyMail() {
  const [name = "", ...others] = await keptFiles();
  expect(others).toEqual([]);
  return simpleParser(await readFile(join(directory, name)));
}

/** One raw HTTP exchange: path and headers are sent unchanged. */
async function get(path: string, { host, method = "GET" }: { host?: string; method?: string } = {}) {
  const { hostname, port, host: own } = new URL(mailbox.pageUrl);
  const outgoing = request({ hostname, port, path, method, headers: { host: host ?? own } }).end();
  const [response] = await once(outgoing, "response");
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** A hand-written SMTP client, for behaviour that good clients never show. */
async function dial() {
  const { hostname, port } = new URL(mailbox.smtpUrl);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let heard = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    heard += chunk;
  });
  const hears = (reply: RegExp) =>
    vi.waitFor(() => expect(heard).toMatch(reply), { timeout: 30_000, interval: 5 });
  await hears(/^220 /);
  return { socket, hears };
}

async function dialToData() {
  const client = await dial();
  client.socket.write("EHLO test\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
  await client.hears(/^354 /m);
  return client;
}

describe("mail that arrives", () => {
  it("is one file when the sender gets the acceptance", async () => {
    await send(composeWelcomeEmail(anoop, "job-1"));

    expect(await keptFiles()).toEqual([expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}\.eml$/)]);
    const mail = await onlyMail();
    expect(mail.to).toMatchObject({ value: [{ name: "Anoop", address: "anoop@example.com" }] });
    expect(mail.text).toContain("Congratulations!");
    expect(mail.messageId).toBe(composeWelcomeEmail(anoop, "job-1").messageId);
  });

  it("is kept as received, with dots at the start of a line", async () => {
    const { socket, hears } = await dialToData();

    socket.write("Subject: dots\r\n\r\n..one\r\n...two\r\n.\r\n");
    await hears(/^250 OK: stored as /m);
    socket.destroy();

    const [name = ""] = await keptFiles();
    expect(await readFile(join(directory, name), "utf8")).toBe("Subject: dots\r\n\r\n.one\r\n..two\r\n");
  });

  it("gives one file per message when many arrive at once", async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => send({ to: "a@example.com", subject: `mail ${index}` })),
    );

    const subjects = await Promise.all(
      (await keptFiles()).map(
        async (name) => (await simpleParser(await readFile(join(directory, name)))).subject,
      ),
    );
    expect(new Set(subjects)).toEqual(new Set(Array.from({ length: 30 }, (_, index) => `mail ${index}`)));
    expect(subjects).toHaveLength(30);
  });

  it.each([
    "Anoop\r\nBcc: victim@example.org",
    "Anoop\r\n\r\n<h1>body</h1>",
    "Anoop\u2028To: victim@example.org",
    "Anoop <victim@example.org>",
    '"Anoop" <victim@example.org>, "x',
    "victim@example.org, Anoop",
    "=?utf-8?Q?Anoop=0D=0ABcc:_victim@example.org?=",
    "\u202Egro.elpmaxe@mitciv",
    "👩‍👩‍👧".repeat(25),
    "A".repeat(200),
  ])("only goes to the intended person, under the name %j", async (name) => {
    const plain = await headerNamesOf({ ...anoop, name: "Anoop" });
    const hostile = await headerNamesOf({ ...anoop, name });

    expect(hostile).toEqual(plain);
    expect(await keptFiles()).toHaveLength(2);
  });

  async function headerNamesOf(payload: typeof anoop): Promise<string[]> {
    const { envelope } = await send(composeWelcomeEmail(payload, "job-1"));
    expect(envelope).toMatchObject({ to: ["anoop@example.com"] });
    const mail = await simpleParser(await readFile(join(directory, (await keptFiles()).at(-1) ?? "")));
    expect([mail.to].flat().map((list) => list?.value.map(({ address }) => address))).toEqual([
      ["anoop@example.com"],
    ]);
    return mail.headerLines.map(({ key }) => key);
  }
});

describe("mail that is refused leaves no file", () => {
  it("when its announced size is too large", async () => {
    const refused = send({ to: "a@example.com", text: "x".repeat(11 * megabyte) });

    await expect(refused).rejects.toMatchObject({ responseCode: 552 });
    expect(await keptFiles()).toEqual([]);
  });

  it("when it is too large without announcing it", async () => {
    const { socket, hears } = await dialToData();

    socket.write(`${`${"x".repeat(1022)}\r\n`.repeat(10 * 1024 + 1)}.\r\n`);

    await hears(/^552 /m);
    expect(await keptFiles()).toEqual([]);
    socket.destroy();
  });

  it("when the sender hangs up in the middle", async () => {
    const { socket } = await dialToData();

    socket.write("Subject: half\r\n\r\nhal");
    socket.destroy();

    await send({ to: "a@example.com", subject: "whole" });
    expect((await onlyMail()).subject).toBe("whole");
  });

  it("when it cannot be stored, and the sender may try again", async () => {
    await rm(directory, { recursive: true });

    await expect(send({ to: "a@example.com" })).rejects.toMatchObject({ responseCode: 450 });
  });
});

describe("starting and stopping", () => {
  it("uses other ports if the preferred ones are in use, and can share the directory", async () => {
    const [smtpPort, pagePort] = [mailbox.smtpUrl, mailbox.pageUrl].map((url) => Number(new URL(url).port));

    const other = await startMailbox({ directory, smtpPort: smtpPort ?? 0, pagePort: pagePort ?? 0 });

    expect(other.smtpUrl).not.toBe(mailbox.smtpUrl);
    expect(other.pageUrl).not.toBe(mailbox.pageUrl);
    await Promise.all([send({ to: "a@example.com" }), send({ to: "a@example.com" }, other.smtpUrl)]);
    expect(await keptFiles()).toHaveLength(2);
    expect(await (await fetch(other.pageUrl)).text()).toContain("2 mails.");
    await other.stop();
  });

  it("can be stopped twice, and then does not answer", async () => {
    await Promise.all([mailbox.stop(), mailbox.stop()]);
    await mailbox.stop();

    await expect(fetch(mailbox.pageUrl)).rejects.toThrow();
    await expect(send({ to: "a@example.com" })).rejects.toMatchObject({ code: "ESOCKET" });
  });

  it("does not wait for a client that never finishes its mail", async () => {
    const { socket, hears } = await dialToData();
    socket.write("Subject: half\r\n\r\nhal");

    await mailbox.stop();

    await hears(/^421 /m);
    socket.destroy();
    expect(await keptFiles()).toEqual([]);
  }, 30_000);

  it("finds the mails of an earlier run", async () => {
    await send({ to: "a@example.com", subject: "from before" });
    await mailbox.stop();

    mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });

    expect((await get("/")).body).toContain("from before");
  });
});

describe("the pages", () => {
  const hostile = "<script>alert(1)</script>";

  async function keepHostileMail(): Promise<string> {
    await send({
      to: { name: hostile, address: "a@example.com" },
      subject: hostile,
      text: hostile,
      html: hostile,
    });
    const [name = ""] = await keptFiles();
    return `/mails/${name.replace(".eml", "")}`;
  }

  it("show that there is no mail yet", async () => {
    expect(await get("/")).toMatchObject({ status: 200, body: expect.stringContaining("No mail yet.") });
  });

  it("list the newest mails first, at most 200 of them", async () => {
    const mails = await openMailDirectory(directory);
    for (let index = 0; index <= 200; index++)
      await mails.store(Buffer.from(`Subject: mail-${index}.\r\n\r\n`));

    const { body } = await get("/");

    const subjects = body.match(/mail-\d+\./g);
    expect(subjects).toHaveLength(200);
    expect(subjects?.slice(0, 2)).toEqual(["mail-200.", "mail-199."]);
    expect(body).toContain("The newest 200 of 201 mails.");
  });

  it("escape a mail's content, and show its HTML only in a sandboxed frame", async () => {
    const path = await keepHostileMail();

    for (const page of [await get("/"), await get(path)]) {
      // Its own, whose hash the policy has.
      expect(page.body.match(/<script/g)).toHaveLength(1);
      expect(page.body).not.toContain(hostile);
      expect(page.body).toContain("&#60;script&#62;");
      expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    }
    const frame = await get(`${path}/html`);
    expect(frame.body.trim()).toBe(hostile);
    expect(frame.headers["content-security-policy"]).toMatch(/^default-src 'none';.*; sandbox$/);
  });

  it("serve the raw message as plain text that no browser interprets", async () => {
    const path = await keepHostileMail();
    const [name = ""] = await keptFiles();

    const raw = await get(`${path}.eml`);

    expect(raw.body).toBe(await readFile(join(directory, name), "utf8"));
    expect(raw.headers).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    });
  });

  it.each([
    "/mails/../../../etc/passwd",
    "/mails/..%2f..%2fetc%2fpasswd",
    "/mails/%2e%2e/%2e%2e/secret.eml",
    "/mails/../secret.eml",
    "/mails/secret.eml",
    "/mails/20261124T140912123Z-00000000/../../secret.eml",
    "/mails/20261124T140912123Z-00000000.eml%00",
    "/mails/20261124T140912123Z-00000000.eml",
    "/mails/",
    "//",
    "/index.html",
    "*",
  ])("have no mail at %s", async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, headers: { "x-content-type-options": "nosniff" } });
  });

  it.each([
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "127.0.0.1:80/x",
  ])("are not shown under another host name: %j", async (host) => {
    expect(await get("/", { host })).toMatchObject({ status: 421 });
  });

  it("are shown under this machine's names", async () => {
    expect(await get("/", { host: "localhost:8025" })).toMatchObject({ status: 200 });
    expect(await get("/", { host: "127.0.0.1" })).toMatchObject({ status: 200 });
  });

  it("are read-only", async () => {
    expect(await get("/", { method: "POST" })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD" },
    });
    expect(await get("/", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });
});
