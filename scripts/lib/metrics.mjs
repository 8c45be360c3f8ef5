// Generates the table in `docs/metrics.md` from the metrics that the code uses.

/** Every Holdfast metric with its labels and the processes that report it. */
export async function metricsTable() {
  const { metricDefinitions } = await import("../../dist/platform/telemetry/metric-definitions.js");
  const rows = Object.entries(metricDefinitions).map(
    ([name, { kind, labels, help, reportedBy }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${reportedBy.join(", ")} | ${help} |`,
  );
  return [
    "| metric | kind | labels | reported by | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
