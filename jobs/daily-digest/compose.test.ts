import fc from "fast-check";
import { simpleParser } from "mailparser";
import MailComposer from "nodemailer/lib/mail-composer";
import { describe, expect, it } from "vitest";
import { oneLine } from "../mail-text.ts";
import type { Digest } from "./collect.ts";
import { composeDigest } from "./compose.ts";

const nothing: Digest = {
  from: new Date("2026-11-23T00:00:00Z"),
  to: new Date("2026-11-24T00:00:00Z"),
  counts: [],
  failures: [],
  doubts: [],
  omitted: { failures: 0, doubts: 0 },
  cutShort: [],
};
const busy: Digest = {
  ...nothing,
  counts: [
    { type: "webhook", completed: 5, failed: 0, waiting: 1 },
    { type: "welcome-email", completed: 10, failed: 2, waiting: 0 },
  ],
  failures: [
    { type: "welcome-email", reason: "PERMANENT_FAILURE: 550 no", count: 2, exampleJobId: "default_7" },
  ],
  doubts: [
    { effect: "send", jobId: "default_8", reason: "the connection was lost", ageMs: 26 * 60 * 60 * 1000 },
  ],
};

async function received(digest: Digest) {
  const message = composeDigest(digest, "operator@localhost", "job-1");
  const raw = await new MailComposer({ ...message, from: "Holdfast <holdfast@localhost>" }).compile().build();
  return await simpleParser(raw);
}

describe("the daily digest", () => {
  it("lists counts, reasons and doubts, in text and HTML", async () => {
    const mail = await received(busy);

    expect(mail.to).toMatchObject({ value: [{ address: "operator@localhost" }] });
    expect(mail.subject).toBe("Daily digest for 2026-11-23: 15 completed, 2 failed, 1 in doubt");
    expect(mail.text).toContain("From 2026-11-23T00:00:00Z to 2026-11-24T00:00:00Z");
    expect(mail.text).toMatch(/^webhook +5 +0 +1$/m);
    expect(mail.text).toMatch(/^welcome-email +10 +2 +0$/m);
    expect(mail.text).toMatch(/^2 +welcome-email +default_7 +PERMANENT_FAILURE: 550 no$/m);
    expect(mail.text).toMatch(/^1 d +send +default_8 +the connection was lost$/m);
    for (const shown of ["welcome-email", "default_7", "PERMANENT_FAILURE: 550 no", "default_8", "1 d"])
      expect(mail.html).toContain(`>${shown}</td>`);
  });

  it("says that nothing happened", async () => {
    const mail = await received(nothing);

    expect(mail.subject).toBe("Daily digest for 2026-11-23: nothing happened");
    for (const shown of ["No job ended, and no job waits.", "No job failed.", "No effect is in doubt."]) {
      expect(mail.text).toContain(shown);
      expect(mail.html).toContain(shown);
    }
  });

  it("does not say so if jobs wait, or an older doubt is open", async () => {
    const waits = { ...nothing, counts: [{ type: "webhook", completed: 0, failed: 0, waiting: 3 }] };
    expect((await received(waits)).subject).toContain(": 0 completed, 0 failed, 0 in doubt");
    expect((await received({ ...nothing, doubts: busy.doubts })).subject).toContain("1 in doubt");
  });

  it("says what it left out", async () => {
    const mail = await received({
      ...busy,
      omitted: { failures: 5, doubts: 7 },
      cutShort: ["completed", "waiting"],
    });

    expect(mail.subject).toContain("15+ completed, 2 failed, 8 in doubt");
    expect(mail.text).toContain("5 more reasons are not listed.");
    expect(mail.text).toContain("7 more are not listed.");
    expect(mail.text).toContain("There are more completed jobs: counting stopped");
    expect(mail.text).toContain("There are more waiting jobs: counting stopped");
  });

  it.each([
    [0, "less than 1 min"],
    [59_999, "less than 1 min"],
    [60_000, "1 min"],
    [2 * 60 * 60 * 1000 - 1, "1 h"],
    [72 * 60 * 60 * 1000, "3 d"],
  ])("shows an age of %i ms as %s", async (ageMs, shown) => {
    const doubts = busy.doubts.map((doubt) => ({ ...doubt, ageMs }));
    expect((await received({ ...busy, doubts })).text).toMatch(new RegExp(`^${shown} +send`, "m"));
  });

  it("is the same mail for the same job only", () => {
    const compose = (seed: string) => composeDigest(busy, "operator@localhost", seed);
    expect(compose("job-1")).toEqual(compose("job-1"));
    expect(compose("job-1").messageId).not.toBe(compose("job-2").messageId);
  });

  it("shows reasons as text, whatever they contain", () => {
    const markup = (digest: Digest) => composeDigest(digest, "o@localhost", "s").html.match(/<[^>]*>/g);
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("<script>alert(1)</script>", "</td></table>", '" onload="x', "<!--", "&lt;"),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        const reason = oneLine(text);
        const failures = busy.failures.map((group) => ({ ...group, reason, exampleJobId: reason }));
        const doubts = busy.doubts.map((doubt) => ({ ...doubt, reason, effect: reason, jobId: reason }));
        expect(markup({ ...busy, failures, doubts })).toEqual(markup(busy));
      }),
    );
  });
});
