import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, inject, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { variables } from "../../../src/platform/config/variables.ts";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { get } from "../../support/http.ts";
import { everyMetric } from "../../support/metric-definitions.ts";
import { createDatabase } from "../../support/postgres.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";

// biome-ignore lint/suspicious/noExplicitAny: files of other programs, read as they are
type Any = any;

const folder = fileURLToPath(new URL("../../../ops/deploy/", import.meta.url));
const read = (name: string) => readFileSync(folder + name, "utf8");
const roles = ["api", "worker", "scheduler", "relay"] as const;

/** The documents of a YAML file, which merges keys as Compose does. */
function documents(name: string): Any[] {
  return parseAllDocuments(read(name), { merge: true }).map((document) => {
    expect(document.errors, name).toEqual([]);
    return document.toJS();
  });
}

const isKnown = (name: string) => Object.hasOwn(variables, name) || name === "NODE_ENV";
const graceSeconds = readSettings({}).HOLDFAST_STOP_GRACE_MS / 1_000;

/** A database with an outbox. */
async function createOutbox(): Promise<string> {
  const url = await createDatabase(inject("postgresUrl"));
  await migrate(url);
  return url;
}

/** The variables that the Dockerfile sets. */
function imageEnvironment(): Record<string, string> {
  const [, text = ""] = /^ENV ((?:.*\\\n)*.*)$/m.exec(read("Dockerfile")) ?? [];
  return Object.fromEntries(text.split(/\s+\\?\s*/).map((pair) => pair.split("=", 2)));
}

const { HOLDFAST_DATA_DIR: dataDir = "" } = imageEnvironment();

describe("the image", withProcesses, () => {
  it("sets variables that exist, and no user but an unprivileged one", () => {
    expect(Object.keys(imageEnvironment()).filter((name) => !isKnown(name))).toEqual([]);
    expect(read("Dockerfile")).toMatch(/^USER node$/m);
  });

  it("keeps what Redis has acknowledged on a volume that its user can write to", () => {
    expect(dataDir).toMatch(/^\/var\/lib\//);
    expect(read("Dockerfile")).toContain(`VOLUME ${dataDir}\n`);
    expect(read("Dockerfile")).toContain(`chown node:node ${dataDir}\n`);
  });

  it.each(roles)("makes the role %s serve health and metrics, which its health check reads", async (role) => {
    const { HOLDFAST_DATA_DIR: _, ...image } = imageEnvironment();
    const own: Record<string, string> = role === "relay" ? { DATABASE_URL: await createOutbox() } : {};
    const env = testEnvironment({
      ...image,
      ...own,
      HOLDFAST_HOST: "127.0.0.1",
      HOLDFAST_METRICS_PORT: "0",
    });
    const child = await launchRole(role, env);
    const { port } = new URL(/"metricsUrl":"([^"]+)"/.exec(child.stderr)?.[1] ?? "");
    const at = (path: string) => get(`http://127.0.0.1:${port}${path}`);

    expect(await at("/health/live")).toMatchObject({ status: 200, body: { status: "live" } });
    expect(await at("/health/ready")).toMatchObject({ status: 200, body: { status: "ready", reasons: [] } });
    expect(await at("/metrics")).toMatchObject({ status: 200 });
    const [, check = ""] = /CMD \["node", "-e", "(.*)"\]$/m.exec(read("Dockerfile")) ?? [];
    const run = promisify(execFile);
    await run(process.execPath, ["-e", check.replace("9464", port)]);
    await expect(run(process.execPath, ["-e", check.replace("9464", "1")])).rejects.toMatchObject({
      code: 1,
    });
  });
});

describe("compose.yaml", () => {
  const [{ services, volumes }] = documents("compose.yaml");

  it("runs each role, with variables that exist, and waits for a worker's grace", () => {
    for (const role of roles) {
      const { command, environment, stop_grace_period: grace, read_only: isReadOnly } = services[role];
      expect(command).toEqual([role]);
      expect(Object.keys(environment).filter((name) => !isKnown(name))).toEqual([]);
      expect(Number.parseInt(grace, 10)).toBeGreaterThan(graceSeconds + 2);
      expect(isReadOnly).toBe(true);
    }
  });

  it("runs a relay only where it is asked for, with the database that the API reads, too", () => {
    for (const role of roles)
      expect(services[role].profiles).toEqual(role === "relay" ? ["outbox"] : undefined);
    for (const role of ["api", "relay"]) expect(services[role].environment).toHaveProperty("DATABASE_URL");
    expect(readSettings({ DATABASE_URL: "" }).DATABASE_URL).toBeUndefined();
  });

  it("gives Redis the settings that `disk` needs, on a volume", () => {
    for (const setting of ["appendonly yes", "appendfsync always", "maxmemory-policy noeviction"])
      expect(services.store.command).toContain(`--${setting}`);
    expect(Object.keys(volumes)).toContain("store");
  });

  it("keeps what the roles remember of Redis on a volume", () => {
    for (const role of roles) {
      const [name = "", path] = services[role].volumes[0].split(":");
      expect(path).toBe(dataDir);
      expect(Object.keys(volumes)).toContain(name);
    }
  });
});

describe("the manifests for Kubernetes", () => {
  const manifests = [...documents("kubernetes/roles.yaml"), ...documents("kubernetes/relay.yaml")];
  const deployments = manifests.filter(({ kind }) => kind === "Deployment");

  it("run each role without rights, probed at the paths that it serves", () => {
    expect(deployments.map(({ spec }) => spec.template.spec.containers[0].args)).toEqual(
      roles.map((role) => [role]),
    );
    for (const { spec } of deployments) {
      const pod = spec.template.spec;
      const [container] = pod.containers;
      const ports = container.ports.map(({ name }: { name: string }) => name);
      expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
      for (const [probe, path] of [
        ["startupProbe", "/health/live"],
        ["livenessProbe", "/health/live"],
        ["readinessProbe", "/health/ready"],
      ] as const) {
        expect(container[probe].httpGet.path).toBe(path);
        expect(ports).toContain(container[probe].httpGet.port);
      }
      expect(pod.securityContext.runAsNonRoot).toBe(true);
      expect(container.securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      });
      expect(pod.terminationGracePeriodSeconds ?? 30).toBeGreaterThan(graceSeconds + 2);
    }
  });

  it("keep what the pods remember of Redis, the scheduler's also when all are replaced", () => {
    const claims = manifests.filter(({ kind }) => kind === "PersistentVolumeClaim");
    for (const { metadata, spec } of deployments) {
      const pod = spec.template.spec;
      const mount = pod.containers[0].volumeMounts.find((each: Any) => each.mountPath === dataDir);
      const volume = pod.volumes.find((each: Any) => each.name === mount?.name);
      expect(volume).toBeDefined();
      expect(pod.securityContext.fsGroup).toBe(pod.securityContext.runAsUser);
      if (metadata.labels.role !== "scheduler") continue;
      expect(claims.map((claim) => claim.metadata.name)).toContain(volume.persistentVolumeClaim.claimName);
      expect(spec.strategy.type).toBe("Recreate");
    }
  });

  it("limit disruptions of pods that exist", () => {
    const labels = deployments.map(({ spec }) => spec.template.metadata.labels);
    for (const { spec } of manifests.filter(({ kind }) => kind === "PodDisruptionBudget"))
      expect(labels).toContainEqual(spec.selector.matchLabels);
  });

  it("scale a deployment that exists by a metric that exists", () => {
    const [{ spec }] = documents("kubernetes/keda.yaml");
    const [, metric = ""] = /^max\((\w+)\)$/.exec(spec.triggers[0].metadata.query) ?? [];

    expect(deployments.map(({ metadata }) => metadata.name)).toContain(spec.scaleTargetRef.name);
    expect(Object.keys(everyMetric)).toContain(metric);
  });
});

describe("the units for systemd", () => {
  it.each([1, 9, 10, 100, 1_000])("give the worker of instance %i a port of its own", async (instance) => {
    const [, command = ""] =
      /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(read("systemd/holdfast-worker@.service")) ?? [];
    // As systemd reads it, without the worker.
    const script = command
      .replaceAll("%i", String(instance))
      .replaceAll("$$", "$")
      .replace(/ exec .*/, "; ");
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", `${script} echo $HOLDFAST_METRICS_PORT`]);
    expect(stdout).toBe(`${9_470 + instance}\n`);
  });

  it("run each role, with variables that exist, and wait for a worker's grace", () => {
    const units = readdirSync(`${folder}systemd`);
    expect(units).toHaveLength(roles.length);
    for (const unit of units) {
      const text = read(`systemd/${unit}`);
      const values = (name: string) =>
        [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
      expect(unit).toMatch(
        new RegExp(`^holdfast-${/(\w+)'?$/.exec(values("ExecStart")[0] ?? "")?.[1]}@?\\.service$`),
      );
      expect(
        values("Environment")
          .map((pair) => pair.split("=")[0] ?? "")
          .filter((name) => !isKnown(name)),
      ).toEqual([]);
      expect(Number(values("TimeoutStopSec")[0])).toBeGreaterThan(graceSeconds + 2);
    }
  });
});
