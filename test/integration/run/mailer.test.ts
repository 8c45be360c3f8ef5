import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { createMailer, mailer } from "../../../jobs/mailer.ts";
import { composeWelcomeEmail } from "../../../jobs/welcome-email/compose.ts";

const payload = { email: "anoop@example.com", name: "Anoop", message: "Congratulations!" };
const message = composeWelcomeEmail(payload, "job-1");
const never = new AbortController().signal;

afterEach(() => {
  vi.unstubAllEnvs();
});

async function runningMailbox() {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
  const mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
  onTestFinished(async () => {
    await mailbox.stop();
    await rm(directory, { recursive: true });
  });
  const mails = async () => {
    const files = (await readdir(directory)).sort();
    return Promise.all(files.map(async (name) => simpleParser(await readFile(join(directory, name)))));
  };
  return { mailbox, mails };
}

/** A mail server that accepts the connection and then says nothing. */
async function silentServer() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `smtp://127.0.0.1:${port}`, server };
}

describe("the mailer", () => {
  it("sends one mail to the server and from the sender in the environment", async () => {
    const { mailbox, mails } = await runningMailbox();
    // As the mailbox of development names itself.
    vi.stubEnv("SMTP_URL", `${mailbox.smtpUrl}#${mailbox.pageUrl}`);
    vi.stubEnv("MAIL_FROM", "Sender <sender@example.com>");

    const { messageId } = await mailer.send(message, never);

    const [mail, ...others] = await mails();
    expect(others).toEqual([]);
    expect(messageId).toBe(mail?.messageId);
    expect(mail?.subject).toBe("Welcome, Anoop");
    expect(mail?.from?.value).toEqual([{ name: "Sender", address: "sender@example.com" }]);
  });

  it("names the missing variable if there is no mail server", async () => {
    vi.stubEnv("SMTP_URL", "");

    await expect(mailer.send(message, never)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("SMTP_URL"),
    });
  });

  it("closes its connection when the signal aborts", async () => {
    const { url, server } = await silentServer();
    const abort = new AbortController();
    const connection = once(server, "connection");
    const sending = createMailer(url, "Holdfast <holdfast@localhost>").send(message, abort.signal);
    sending.catch(() => {});
    const [socket] = await connection;

    abort.abort();

    await expect(sending).rejects.toMatchObject({ code: "EABORT" });
    await once(socket.resume(), "close");
  });

  it("sends nothing when the signal was aborted before", async () => {
    const { mailbox, mails } = await runningMailbox();

    const sending = createMailer(mailbox.smtpUrl, "holdfast@localhost").send(message, AbortSignal.abort());

    await expect(sending).rejects.toMatchObject({ code: "EABORT" });
    expect(await mails()).toEqual([]);
  });

  it("never reads a file or an address instead of a text", async () => {
    const { mailbox } = await runningMailbox();
    const smuggled = { ...message, text: { path: "/etc/hostname" } as unknown as string };

    const sending = createMailer(mailbox.smtpUrl, "holdfast@localhost").send(smuggled, never);

    await expect(sending).rejects.toThrow("File access rejected");
  });
});
