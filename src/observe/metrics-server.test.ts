import { describe, expect, it, onTestFinished } from "vitest";
import { readSettings } from "../config/settings.ts";
import { createMetrics } from "./metrics.ts";
import { startMetricsServer } from "./metrics-server.ts";

async function serve(port = "0") {
  const metrics = createMetrics();
  metrics.gauge("holdfast_followers").labels().set(7);
  const server = await startMetricsServer(metrics, readSettings({ HOLDFAST_METRICS_PORT: port }));
  onTestFinished(server.stop);
  return server;
}

describe("the server for metrics", () => {
  it("tells them, on loopback, as Prometheus reads them", async () => {
    const { url } = await serve();

    const answer = await fetch(url);

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await answer.text()).toContain("holdfast_followers 7\n");
  });

  it("tells that the process lives, and nothing else", async () => {
    const { url } = await serve();
    const at = (path: string, method = "GET") => fetch(new URL(path, url), { method });

    expect(await (await at("/health/live")).json()).toEqual({ status: "live" });
    expect((await at("/metrics?name=value")).status).toBe(200);
    expect((await at("/metrics", "HEAD")).status).toBe(200);
    expect((await at("/jobs")).status).toBe(404);
    expect((await at("/metrics", "POST")).status).toBe(405);
  });

  it("says which variable to set when its port is taken", async () => {
    const { port } = new URL((await serve()).url);

    await expect(serve(port)).rejects.toMatchObject({
      code: "START_FAILED",
      message: expect.stringMatching(/EADDRINUSE.*set HOLDFAST_METRICS_PORT/),
    });
  });

  it("can be stopped twice, also while a client holds its connection", async () => {
    const { url, stop } = await serve();
    await (await fetch(url)).text(); // fetch keeps the connection

    await Promise.all([stop(), stop()]);

    await expect(fetch(url)).rejects.toThrow();
  });
});
