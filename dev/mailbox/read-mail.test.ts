import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MailDirectory, openMailDirectory } from "./mail-directory.ts";
import { openMail, summarizeMail } from "./read-mail.ts";

describe("reading a mail", () => {
  let directory: string;
  let mails: MailDirectory;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "holdfast-mail-"));
    mails = await openMailDirectory(directory);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const store = (...lines: string[]) => mails.store(Buffer.from(lines.join("\r\n")));

  it("finds sender, recipients, subject and text", async () => {
    const id = await store(
      "From: Holdfast <holdfast@localhost>",
      "To: a@example.com",
      "To: b@example.com",
      "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
      "Message-ID: <1@example.com>",
      "",
      "Hello",
    );

    const mail = await openMail(mails, id);

    expect(mail).toMatchObject({
      from: `"Holdfast" <holdfast@localhost>`,
      to: "a@example.com, b@example.com",
      subject: "Grüße",
    });
    expect(mail?.text?.trim()).toBe("Hello");
    expect(mail?.html).toBeUndefined();
    expect(mail?.headers).toContainEqual(["Message-ID", "<1@example.com>"]);
    expect(await summarizeMail(mails, id)).toMatchObject({
      subject: "Grüße",
      to: "a@example.com, b@example.com",
    });
  });

  it("does not convert text to HTML, or HTML to text", async () => {
    const id = await store("Content-Type: text/html", "", "<p>Hello</p>");

    const mail = await openMail(mails, id);

    expect(mail?.text).toBeUndefined();
    expect(mail?.html?.trim()).toBe("<p>Hello</p>");
  });

  it("names absent headers", async () => {
    const id = await store("X-Nothing: here", "", "");

    expect(await summarizeMail(mails, id)).toMatchObject({
      from: "(no sender)",
      to: "(no recipient)",
      subject: "(no subject)",
    });
  });

  it("shows even bytes that are not a mail", async () => {
    const headers = Array.from({ length: 3_000 }, (_, index) => `X-${index}: ${"x".repeat(500)}`);
    const id = await store(...headers, "", "");

    expect(await openMail(mails, id)).toMatchObject({ subject: "(not readable as a mail)", headers: [] });
  });

  it("returns undefined for an unknown mail", async () => {
    expect(await openMail(mails, "20261124T140912123Z-00000000")).toBeUndefined();
    expect(await summarizeMail(mails, "20261124T140912123Z-00000000")).toBeUndefined();
  });
});
