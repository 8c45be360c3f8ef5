// Generates the table in `docs/metrics.md` from the metrics that the code uses.

/** Every Holdfast metric with its labels and the processes that report it. */
export async function metricsTable() {
  const { metricDefinitions } = await import("../../build/desk/metric-definitions.js");
  const { tickMetrics } = await import("../../build/roles/schedules/tick-metrics.js");
  const { outboxMetrics } = await import("../../build/desk/outbox/outbox-metrics.js");
  const { httpMetrics } = await import("../../build/edges/http/http-metrics.js");
  const rows = Object.entries({ ...metricDefinitions, ...tickMetrics, ...outboxMetrics, ...httpMetrics }).map(
    ([name, { kind, labels, help, reportedBy }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${reportedBy.join(", ")} | ${help} |`,
  );
  return [
    "| metric | kind | labels | reported by | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
