// The metrics of `docs/metrics.md`, from the table that the code uses.

/** Every metric of ours with its labels, and which processes report it. */
export async function metricsTable() {
  const { metricDefinitions } = await import("../../dist/telemetry/metric-definitions.js");
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
