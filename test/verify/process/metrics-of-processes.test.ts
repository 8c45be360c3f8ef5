import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it } from "vitest";
import { parse } from "yaml";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { post } from "../../support/http.ts";
import { everyMetric } from "../../support/metric-definitions.ts";
import { scrape } from "../../support/metrics.ts";
import { createDatabase } from "../../support/postgres.ts";
import { launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(path(name), "utf8");
const roles = ["api", "worker", "scheduler", "relay"] as const;

/** Runs promtool; its findings are the failure. */
function promtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (error !== undefined) throw new Error("promtool is not there: npm test installs it", { cause: error });
  return status === 0 ? "passed" : stdout + stderr;
}

/** Starts a role; resolves to its `/metrics`. */
async function metricsOf(role: (typeof roles)[number], env: ReturnType<typeof testEnvironment>) {
  const child = await launchRole(role, { ...env, HOLDFAST_METRICS_PORT: "0" });
  if (role !== "api") return scrape(/"metricsUrl":"([^"]+)"/.exec(child.stderr)?.[1] ?? "");
  await post(`${urlOf(child)}/jobs`, { type: "echo", payload: 1, idempotencyKey: "k" });
  return scrape(`${urlOf(child)}/metrics`);
}

/** The metrics named in a query, or in a text full of queries. */
function metricsIn(text: string): string[] {
  const names = text.match(/\b(?:holdfast|nodejs|process)_[a-z0-9_]+\b/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, "")))];
}

interface Rule {
  readonly expr: string;
  readonly alert?: string;
  readonly annotations?: { readonly runbook_url?: string };
}

const rules: readonly Rule[] = (
  parse(read("ops/prometheus/alerts.yml")) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  }
).groups.flatMap((group) => group.rules);

describe("API, worker, scheduler and relay as processes", withProcesses, () => {
  it("report exactly what the reference lists, well-formed, and everything that alerts and dashboard query", async () => {
    const databaseUrl = await createDatabase(inject("postgresUrl"));
    await migrate(databaseUrl);
    const env = testEnvironment({ DATABASE_URL: databaseUrl });
    const metrics = await Promise.all(roles.map((role) => metricsOf(role, env)));

    for (const [index, role] of roles.entries()) {
      const { names, text } = metrics[index]!;
      const ours = [...names].filter((name) => name.startsWith("holdfast_")).sort();
      const expected = Object.entries(everyMetric).filter(([, { reportedBy }]) =>
        (reportedBy as readonly string[]).includes(role),
      );
      expect(ours, role).toEqual(expected.map(([name]) => name).sort());
      expect(promtool(["check", "metrics"], text), role).toBe("passed");
    }
    const all = new Set(metrics.flatMap(({ names }) => [...names]));
    const { panels, templating } = JSON.parse(read("ops/grafana/holdfast.json"));
    const asked = metricsIn(rules.map(({ expr }) => expr).join("\n") + JSON.stringify([panels, templating]));
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((name) => !all.has(name))).toEqual([]);
  });
});

describe("the alerts", () => {
  const alerts = rules.flatMap(({ alert, annotations }) =>
    alert === undefined ? [] : [{ alert, url: annotations?.runbook_url }],
  );
  const { homepage } = JSON.parse(read("package.json"));

  it("fire when they should, and only then", () => {
    expect(promtool(["check", "rules", path("ops/prometheus/alerts.yml")])).toBe("passed");
    expect(promtool(["test", "rules", path("ops/prometheus/alerts.test.yml")])).toBe("passed");
  });

  it.each(alerts)("each have a test, and a section in the runbook: $alert", ({ alert, url }) => {
    const [page, anchor] = (url ?? "").split("#");
    expect(page).toBe(`${homepage.replace(/#.*/, "")}/blob/main/docs/runbook.md`);
    expect(anchor).toBe(alert.toLowerCase());
    expect(read("docs/runbook.md")).toMatch(new RegExp(`\n### ${alert}\n\n\\S`));
    expect(read("ops/prometheus/alerts.test.yml")).toMatch(
      new RegExp(`alertname: ${alert}\\n.*\\n +exp_alerts:\\n +- exp_labels`),
    );
  });
});
