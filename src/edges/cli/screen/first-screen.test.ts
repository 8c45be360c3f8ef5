import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineConfig, defineJob } from "../../../features/define.ts";
import { readSettings } from "../../../platform/config/settings.ts";
import { firstScreen } from "./first-screen.ts";

const job = (requiredVariables: readonly string[]) =>
  defineJob({
    type: "mail",
    queue: "mails",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 1_000,
    requiredVariables,
  });

const screen = (smtpUrl: string, requiredVariables = ["SMTP_URL"]) =>
  firstScreen(readSettings({ SMTP_URL: smtpUrl }), defineConfig({ jobs: [job(requiredVariables)] }), {
    apiUrl: "http://127.0.0.1:3000",
    hasRelay: false,
  });

describe("the first screen", () => {
  it("names the page that shows mail, or else the mail server without its password", () => {
    const page = "http://127.0.0.1:8025/";
    expect(screen(`smtp://127.0.0.1:1025#${page}`)).toContain(`Mail       ${page}\n`);
    expect(screen("smtp://ann:secret@mail.example:587")).toContain("Mail       smtp://mail.example:587\n");
  });

  it("says nothing of mail where no job sends any, and names worker, relay and metrics", () => {
    const text = screen("smtp://127.0.0.1:1025", []);
    expect(text).not.toContain("Mail");
    expect(text).toMatch(/Worker +runs mails\n +Relay +none, without an outbox\n +Metrics +of each process/);
  });
});
