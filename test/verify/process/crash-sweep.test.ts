import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crashSweep } from "holdfast/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { chargingHandler, luckyHandler, writingHandler } from "../../support/fixtures/swept.config.ts";
import { unsafeMailHandler } from "../../support/fixtures/unsafe-mail.config.ts";
import { childrenOf, withProcesses } from "../../support/processes.ts";
import { startScriptedSmtp } from "../../support/smtp-script.ts";
import { until } from "../../support/until.ts";

const docs = readFileSync(new URL("../../../docs/testing.md", import.meta.url), "utf8");
const unsafe = new URL("../../support/fixtures/unsafe-mail.config.ts", import.meta.url);
const email = "anoop@example.com";

const swept = new URL("../../support/fixtures/swept.config.ts", import.meta.url);

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-swept-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "written");
}

async function mailServer() {
  const server = await startScriptedSmtp();
  onTestFinished(() => server.stop());
  return { server, env: { SMTP_URL: server.url } };
}

describe("a crash sweep", withProcesses, () => {
  it("catches a mail that is sent outside of an effect, as the docs show", async () => {
    const { server, env } = await mailServer();

    const report = await crashSweep(unsafeMailHandler, { email }, { env, application: unsafe });

    const { host } = new URL(env.SMTP_URL);
    expect(docs).toContain(String(report).replace(host, "127.0.0.1:1025"));
    expect(report).toMatchObject({
      ok: false,
      boundaries: [{ outcome: "repeated", repeatedCalls: [{ call: `connection to ${host}`, times: 2 }] }],
    });
    expect(() => report.assertSafe()).toThrow("NOT SAFE");
    // Once without a crash, and twice with one.
    expect(server.received).toHaveLength(3);
  });

  it("refuses to begin with a job that does not complete, or an application that is not there", async () => {
    const sweep = (handler: typeof unsafeMailHandler) =>
      crashSweep(handler, { email }, { application: unsafe, env: { SMTP_URL: "smtp://127.0.0.1:9" } });
    await expect(sweep(unsafeMailHandler)).rejects.toThrow(
      /^The job does not complete, even without a crash: HANDLER_FAILED: .*ECONNREFUSED/,
    );
    await expect(
      crashSweep(unsafeMailHandler, { email }, { application: "no-such.config.ts" }),
    ).rejects.toThrow("there is no file");
  });

  it("of a handler that does something else each time is refused, and nothing of it is left", async () => {
    const children = childrenOf(process.pid).length;

    await expect(crashSweep(luckyHandler, { file: "" }, { application: swept })).rejects.toThrow(
      /^The handler does not always do the same: it did not get (before|after|inside)/,
    );

    await until("its processes are gone", () => childrenOf(process.pid).length <= children);
  });

  it("that sees nothing says that, and what it cannot see, and calls nothing safe", async () => {
    const report = await crashSweep(writingHandler, { file: newFile() }, { application: swept });

    expect(String(report)).toMatch(/^Crash sweep of writing: nothing seen\n/);
    expect(String(report)).toContain(
      "Not seen: what goes through connections that were opened before the job",
    );
    expect(() => report.assertSafe()).toThrow("nothing seen");
    expect(report.ok).toBe(false);
  });

  it("finds an effect that is repeated without its key", async () => {
    const report = await crashSweep(chargingHandler, { file: newFile() }, { application: swept });

    expect(report.keylessEffects).toEqual(["keyless"]);
    expect(() => report.assertSafe()).toThrow(
      /NOT SAFE[\s\S]*keyless is declared "repeat" and never used its key/,
    );
  });
});
