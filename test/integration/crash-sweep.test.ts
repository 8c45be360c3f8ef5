import { crashSweep } from "holdfast/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { welcomeEmailHandler } from "../../jobs/welcome-email/handler.ts";
import { unsafeMailHandler } from "../support/fixtures/unsafe-mail.config.ts";
import { withProcesses } from "../support/processes.ts";
import { startScriptedSmtp } from "../support/smtp-script.ts";

async function mailServer() {
  const server = await startScriptedSmtp();
  onTestFinished(() => server.stop());
  return { SMTP_URL: server.url };
}

describe("a crash sweep", withProcesses, () => {
  it("finds the welcome email safe at each boundary", async () => {
    const payload = { email: "anoop@example.com", name: "Anoop", message: "Congratulations!" };

    const report = await crashSweep(welcomeEmailHandler, payload, { env: await mailServer() });

    expect(String(report)).toBe(`Crash sweep of welcome-email: safe

killed                  outcome    notes
before reserve of send  completed
after reserve of send   in doubt
inside send             in doubt
before commit of send   in doubt
after commit of send    completed
before the end          completed
`);
    report.assertSafe();
  });

  it("catches a mail that is sent outside of an effect", async () => {
    const env = await mailServer();

    const report = await crashSweep(
      unsafeMailHandler,
      { email: "anoop@example.com" },
      { env, application: new URL("../support/fixtures/unsafe-mail.config.ts", import.meta.url) },
    );

    const call = `connection to ${new URL(env.SMTP_URL).host}`;
    expect(report.ok).toBe(false);
    expect(report.boundaries[0]).toMatchObject({
      at: "before reserve of send",
      outcome: "repeated",
      repeatedCalls: [{ call, times: 2 }],
    });
    expect(() => report.assertSafe()).toThrow(`outside of an effect, 2 times: ${call}`);
  });
});
