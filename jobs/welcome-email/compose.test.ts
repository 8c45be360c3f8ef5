import fc from "fast-check";
import { simpleParser } from "mailparser";
import MailComposer from "nodemailer/lib/mail-composer";
import { describe, expect, it } from "vitest";
import { oneLine } from "../mail-text.ts";
import { composeWelcomeEmail } from "./compose.ts";

const anoop = {
  email: "anoop@example.com",
  name: "Anoop",
  message: "Congratulations! Your background job system is live.",
};

const headerNames = ["content-type", "date", "from", "message-id", "mime-version", "subject", "to"];

/** What a mail program sees: the message as sent, parsed. */
async function received(payload: typeof anoop, seed = "job-1") {
  const message = composeWelcomeEmail(payload, seed);
  const raw = await new MailComposer({ ...message, from: "Holdfast <holdfast@localhost>" }).compile().build();
  return { raw, mail: await simpleParser(raw) };
}

/** Hostile names: any text, with many characters that mean something in a header. */
const hostileName = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.constantFrom(
        "\r\n",
        "\n",
        "\r",
        "\0",
        "\t",
        "\u0085",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ud800",
      ),
      fc.constantFrom(
        "Bcc: x@example.org",
        "To:",
        "<x@example.org>",
        ",",
        ";",
        ":",
        '"',
        "\\",
        "(",
        ")",
        "@",
        "=?",
        "?=",
      ),
      fc.constantFrom(
        "=?utf-8?Q?=0D=0ABcc:_x@example.org?=",
        "=?utf-8?B?DQpCY2M6IHhAZXhhbXBsZS5vcmc=?=",
        "👩‍👩‍👧",
        "é",
      ),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((pieces) => pieces.join("").slice(0, 200) || "x");

describe("the welcome email", () => {
  it("greets the person by name, to their address, with the message in text and HTML", async () => {
    const { mail } = await received(anoop);

    expect(mail.subject).toBe("Welcome, Anoop");
    expect(mail.to).toMatchObject({ value: [{ name: "Anoop", address: "anoop@example.com" }] });
    expect(mail.text).toContain(anoop.message);
    expect(mail.html).toContain(anoop.message);
  });

  it("is the same mail for the same job only", () => {
    expect(composeWelcomeEmail(anoop, "job-1")).toEqual(composeWelcomeEmail(anoop, "job-1"));
    expect(composeWelcomeEmail(anoop, "job-1").messageId).not.toBe(
      composeWelcomeEmail(anoop, "job-2").messageId,
    );
  });

  it.each(["job-1", "", "a\r\nBcc: x@example.org", "<>@", "key with ünicode"])(
    "makes a well-formed Message-ID from %j",
    (seed) => {
      expect(composeWelcomeEmail(anoop, seed).messageId).toMatch(/^<[a-z0-9.-]+@[a-z.]+>$/);
    },
  );

  it("goes to exactly the intended person with exactly the expected headers, whatever the name", async () => {
    await fc.assert(
      fc.asyncProperty(hostileName, async (name) => {
        const { raw, mail } = await received({ ...anoop, name });

        const [head = ""] = raw.toString("latin1").split("\r\n\r\n");
        expect(head).toMatch(/^[\r\n -~]*$/);
        expect(mail.headerLines.map(({ key }) => key).sort()).toEqual(headerNames);
        expect(mail.to).toMatchObject({ value: [{ name: oneLine(name), address: anoop.email }] });
        expect([mail.to].flat()).toHaveLength(1);
      }),
      { numRuns: 200 },
    );
  });

  it("has the name in the subject on one line, whatever the name", async () => {
    await fc.assert(
      fc.asyncProperty(hostileName, async (name) => {
        const { mail } = await received({ ...anoop, name });

        expect(mail.subject).toBe(`Welcome, ${oneLine(name) || anoop.email}`);
      }),
      { numRuns: 200 },
    );
  });

  it("shows name and message as text in HTML, whatever they contain", () => {
    fc.assert(
      fc.property(hostileName, fc.string({ unit: "binary" }), (name, message) => {
        const markup = (payload: typeof anoop) =>
          composeWelcomeEmail(payload, "job-1").html.match(/<[^>]*>/g);
        const withoutBreaks = (tags: RegExpMatchArray | null) => tags?.filter((tag) => tag !== "<br>");

        expect(withoutBreaks(markup({ ...anoop, name, message }))).toEqual(markup(anoop));
      }),
    );
  });

  it("keeps the lines of a message, and drops control characters", async () => {
    const { mail } = await received({ ...anoop, message: "one\r\ntwo\n\n\tthree\0\u0007 <b>&\ud800" });

    expect(mail.text).toContain("one\ntwo\n\n\tthree <b>&");
    expect(mail.html).toContain("one<br>\ntwo<br>\n<br>\n\tthree &#60;b&#62;&#38;");
  });

  it("greets by address if nothing of the name can be shown", async () => {
    const { mail } = await received({ ...anoop, name: "\r\n\u202e" });

    expect(mail.subject).toBe("Welcome, anoop@example.com");
    expect(mail.to).toMatchObject({ value: [{ name: "", address: "anoop@example.com" }] });
  });
});
