import { describe, expect, it } from "vitest";
import { pageScript } from "./page-script.ts";
import { mailListPage, mailPage, messagePage } from "./page-templates.ts";
import type { OpenedMail } from "./read-mail.ts";

const hostile = `"><script>alert(1)</script>`;

const mail: OpenedMail = {
  id: "20261124T140912123Z-9f86d081",
  arrivedAt: new Date("2026-11-24T14:09:12.123Z"),
  from: "Holdfast",
  to: "Anoop",
  subject: "Welcome, Anoop",
  headers: [["From", "Holdfast"]],
  text: "Hello",
  html: "<p>Hello</p>",
};

const hostileMail: OpenedMail = {
  ...mail,
  from: hostile,
  to: hostile,
  subject: hostile,
  headers: [["From", hostile]],
  text: hostile,
  html: hostile,
};

describe("the mailbox pages", () => {
  it("say that there is no mail yet", () => {
    expect(mailListPage([], 0)).toContain("No mail yet.");
  });

  it("count the mails, and say if not all of them are shown", () => {
    expect(mailListPage([mail], 1)).toContain("1 mail.");
    expect(mailListPage([mail, mail], 2)).toContain("2 mails.");
    expect(mailListPage([mail], 300)).toContain("The newest 1 of 300 mails.");
  });

  it("read the list again, but not an opened mail; without scripts by loading it anew", () => {
    expect(mailListPage([mail], 1)).toContain(`<main data-refresh="5">`);
    expect(mailListPage([mail], 1)).toContain(`<noscript><meta http-equiv="refresh"`);
    expect(mailPage(mail)).toContain(`<main data-refresh="">`);
    expect(mailPage(mail)).not.toContain(`http-equiv="refresh"`);
  });

  it.each([
    ["the list", mailListPage([hostileMail], 1)],
    ["an opened mail", mailPage(hostileMail)],
    ["a message", messagePage(hostile)],
  ])("contain no markup of a hostile mail: %s", (_, page) => {
    expect(page).toContain("&#60;script&#62;");
    expect(page.replace(`<script>${pageScript}</script>`, "")).not.toContain("<script");
  });

  it("show a mail's HTML only in a frame that may do nothing", () => {
    const page = mailPage({ ...mail, text: undefined, html: "<p>marker</p>" });

    expect(page).not.toContain("marker");
    expect(page).toContain(`sandbox="" src="/mails/${mail.id}/html"`);
  });

  it("say that a mail has neither text nor HTML", () => {
    expect(mailPage({ ...mail, text: undefined, html: undefined })).toContain("No text to show.");
  });
});
